package api

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ghlsync/ghl"
)

// Appointment is what GHL has, or is to have. It holds client data.
type Appointment struct {
	ID             string
	CalendarID     string
	ContactID      string
	Title          string
	Description    string
	Described      bool   // GHL told the description, be it empty
	Status         string // new, confirmed, cancelled, showed, noshow or invalid
	AssignedUserID string
	Start, End     time.Time // zero: not told, or in no usable form
	Added          time.Time // when it was made; zero: not told
}

// The statuses that matter here, of those that GHL takes.
const (
	statusNew       = "new"
	statusConfirmed = "confirmed"
	statusCancelled = "cancelled"
	statusInvalid   = "invalid"
	statusShowed    = "showed"
	statusNoShow    = "noshow"
)

// sent is the body of a create or an update. An update leaves contact and
// location as they are: the specification has no fields for them.
type sent struct {
	CalendarID          string `json:"calendarId"`
	LocationID          string `json:"locationId,omitempty"`
	ContactID           string `json:"contactId,omitempty"`
	StartTime           string `json:"startTime"`
	EndTime             string `json:"endTime"`
	Title               string `json:"title"`
	Description         string `json:"description"`
	Status              string `json:"appointmentStatus,omitempty"`
	AssignedUserID      string `json:"assignedUserId,omitempty"`
	MeetingLocationType string `json:"meetingLocationType,omitempty"`
	OverrideLocation    bool   `json:"overrideLocationConfig,omitempty"` // goes with the type, says the specification
	IgnoreFreeSlot      bool   `json:"ignoreFreeSlotValidation"`
	Notify              bool   `json:"toNotify"`
}

func (c *Client) sent(a Appointment) sent {
	return sent{
		CalendarID: a.CalendarID,
		StartTime:  a.Start.Format(timeFormat), EndTime: a.End.Format(timeFormat),
		Title: a.Title, Description: a.Description, Status: a.Status,
		AssignedUserID:      c.o.AssignedUserID,
		MeetingLocationType: c.o.MeetingLocationType, OverrideLocation: c.o.MeetingLocationType != "",
		IgnoreFreeSlot: c.o.IgnoreFreeSlot, Notify: c.o.Notify,
	}
}

// CreateAppointment books an appointment: POST /calendars/events/appointments,
// Version 2021-04-15, operation create-appointment of GHL's calendars.json. Delivered
// comes with GHL's id. There is no idempotency key: where the result is Unknown or
// has MaybeActed, the appointment may be there.
func (c *Client) CreateAppointment(ctx context.Context, a Appointment) (id string, res ghl.Result) {
	body := c.sent(a)
	body.LocationID, body.ContactID = c.o.LocationID, a.ContactID
	k := call{kind: createAppointment, path: []string{"calendars", "events", "appointments"}, body: body}
	var answer appointmentAnswer
	if res = c.fetch(ctx, k, &answer); res.Outcome != ghl.Delivered {
		return "", res
	}
	made := answer.appointment()
	if made.ID == "" {
		return "", k.malformed(res)
	}
	res.AppointmentID = made.ID
	return made.ID, res
}

// UpdateAppointment sets every field of an appointment that we own: PUT
// /calendars/events/appointments/{eventId}, Version 2021-04-15, operation
// edit-appointment. Another calendar moves it there. An empty Status is left out,
// which (as integrators report) GHL takes for confirmed. NotFound: there is none.
func (c *Client) UpdateAppointment(ctx context.Context, a Appointment) ghl.Result {
	if !usableID(a.ID) {
		return noSuchAppointment
	}
	res := c.perform(ctx, call{
		kind: updateAppointment, path: []string{"calendars", "events", "appointments", a.ID}, body: c.sent(a),
	}, &struct{}{})
	return withID(a.ID, res)
}

// GetAppointment reads an appointment: GET
// /calendars/events/appointments/{eventId}, Version 2021-04-15, operation
// get-appointment. NotFound: there is none, or none any more.
func (c *Client) GetAppointment(ctx context.Context, id string) (Appointment, ghl.Result) {
	if !usableID(id) {
		return Appointment{}, noSuchAppointment
	}
	k := call{kind: getAppointment, path: []string{"calendars", "events", "appointments", id}}
	var answer appointmentAnswer
	res := c.fetch(ctx, k, &answer)
	if res.Outcome != ghl.Delivered {
		return Appointment{}, res
	}
	a := answer.appointment()
	switch {
	case a.ID == "":
		return Appointment{}, k.malformed(res)
	case answer.deleted():
		res.Outcome, res.Code = ghl.NotFound, ghl.CodeAppointmentNotFound
		return Appointment{}, res
	}
	return a, withID(a.ID, res)
}

