package callback

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"ghlsync/ghl"
)

// MaxBody is how large a request's body may be, in bytes.
const MaxBody = 64 << 10

// maxEventID bounds an event id, in bytes. Sentra's are far shorter.
const maxEventID = 1024

// Errors of Decode and DecodeApp. They hold nothing of the body.
var (
	ErrNotJSON = errors.New("the body is not a JSON object")
	ErrNoEvent = errors.New("sentra_event_id is missing or is not an id")
)

// Report is a workflow's word on what became of a call.
type Report struct {
	EventID string
	// AppointmentID is GHL's; "" if the report has none.
	AppointmentID string
	// Failed: the workflow could not do it, for the reason Code.
	Failed bool
	Code   string
	// Operation is the call's event_type, echoed; "" if it is not.
	Operation ghl.Operation
	// CreatedAt and UpdatedAt are event_data's, echoed; zero if they are not, or
	// cannot be read. They tell which state of the event the workflow was given.
	CreatedAt, UpdatedAt time.Time
}

// Decode reads a workflow's report: a JSON object with sentra_event_id and, by one
// of its names, the appointment's id. GHL's plain Webhook action puts what is
// configured below customData; both places are looked at. Fields that are not
// known are ignored, and a known one of a strange type is one that is missing.
func Decode(body []byte) (Report, error) {
	f, err := object(body)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		EventID:   eventID(f.get("sentra_event_id")),
		Failed:    ghl.ForeignFalse(f.get("success")),
		CreatedAt: moment(f.get("created_at")),
		UpdatedAt: moment(f.get("updated_at")),
	}
	if r.EventID == "" {
		return Report{}, ErrNoEvent
	}
	r.AppointmentID = f.appointmentID()
	if op, err := ghl.ParseOperation(ghl.ForeignText(f.get("event_type"))); err == nil {
		r.Operation = op
	}
	if r.Failed {
		r.Code = ghl.ForeignCode(ghl.ForeignText(f.get("error_code")))
	}
	return r, nil
}

// fields are those of the body, and of its customData.
type fields struct{ root, custom map[string]json.RawMessage }

func object(body []byte) (fields, error) {
	var f fields
	if err := json.Unmarshal(body, &f.root); err != nil || f.root == nil {
		return f, ErrNotJSON
	}
	f.custom = inner(f.root["customData"])
	return f, nil
}

func inner(raw json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &m) != nil {
		return nil
	}
	return m
}

// get prefers what somebody configured to what GHL adds by itself.
func (f fields) get(name string) json.RawMessage {
	if raw, ok := f.custom[name]; ok {
		return raw
	}
	return f.root[name]
}

// appointmentID goes through the names under which the id comes. The root's own
// 'id' is not among them: it is not the appointment's.
func (f fields) appointmentID() string {
	for _, raw := range []json.RawMessage{
		f.get("appointment_id"),
		f.get("ghl_appointment_id"),
		inner(f.get("calendar"))["appointmentId"],
		f.get("calendar.appointmentId"),
	} {
		if id := ghl.ForeignID(raw); id != "" && !placeholder(id) {
			return id
		}
	}
	return ""
}

// placeholder tells that GHL left a merge field as it was configured.
func placeholder(s string) bool { return strings.Contains(s, "{{") }

// eventID reads Sentra's id, which is opaque: a text, or a number that a
// workflow made of it.
func eventID(raw json.RawMessage) string {
	id := ghl.ForeignText(raw)
	if id == "" && len(raw) > 0 && strings.Trim(string(raw), "0123456789") == "" {
		id = string(raw)
	}
	if len(id) > maxEventID || !utf8.ValidString(id) || placeholder(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return ""
	}
	return id
}

// moment reads a timestamp as we send it, to the second.
func moment(raw json.RawMessage) time.Time {
	t, err := time.Parse(time.RFC3339, ghl.ForeignText(raw))
	if err != nil {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}
