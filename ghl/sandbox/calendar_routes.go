package sandbox

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"ghlsync/ghl"
)

// Call names what of GHL a request is addressed to.
type Call string

// The calls: the workflow webhook, and eight of calendar API v2.
const (
	CallWebhook           Call = "webhook"
	CallCreateAppointment Call = "create_appointment"
	CallUpdateAppointment Call = "update_appointment"
	CallGetAppointment    Call = "get_appointment"
	CallDeleteAppointment Call = "delete_appointment"
	CallListEvents        Call = "list_events"
	CallGetCalendar       Call = "get_calendar"
	CallSearchContact     Call = "search_contact"
	CallUpsertContact     Call = "upsert_contact"
)

// Calls is the list of them.
var Calls = []Call{
	CallWebhook, CallCreateAppointment, CallUpdateAppointment, CallGetAppointment, CallDeleteAppointment,
	CallListEvents, CallGetCalendar, CallSearchContact, CallUpsertContact,
}

// The Version headers. Each call's own is the only one that the specification
// has for it. Reported: GHL serves every call under any version that it ever
// published, which a Lenient sandbox does, too.
const (
	calendarVersion = "2021-04-15"
	contactVersion  = "2021-07-28"
)

// endpoint is one call of the calendar API.
type endpoint struct {
	call      Call
	route     string
	version   string
	operation ghl.Operation
	read      func(*input) action
}

// action does what a request asks for and answers. The caller holds the lock.
type action func(*Sandbox, *call) (reply, verdict)

var endpoints = []endpoint{
	{CallCreateAppointment, "POST /calendars/events/appointments", calendarVersion, ghl.Created, createAppointment},
	{CallUpdateAppointment, "PUT /calendars/events/appointments/{appointment}", calendarVersion, ghl.Updated, updateAppointment},
	{CallGetAppointment, "GET /calendars/events/appointments/{appointment}", calendarVersion, "", getAppointment},
	{CallDeleteAppointment, "DELETE /calendars/events/{appointment}", calendarVersion, ghl.Deleted, deleteAppointment},
	{CallListEvents, "GET /calendars/events", calendarVersion, "", listEvents},
	{CallGetCalendar, "GET /calendars/{calendar}", calendarVersion, "", getCalendar},
	{CallSearchContact, "GET /contacts/search/duplicate", contactVersion, "", searchContact},
	{CallUpsertContact, "POST /contacts/upsert", contactVersion, "", upsertContact},
}

func (s *Sandbox) calendarRoutes(mux *http.ServeMux) {
	for _, e := range endpoints {
		mux.HandleFunc(e.route, func(w http.ResponseWriter, r *http.Request) { s.serveCall(w, r, e) })
	}
	mux.HandleFunc("GET /sandbox/api", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.API()) })
	mux.HandleFunc("PUT /sandbox/api", s.serveSetAPI)
	mux.HandleFunc("GET /sandbox/contacts", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Contacts()) })
	mux.HandleFunc("POST /sandbox/contacts", s.serveAddContacts)
	mux.HandleFunc("PATCH /sandbox/appointments/{id}", s.serveByHand)
}

// apiCall is what a call to the calendar API has beside a webhook's.
type apiCall struct {
	act   func(*Sandbox) verdict
	done  reply // of act
	quota allowance
}

func (s *Sandbox) serveCall(w http.ResponseWriter, r *http.Request, e endpoint) {
	arrived := s.opts.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		http.Error(w, "request body was cut or is too large", http.StatusBadRequest)
		return
	}
	in := newInput(r, body)
	act := e.read(in)
	in.end()
	c := newCall(r,
		payload{operation: e.operation, eventID: in.eventID, appointmentID: r.PathValue("appointment")},
		&Request{Time: arrived, Call: e.call, Target: r.URL.RequestURI(), Body: string(body)})
	c.api = &apiCall{}
	c.api.act = func(s *Sandbox) (v verdict) {
		c.api.done, v = act(s, c)
		return v
	}
	s.handle(w, r, c, func() { s.admit(c, e, in) })
}

// admit checks a call before anything is done, in the order in which GHL does:
// token, version, quota, body, location. The caller holds the lock.
func (s *Sandbox) admit(c *call, e endpoint, in *input) {
	if a := s.book.byID[c.appointmentID]; a != nil && c.eventID == "" {
		c.eventID, c.entry.EventID = a.SentraEventID, a.SentraEventID
	}
	if !slices.Contains(append([]string{s.api.Token}, s.api.OldTokens...), in.token) {
		// Spec: UnauthorizedDTO.
		c.early = refusal(http.StatusUnauthorized, "Invalid token: access token is invalid")
		if in.token == "" {
			s.violate(c, errors.New("header Authorization is not Bearer and a token"))
		}
		return
	}
	if c.early = s.checkVersion(c, e, in); c.early != nil {
		return
	}
	if c.api.quota = s.quota.take(s.api.Quota, s.opts.Now()); c.api.quota.over {
		s.stats.RateLimited++
		// Documented as a status; nothing is said about its body, and there is
		// no Retry-After.
		c.early = refusal(http.StatusTooManyRequests, "Too Many Requests")
		return
	}
	if breaches := in.breaches(s.opts.Lenient); len(breaches) > 0 {
		s.violate(c, errors.New(strings.Join(breaches, "; ")))
	}
	c.early = in.refused(s.opts.Lenient)
	if c.early == nil && in.location != nil && *in.location != s.api.LocationID {
		// Reported. It is no violation: which location is an operator's setting.
		c.early = refusal(http.StatusForbidden, "The token does not have access to this location.")
	}
}

// checkVersion refuses other versions as reported: with 401, which is no
// matter of the token.
func (s *Sandbox) checkVersion(c *call, e endpoint, in *input) *reply {
	if in.version == e.version {
		return nil
	}
	s.violate(c, fmt.Errorf("header Version is not %s", e.version))
	if in.version == "" {
		return refusal(http.StatusUnauthorized, "version header was not found.")
	}
	if s.opts.Lenient && (in.version == calendarVersion || in.version == contactVersion) {
		return nil
	}
	return refusal(http.StatusUnauthorized, "version header is invalid")
}

// refusal is an answer of one of GHL's failures; message is a string or, where
// GHL validates, a list.
func refusal(status int, message any) *reply {
	body := struct {
		Status  int    `json:"statusCode"`
		Message any    `json:"message"`
		Error   string `json:"error,omitempty"`
	}{Status: status, Message: message}
	if status != http.StatusBadRequest { // Spec: BadRequestDTO has no error
		body.Error = http.StatusText(status)
	}
	return &reply{status, string(mustJSON(body))}
}