// DeleteAppointment removes an appointment: DELETE /calendars/events/{eventId} with
// the body {}, Version 2021-04-15, operation delete-event. NotFound: there is none.
func (c *Client) DeleteAppointment(ctx context.Context, id string) ghl.Result {
	if !usableID(id) {
		return noSuchAppointment
	}
	k := call{kind: deleteAppointment, path: []string{"calendars", "events", id}, body: struct{}{}}
	var answer struct {
		Succeeded truth `json:"succeeded"`
	}
	res := c.perform(ctx, k, &answer)
	if res.Outcome == ghl.Delivered && answer.Succeeded.given && !answer.Succeeded.value {
		res.Outcome, res.Code = ghl.Permanent, ghl.CodeGHLError
	}
	return withID(id, res)
}

// ListEvents gives the appointments of a calendar that lie, wholly or in part,
// between two times: GET /calendars/events, times in milliseconds, Version
// 2021-04-15, operation get-calendar-events. GHL does not page. A result that is
// not Delivered says nothing about what is there.
func (c *Client) ListEvents(ctx context.Context, calendarID string, from, to time.Time) ([]Appointment, ghl.Result) {
	k := call{kind: listEvents, path: []string{"calendars", "events"}, query: url.Values{
		"locationId": {c.o.LocationID},
		"calendarId": {calendarID},
		"startTime":  {strconv.FormatInt(from.UnixMilli(), 10)},
		"endTime":    {strconv.FormatInt(to.UnixMilli(), 10)},
	}}
	var answer struct {
		Events *[]received `json:"events"`
	}
	res := c.fetch(ctx, k, &answer)
	if res.Outcome != ghl.Delivered {
		return nil, res
	}
	if answer.Events == nil {
		return nil, k.malformed(res) // not 'none': that is an empty list
	}
	list := make([]Appointment, 0, len(*answer.Events))
	for _, e := range *answer.Events {
		if a := e.appointment(); a.ID != "" && !e.Deleted.value {
			list = append(list, a)
		}
	}
	return list, res
}

// received is an appointment of an answer.
type received struct {
	ID             text    `json:"id"`
	CalendarID     text    `json:"calendarId"`
	ContactID      text    `json:"contactId"`
	Title          text    `json:"title"`
	Description    *text   `json:"description"`
	Notes          *text   `json:"notes"` // where GHL has had it
	Status         text    `json:"appointmentStatus"`
	Misspelt       text    `json:"appoinmentStatus"` // GHL has had it so
	AssignedUserID text    `json:"assignedUserId"`
	Start          instant `json:"startTime"`
	End            instant `json:"endTime"`
	Added          instant `json:"dateAdded"`
	Deleted        truth   `json:"deleted"`
}

func (r received) appointment() Appointment {
	a := Appointment{
		CalendarID: string(r.CalendarID), ContactID: string(r.ContactID), Title: string(r.Title),
		Status: string(r.Status), AssignedUserID: string(r.AssignedUserID), Start: r.Start.Time, End: r.End.Time, Added: r.Added.Time,
	}
	if id := strings.TrimSpace(string(r.ID)); usableID(id) {
		a.ID = id
	}
	for _, told := range []*text{r.Description, r.Notes} {
		if told != nil {
			a.Description, a.Described = cmp.Or(a.Description, string(*told)), true
		}
	}
	if a.Status == "" {
		a.Status = string(r.Misspelt)
	}
	return a
}

// appointmentAnswer is an appointment, flat or within one of two names.
type appointmentAnswer struct {
	received
	Event       *received `json:"event"`
	Appointment *received `json:"appointment"`
}

func (a appointmentAnswer) inner() received {
	switch {
	case a.Event != nil:
		return *a.Event
	case a.Appointment != nil:
		return *a.Appointment
	}
	return a.received
}

func (a appointmentAnswer) appointment() Appointment { return a.inner().appointment() }

func (a appointmentAnswer) deleted() bool { return a.inner().Deleted.value }

// noSuchAppointment answers for ids that GHL cannot have given: no request is made.
var noSuchAppointment = ghl.Result{Outcome: ghl.NotFound, Code: ghl.CodeAppointmentNotFound}

// maxIDBytes bounds an appointment id, as in package ghl.
const maxIDBytes = 255

// usableID tells whether an id can be a segment of a path that means itself.
func usableID(id string) bool {
	return id != "." && id != ".." && ghl.UsableHeader(id, maxIDBytes)
}

func withID(id string, res ghl.Result) ghl.Result {
	if res.Outcome == ghl.Delivered {
		res.AppointmentID = id
	}
	return res
}
