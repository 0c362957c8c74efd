package api

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"ghlsync/ghl"
)

// section is what the body of a call holds beside the webhook's fields: where and
// when the appointment is, under the settings in force when the call was made. A
// repetition sends the same, and a look-up searches there, whatever became of the
// settings.
type section struct {
	CalendarID string `json:"calendar_id,omitempty"`
	StartTime  string `json:"start_time"`
	EndTime    string `json:"end_time"`
}

// eventData are the fields of event_data that an appointment is made of.
type eventData struct {
	Type        text `json:"event_type"`
	Title       text `json:"event_title"`
	Description text `json:"description"`
	Email       text `json:"client_email"`
	Phone       text `json:"client_phone"`
	Name        text `json:"client_name"`
	StartDate   text `json:"start_date"`
	EndDate     text `json:"end_date"`
	StartTime   text `json:"start_time"`
	EndTime     text `json:"end_time"`
}

// Encode builds the body of a call that is kept until its outcome is known: the
// envelope of the webhook with a field "api" for calendar and times. Without a
// time that can be used the field is missing, and Send refuses the call. The same
// arguments and settings give the same bytes.
func (c *Client) Encode(op ghl.Operation, eventID, appointmentID string, data []byte) []byte {
	return c.o.Encode(op, eventID, appointmentID, data)
}

// Encode is the Client's, which needs of the options Calendars and Zone alone.
func (o Options) Encode(op ghl.Operation, eventID, appointmentID string, data []byte) []byte {
	body := ghl.Envelope(op, eventID, appointmentID, data)
	var event eventData
	if op == ghl.Deleted || len(data) == 0 || json.Unmarshal(data, &event) != nil {
		return body
	}
	at, err := o.span(event)
	if err != nil {
		return body
	}
	extra, err := json.Marshal(section{
		CalendarID: o.Calendars[string(event.Type)],
		StartTime:  at.start.Format(timeFormat), EndTime: at.end.Format(timeFormat),
	})
	if err != nil {
		return body // strings can always be encoded
	}
	body = append(body[:len(body)-1], `,"api":`...)
	return append(append(body, extra...), '}')
}

func (o Options) span(e eventData) (span, error) {
	return spanOf(string(e.StartDate), string(e.StartTime), string(e.EndDate), string(e.EndTime), cmp.Or(o.Zone, time.UTC))
}

// wanted is an event as its appointment is to be.
type wanted struct {
	readable    bool // the body is one
	marked      bool // of this client's making: what came of it carries the marker
	title       string
	description string
	person      Person
	calendarID  string // "": none is set for the type
	at          span   // zero: the event has no usable time
}

func (w wanted) hasTime() bool { return !w.at.start.IsZero() }

// read takes apart the body of a call, of this client's making or the webhook's,
// or a bare event_data object.
func (c *Client) read(body []byte) wanted {
	var fields struct {
		Data *eventData `json:"event_data"`
		API  section    `json:"api"`
		eventData
	}
	if len(body) == 0 || json.Unmarshal(body, &fields) != nil {
		return wanted{}
	}
	event := fields.eventData
	if fields.Data != nil {
		event = *fields.Data
	}
	w := wanted{
		readable: true, title: string(event.Title), description: string(event.Description),
		person:     Person{Email: string(event.Email), Phone: string(event.Phone), Name: string(event.Name)}.normal(),
		calendarID: fields.API.CalendarID,
	}
	if w.calendarID == "" {
		w.calendarID = c.o.Calendars[string(event.Type)]
	}
	if w.at, w.marked = fields.API.span(); !w.marked {
		w.at, _ = c.o.span(event) // without a usable time it stays zero
	}
	return w
}

func (s section) span() (span, bool) {
	start, err := time.Parse(time.RFC3339, s.StartTime)
	if err != nil {
		return span{}, false
	}
	end, err := time.Parse(time.RFC3339, s.EndTime)
	return span{start: start, end: end}, err == nil && end.After(start)
}

// appointment is what is sent of an event. The marker in the last line is what it
// is found by.
func (w wanted) appointment(eventID string) Appointment {
	marker := ghl.Marker(eventID)
	if own := strings.TrimRight(w.description, " \t\r\n"); own != "" {
		marker = own + "\n" + marker
	}
	return Appointment{
		CalendarID: w.calendarID, Title: w.title, Description: marker,
		Start: w.at.start, End: w.at.end,
	}
}

// CalendarIDs are the configured calendars, sorted.
func (c *Client) CalendarIDs() []string {
	ids := make([]string, 0, len(c.o.Calendars))
	for _, id := range c.o.Calendars {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Wanted is the appointment as an event is to have it: by its event_data, or by the
// body of a call, which also tells where it was under the settings of that time.
// False: the event can have none, or its data cannot be read.
func (c *Client) Wanted(eventID string, data []byte) (Appointment, bool) {
	w := c.read(data)
	if !w.readable || !w.hasTime() || w.calendarID == "" {
		return Appointment{}, false
	}
	return w.appointment(eventID), true
}

// ContactOf gives the id of the contact that event_data names, by e-mail or phone;
// "" with Delivered if there is none. It makes none.
func (c *Client) ContactOf(ctx context.Context, data []byte) (id string, res ghl.Result) {
	person := c.read(data).person
	if person.Email == "" && person.Phone == "" {
		return "", ghl.Result{Outcome: ghl.Delivered}
	}
	id, cached := c.contacts.get(person)
	if cached {
		return id, ghl.Result{Outcome: ghl.Delivered}
	}
	if id, res = c.search(ctx, person); res.Outcome == ghl.Delivered {
		c.contacts.put(person, id)
	}
	return id, res
}
