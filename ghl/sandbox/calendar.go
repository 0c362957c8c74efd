package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"ghlsync/ghl"
)

// The statuses of an appointment (Spec).
const (
	StatusNew       = "new"
	StatusConfirmed = "confirmed"
	StatusCancelled = "cancelled"
	StatusShowed    = "showed"
	StatusNoShow    = "noshow"
	StatusInvalid   = "invalid"
)

var statuses = []string{StatusNew, StatusConfirmed, StatusCancelled, StatusShowed, StatusNoShow, StatusInvalid}

// Booking is what only the calendar API knows of an appointment. One that is
// in the book is not changed but replaced.
type Booking struct {
	CalendarID     string    `json:"calendar_id"`
	ContactID      string    `json:"contact_id"`
	AssignedUserID string    `json:"assigned_user_id"`
	Description    string    `json:"description"` // whole, with the marker
	Address        string    `json:"address"`
	Start          time.Time `json:"start"`
	End            time.Time `json:"end"`
	Notified       bool      `json:"notified"` // the last call let GHL's automations run
}

// TakesPlace tells of an appointment that nobody has called off.
func (a *Appointment) TakesPlace() bool {
	return a.Status != StatusCancelled && a.Status != StatusInvalid
}

// edit is what a create or an update asks for; nil is left out.
type edit struct {
	calendarID, title, description, address, status, assignee *string
	start, end                                                *time.Time
	contactID                                                 string // of a create
	notify, anySlot                                           bool
}

func (in *input) edit() edit {
	_, told := in.fields["toNotify"]
	e := edit{
		calendarID: in.text("calendarId"), title: in.text("title"), description: in.text("description"),
		address: in.text("address"), status: in.oneOf("appointmentStatus", statuses...), assignee: in.text("assignedUserId"),
		start: in.moment("startTime"), end: in.moment("endTime"),
		notify: in.flag("toNotify") || !told, anySlot: in.flag("ignoreFreeSlotValidation"),
	}
	in.flag("ignoreDateRange") // calendars here have none
	in.flag("overrideLocationConfig")
	in.text("meetingLocationId")
	in.oneOf("meetingLocationType", "custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google")
	in.mark(e.description)
	return e
}

// defaultLength is a meeting's where no end is given: a calendar's default
// slotDuration (Spec).
const defaultLength = 30 * time.Minute

func createAppointment(in *input) action {
	in.need("calendarId", "locationId", "contactId", "startTime") // Spec
	in.location = in.text("locationId")
	contactID := in.text("contactId")
	e := in.edit()
	if contactID != nil {
		e.contactID = *contactID
	}
	if in.eventID == "" {
		in.odd = append(in.odd, "description has no marker")
	}
	return func(s *Sandbox, _ *call) (reply, verdict) {
		now := s.opts.Now()
		a := Appointment{SentraEventID: in.eventID, Booking: &Booking{ContactID: e.contactID}, BookedAt: now, ChangedAt: now}
		if refused := s.apply(&a, e); refused != nil {
			return *refused, verdict{}
		}
		booked := s.book.add(a)
		return reply{http.StatusOK, s.flat(booked)}, verdict{id: booked.ID, acted: true, double: booked.Double}
	}
}

func updateAppointment(in *input) action {
	e := in.edit()
	if e.status == nil {
		// Reported: GHL sets it back.
		in.odd = append(in.odd, "appointmentStatus is left out, which resets it to confirmed")
		e.status = new(string)
		*e.status = StatusConfirmed
	}
	return func(s *Sandbox, c *call) (reply, verdict) {
		old := s.book.byID[c.appointmentID]
		if old == nil {
			return s.gone(), verdict{code: ghl.CodeAppointmentNotFound}
		}
		changed := *old
		if refused := s.apply(&changed, e); refused != nil {
			return *refused, verdict{}
		}
		changed.ChangedAt = s.opts.Now()
		changed.Changes++
		v := verdict{id: old.ID, acted: true}
		if e.description != nil && in.eventID != old.SentraEventID {
			s.remark(c, old, in.eventID)
			changed.SentraEventID = in.eventID
			v.double = s.book.taken(in.eventID)
			s.book.link(in.eventID, old.ID)
		}
		*old = changed
		return reply{http.StatusOK, s.flat(old)}, v
	}
}

// remark takes the appointment from the event that its marker named. An
// appointment booked by hand is adopted so; another has no reason to change
// hands.
func (s *Sandbox) remark(c *call, a *Appointment, eventID string) {
	if a.SentraEventID != "" && !s.opts.Lenient {
		s.violate(c, errMarker)
	}
	s.book.unlink(a)
	c.eventID, c.entry.EventID = or(c.eventID, eventID), or(eventID, a.SentraEventID)
}

