package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ghlsync/ghl"
)

// payload is a webhook body, as far as it could be read.
type payload struct {
	operation     ghl.Operation
	eventID       string
	appointmentID string // of reference_mapping; empty when left out
	fields        Fields // of a create or an update
}

// Fields is the event_data of a create or an update, under the guide's names.
type Fields struct {
	ClientID    int64   `json:"client_id"`
	ClientEmail string  `json:"client_email"`
	ClientPhone string  `json:"client_phone"`
	ClientName  string  `json:"client_name"`
	EventTitle  string  `json:"event_title"`
	EventType   string  `json:"event_type"`
	StartDate   string  `json:"start_date"`
	EndDate     string  `json:"end_date"`
	StartTime   string  `json:"start_time"`
	EndTime     string  `json:"end_time"`
	Description string  `json:"description"`
	CreatedAt   *string `json:"created_at"`
	UpdatedAt   *string `json:"updated_at"`
}

// object checks one JSON object field by field and collects what is wrong.
// Names are compared exactly, which encoding/json's own matching does not.
type object struct {
	path   string
	fields map[string]json.RawMessage
	wrong  []error
}

func newObject(path string, raw json.RawMessage) *object {
	o := &object{path: path}
	if err := json.Unmarshal(raw, &o.fields); err != nil || o.fields == nil {
		o.wrong = append(o.wrong, fmt.Errorf("%s is not a JSON object", path))
	}
	return o
}

func (o *object) fail(name, format string, args ...any) {
	o.wrong = append(o.wrong, fmt.Errorf("%s.%s %s", o.path, name, fmt.Sprintf(format, args...)))
}

// take removes a field, so that what remains at the end is unknown.
func (o *object) take(name string) (json.RawMessage, bool) {
	raw, ok := o.fields[name]
	delete(o.fields, name)
	return raw, ok
}

func (o *object) text(name string) string {
	raw, ok := o.take(name)
	if !ok {
		o.fail(name, "is missing")
		return ""
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		o.fail(name, "is not a string")
		return ""
	}
	return *s
}

func (o *object) id(name string) string {
	s := o.text(name)
	if s == "" {
		o.fail(name, "is empty")
	}
	return s
}

func (o *object) number(name string) int64 {
	raw, ok := o.take(name)
	var n *int64
	if !ok {
		o.fail(name, "is missing")
	} else if json.Unmarshal(raw, &n) != nil || n == nil {
		o.fail(name, "is not a whole number")
	}
	if n == nil {
		return 0
	}
	return *n
}

func (o *object) formatted(name, layout, shape string) string {
	s := o.text(name)
	// Parse alone would let 9:05 and fractions of a second pass.
	_, err := time.Parse(layout, s)
	if (err != nil || len(s) != len(layout)) && (layout != clock || s != "24:00") {
		o.fail(name, "does not look like %s", shape)
	}
	return s
}

const clock = "15:04"

// timestamp allows null, since Sentra's columns may be, and else wants UTC.
func (o *object) timestamp(name string) *string {
	if raw, ok := o.fields[name]; ok && string(raw) == "null" {
		delete(o.fields, name)
		return nil
	}
	s := o.formatted(name, "2006-01-02T15:04:05Z", "YYYY-MM-DDTHH:MM:SSZ")
	return &s
}

func (o *object) end() []error {
	for name := range o.fields {
		o.wrong = append(o.wrong, fmt.Errorf("%s.%s is unknown", o.path, name))
	}
	return o.wrong
}

// parsePayload reads a body and says all that differs from the guide; what
// could be read is returned in any case. Its errors name fields and no values.
func parsePayload(body []byte, eventTypes []string) (payload, error) {
	var p payload
	if !json.Valid(body) {
		return p, errors.New("body is not one JSON value")
	}
	root := newObject("body", body)
	operation, err := ghl.ParseOperation(root.text("event_type"))
	if err != nil {
		root.fail("event_type", "is none of the three operations")
	}
	p.operation = operation
	data, _ := root.take("event_data") // absent, it fails as no object
	mapping, _ := root.take("reference_mapping")
	wrong := root.end()
	wrong = append(wrong, p.readData(newObject("event_data", data), eventTypes)...)
	wrong = append(wrong, p.readMapping(newObject("reference_mapping", mapping))...)
	return p, errors.Join(wrong...)
}

func (p *payload) readData(o *object, eventTypes []string) []error {
	p.eventID = o.id("sentra_event_id")
	if p.operation == ghl.Deleted {
		return o.end()
	}
	p.fields = Fields{
		ClientID:    o.number("client_id"),
		ClientEmail: o.text("client_email"),
		ClientPhone: o.text("client_phone"),
		ClientName:  o.text("client_name"),
		EventTitle:  o.text("event_title"),
		EventType:   o.text("event_type"),
		StartDate:   o.formatted("start_date", time.DateOnly, "YYYY-MM-DD"),
		EndDate:     o.formatted("end_date", time.DateOnly, "YYYY-MM-DD"),
		StartTime:   o.formatted("start_time", clock, "HH:MM"),
		EndTime:     o.formatted("end_time", clock, "HH:MM"),
		Description: o.text("description"),
		CreatedAt:   o.timestamp("created_at"),
		UpdatedAt:   o.timestamp("updated_at"),
	}
	if !slices.Contains(eventTypes, p.fields.EventType) {
		o.fail("event_type", "is none of %s", strings.Join(eventTypes, ", "))
	}
	return o.end()
}

func (p *payload) readMapping(o *object) []error {
	if id := o.id("sentra_event_id"); id != p.eventID {
		o.fail("sentra_event_id", "differs from event_data's")
	}
	if _, given := o.fields["ghl_appointment_id"]; given {
		p.appointmentID = o.id("ghl_appointment_id")
		if p.operation == ghl.Created {
			o.fail("ghl_appointment_id", "has no place in a create")
		}
	}
	want := "synced"
	if p.operation == ghl.Created {
		want = "pending"
	}
	if o.text("sync_status") != want {
		o.fail("sync_status", "is not %q", want)
	}
	return o.end()
}
