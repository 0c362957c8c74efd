package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"ghlsync/ghl"
)

var errMarker = errors.New("the marker in description does not name the appointment's event")

// gone is the answer for an appointment that is not there. Spec: 400 and 401
// are the only failures of these calls. Reported: 400 of a PUT; of the others
// nothing is known, and 404 is what other calls of GHL's answer.
func (s *Sandbox) gone() reply {
	if s.api.GoneIs400 {
		return *refusal(http.StatusBadRequest, "The event id is invalid.")
	}
	return *refusal(http.StatusNotFound, "Appointment not found")
}

// getAppointment answers at once with what was written last.
func getAppointment(*input) action {
	return func(s *Sandbox, c *call) (reply, verdict) {
		a := s.book.byID[c.appointmentID]
		if a == nil {
			return s.gone(), verdict{}
		}
		// Spec: GetCalendarEventSuccessfulResponseDTO.
		return reply{http.StatusOK, string(mustJSON(map[string]any{"event": s.event(a)}))}, verdict{id: a.ID}
	}
}

func deleteAppointment(*input) action {
	return func(s *Sandbox, c *call) (reply, verdict) {
		a := s.book.byID[c.appointmentID]
		if a == nil {
			return s.gone(), verdict{code: ghl.CodeAppointmentNotFound}
		}
		s.book.remove(a)
		return reply{http.StatusCreated, `{"succeeded":true}`}, verdict{id: a.ID, acted: true} // Spec: 201
	}
}

// listEvents gives what overlaps with a span of time, cancelled ones with the
// others, all of them at once.
func listEvents(in *input) action {
	location := in.param("locationId", true)
	in.location = &location
	calendarID, userID, groupID := in.param("calendarId", false), in.param("userId", false), in.param("groupId", false)
	if calendarID == "" && userID == "" && groupID == "" { // Spec
		in.wrong = append(in.wrong, "either of calendarId, userId or groupId is required")
	}
	start, end := in.millis("startTime"), in.millis("endTime")
	return func(s *Sandbox, _ *call) (reply, verdict) {
		events := make([]map[string]any, 0)
		for _, a := range s.book.list("") {
			b := s.bookingOf(&a)
			if b.CalendarID == "" || groupID != "" || calendarID != "" && b.CalendarID != calendarID || userID != "" && b.AssignedUserID != userID {
				continue
			}
			if b.overlaps(start, end) {
				events = append(events, s.event(&a))
			}
		}
		return reply{http.StatusOK, string(mustJSON(map[string]any{"events": events}))}, verdict{}
	}
}

// millis reads a time as milliseconds since 1970. Seconds, which GHL would take
// for a day of January 1970, are odd.
func (in *input) millis(name string) time.Time {
	text := in.param(name, true)
	if text == "" {
		return time.Time{}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		in.wrong = append(in.wrong, name+" must be a number string")
	} else if n < int64(1e11) {
		in.odd = append(in.odd, name+" looks like seconds, not milliseconds")
	}
	return time.UnixMilli(n)
}

func getCalendar(in *input) action {
	id := in.r.PathValue("calendar")
	return func(s *Sandbox, _ *call) (reply, verdict) {
		calendar, known := s.api.calendar(id)
		if !known { // neither specified nor reported
			return *refusal(http.StatusNotFound, "Calendar not found"), verdict{}
		}
		team := make([]map[string]any, len(calendar.Team))
		for i, user := range calendar.Team {
			team[i] = map[string]any{"userId": user, "priority": 0.5, "isPrimary": i == 0}
		}
		return reply{http.StatusOK, string(mustJSON(map[string]any{"calendar": map[string]any{
			"id": calendar.ID, "locationId": s.api.LocationID, "name": calendar.Name, "isActive": !calendar.Inactive,
			"calendarType": "round_robin", "teamMembers": team,
			"slotDuration": int(defaultLength.Minutes()), "slotDurationUnit": "mins",
		}}))}, verdict{}
	}
}

// flat is the answer of a create or an update. Spec: AppointmentSchemaResponse,
// which has neither description nor timestamps.
func (s *Sandbox) flat(a *Appointment) string {
	e := s.event(a)
	for _, name := range []string{"description", "dateAdded", "dateUpdated", "groupId", "users"} {
		delete(e, name)
	}
	return string(mustJSON(e))
}

// event is an appointment as GHL shows it. Spec: CalendarEventDTO, which has
// times down as objects; they are strings.
func (s *Sandbox) event(a *Appointment) map[string]any {
	b := s.bookingOf(a)
	return map[string]any{
		"id": a.ID, "title": a.EventTitle, "description": b.Description, "appointmentStatus": a.Status,
		"calendarId": b.CalendarID, "locationId": s.api.LocationID, "contactId": b.ContactID, "groupId": "",
		"assignedUserId": b.AssignedUserID, "users": []string{}, "address": b.Address, "isRecurring": false,
		"startTime": b.Start.Format(time.RFC3339), "endTime": b.End.Format(time.RFC3339),
		"dateAdded": a.BookedAt.UTC().Format(time.RFC3339), "dateUpdated": a.ChangedAt.UTC().Format(time.RFC3339),
	}
}

// bookingOf is the appointment as the calendar API has it. A workflow books in the
// calendar of the event's type, for a contact that it has found or made, and puts
// no marker anywhere.
func (s *Sandbox) bookingOf(a *Appointment) Booking {
	if a.Booking != nil {
		return *a.Booking
	}
	b := Booking{Description: a.Description}
	i := slices.IndexFunc(s.api.Calendars, func(c Calendar) bool { return c.EventType == a.EventType && a.EventType != "" })
	if i < 0 {
		return b // being made by the API, or of a type that has no calendar
	}
	calendar := s.api.Calendars[i]
	b.CalendarID = calendar.ID
	if len(calendar.Team) > 0 {
		b.AssignedUserID = calendar.Team[0]
	}
	b.Start, b.End = localTime(a.StartDate, a.StartTime), localTime(a.EndDate, a.EndTime)
	c := s.contacts.find(a.ClientEmail, a.ClientPhone)
	if c == nil {
		c = s.contacts.add(Contact{Email: a.ClientEmail, Phone: a.ClientPhone, Name: a.ClientName}, time.Time{})
	}
	b.ContactID = c.ID
	return b
}

// localTime reads the guide's date and time, of a location in UTC. 24:00 is the
// midnight that ends the day.
func localTime(date, clock string) time.Time {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}
	}
	var hour, minute int
	if _, err := fmt.Sscanf(clock, "%d:%d", &hour, &minute); err != nil {
		return time.Time{}
	}
	return day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
}