// apply makes the appointment what was asked for, or says why GHL would not.
func (s *Sandbox) apply(a *Appointment, e edit) *reply {
	b := s.bookingOf(a)
	before, stood := b, a.TakesPlace() && a.ID != ""
	set(&b.CalendarID, e.calendarID)
	set(&b.Description, e.description)
	set(&b.Address, e.address)
	set(&b.AssignedUserID, e.assignee)
	set(&a.Status, e.status)
	if e.start != nil {
		length := b.End.Sub(b.Start)
		if length <= 0 {
			length = defaultLength
		}
		b.Start, b.End = *e.start, e.start.Add(length)
	}
	set(&b.End, e.end)
	b.Notified = e.notify
	calendar, refused := s.bookable(b)
	if refused != nil {
		return refused
	}
	moved := !stood || !b.Start.Equal(before.Start) || !b.End.Equal(before.End) ||
		b.CalendarID != before.CalendarID || b.AssignedUserID != before.AssignedUserID
	if a.TakesPlace() && moved {
		user, free := s.freeUser(calendar, b, a.ID)
		if !free && !e.anySlot {
			return refusal(http.StatusBadRequest, "The slot you have selected is no longer available.") // Reported
		}
		b.AssignedUserID = user
	}
	a.Booking = &b
	s.describe(a, calendar, e.title)
	return nil
}

func set[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}

// bookable says what is against the booking apart from its slot.
func (s *Sandbox) bookable(b Booking) (Calendar, *reply) {
	calendar, known := s.api.calendar(b.CalendarID)
	switch {
	case !known: // neither specified nor reported
		return calendar, refusal(http.StatusBadRequest, "Calendar not found")
	case calendar.Inactive: // Reported
		return calendar, refusal(http.StatusBadRequest, "Calendar is inactive")
	case s.contacts.byID[b.ContactID] == nil: // neither specified nor reported
		return calendar, refusal(http.StatusBadRequest, "Contact not found")
	case b.AssignedUserID != "" && !slices.Contains(calendar.Team, b.AssignedUserID):
		// Reported, and as one string in spite of the status.
		return calendar, refusal(http.StatusUnprocessableEntity, "The user id not part of calendar team.")
	case !b.End.After(b.Start): // neither specified nor reported
		return calendar, refusal(http.StatusBadRequest, "End time must be after start time")
	}
	return calendar, nil
}

// freeUser gives the user of the booking, or where none is asked for the
// first of the team that is free, and whether there is one.
func (s *Sandbox) freeUser(calendar Calendar, b Booking, self string) (string, bool) {
	users := calendar.Team
	if b.AssignedUserID != "" || len(users) == 0 {
		users = []string{b.AssignedUserID}
	}
	for _, user := range users {
		if !s.api.SlotConflicts || !s.busy(user, b, self) {
			return user, true
		}
	}
	return users[0], false
}

func (s *Sandbox) busy(user string, b Booking, self string) bool {
	for _, a := range s.book.byID {
		other := a.Booking
		if other != nil && a.ID != self && a.TakesPlace() && other.AssignedUserID == user &&
			(user != "" || other.CalendarID == b.CalendarID) && other.overlaps(b.Start, b.End) {
			return true
		}
	}
	return false
}

func (b *Booking) overlaps(start, end time.Time) bool {
	return b.Start.Before(end) && start.Before(b.End)
}

// describe fills in the guide's fields, so that the book reads the same
// whichever way an appointment came. The clock is the one of the offset that
// was sent; client id and timestamps have no place in the calendar API.
func (s *Sandbox) describe(a *Appointment, calendar Calendar, title *string) {
	b := a.Booking
	if c := s.contacts.byID[b.ContactID]; c != nil {
		a.ClientEmail, a.ClientPhone, a.ClientName = c.Email, c.Phone, c.Name
		if a.EventTitle == "" {
			a.EventTitle = c.Name // Spec: eventTitle of a calendar
		}
	}
	set(&a.EventTitle, title)
	a.EventType = calendar.EventType
	a.setClock(b.Start, b.End)
	a.Description = unmarked(b.Description)
}

func (f *Fields) setClock(start, end time.Time) {
	f.StartDate, f.StartTime = start.Format(time.DateOnly), start.Format(clock)
	f.EndDate, f.EndTime = end.Format(time.DateOnly), end.Format(clock)
}

// unmarked is a description without its markers and the space before them.
func unmarked(description string) string {
	var kept strings.Builder
	for line := range strings.Lines(description) {
		if _, marker := ghl.MarkedEvent(line); !marker {
			kept.WriteString(line)
		}
	}
	return strings.TrimRight(kept.String(), " \t\r\n")
}
