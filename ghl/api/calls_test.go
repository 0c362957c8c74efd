package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/ghl"
)

func newServer(t *testing.T, handle http.HandlerFunc) (url string) {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

// What is sent is exact: these bodies, and no field more.
func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	d := newDouble(t,
		on(byEmail, 200, nobody), on(byPhone, 200, nobody), on(upsert, 201, `{"new":true,"contact":{"id":"con7"},"traceId":"x"}`),
		on(post, 200, `{"id":"app1"}`),
		on(get+"app1", 200, there("app1", "showed", "")), on(put+"app1", 200, `{}`), on(remove+"app1", 201, succeeded),
	)
	o := options(d.url)
	o.CreateContacts = true
	c := newClient(t, o)
	c.Send(t.Context(), request(c, ghl.Created, nil))
	known := func(r *ghl.Request) { r.AppointmentID = "app1" }
	c.Send(t.Context(), request(c, ghl.Updated, known))
	c.Send(t.Context(), request(c, ghl.Deleted, known))
	owned := map[string]any{
		"calendarId": onboarding, "startTime": "2026-01-15T10:00:00+01:00", "endTime": "2026-01-15T11:00:00+01:00",
		"title": "Onboarding <Session>", "description": "Initial client onboarding\n" + marker,
		"ignoreFreeSlotValidation": true, "toNotify": false,
	}
	with := func(more map[string]any) map[string]any {
		all := make(map[string]any)
		for _, fields := range []map[string]any{owned, more} {
			for name, value := range fields {
				all[name] = value
			}
		}
		return all
	}
	for line, want := range map[string]map[string]any{
		upsert: {"locationId": location, "email": "client+x@example.com", "phone": "+1234567890", "name": "Client Business Name"},
		post:   with(map[string]any{"locationId": location, "contactId": "con7", "appointmentStatus": "confirmed"}),
		put:    with(map[string]any{"appointmentStatus": "showed"}),
		remove: {},
	} {
		if diff := cmp.Diff(want, d.bodyOf(t, line)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", line, diff)
		}
	}
}

func TestWhatIsSentAsConfigured(t *testing.T) {
	t.Parallel()
	d := newDouble(t, on(byEmail, 200, someone), on(post, 200, `{"id":"app1"}`))
	o := options(d.url)
	o.AssignedUserID, o.MeetingLocationType, o.Notify, o.IgnoreFreeSlot = "user1", "zoom", true, false
	c := newClient(t, o)
	c.Send(t.Context(), request(c, ghl.Created, func(r *ghl.Request) {
		r.Body = c.Encode(ghl.Created, eventID, "", []byte(strings.NewReplacer(`"onboarding"`, `"handover"`, `Initial client onboarding\n`, ``).Replace(data)))
	}))
	got := d.bodyOf(t, post)
	for name, want := range map[string]any{
		"assignedUserId": "user1", "meetingLocationType": "zoom", "overrideLocationConfig": true, "toNotify": true,
		"ignoreFreeSlotValidation": false, "calendarId": handover, "description": marker,
	} {
		if got[name] != want {
			t.Errorf("%s: %v, want %v", name, got[name], want)
		}
	}
}

// An edit keeps what people set, moves the appointment to the calendar of its new
// type, and leaves out what GHL would not take for a status.
func TestEdit(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]any{
		"new": "new", "confirmed": "confirmed", "cancelled": "cancelled", "showed": "showed", "noshow": "noshow", "invalid": "invalid",
		"active": nil, "": nil,
	} {
		d := newDouble(t, on(get+"app1", 200, `{"appointment":`+there("app1", status, "")+`}`), on(put+"app1", 200, ``))
		c := newClient(t, options(d.url))
		r := request(c, ghl.Updated, func(r *ghl.Request) {
			r.AppointmentID = "app1"
			r.Body = c.Encode(ghl.Updated, eventID, "app1", []byte(strings.ReplaceAll(data, `"onboarding"`, `"handover"`)))
		})
		if res := c.Send(t.Context(), r); res.Outcome != ghl.Delivered {
			t.Errorf("%+v", res)
		}
		if body := d.bodyOf(t, put); body["appointmentStatus"] != want || body["calendarId"] != handover {
			t.Errorf("status %q, calendar %s: sent %v, %v", status, onboarding, body["appointmentStatus"], body["calendarId"])
		}
	}
}

// A repetition sends, and a look-up searches, what was sent: the settings have
// changed since.
func TestBodyKeepsWhatWasSent(t *testing.T) {
	t.Parallel()
	before := newClient(t, options("https://services.example"))
	body := before.Encode(ghl.Created, eventID, "", []byte(data))
	d := newDouble(t,
		on(list+onboarding+"&endTime=1768557600000&locationId=loc1&startTime=1768381200000", 200, noEvents), on(list+"cal-new&endTime=1768557600000", 200, noEvents),
		on(byEmail, 200, someone), on(post, 200, `{"id":"app1"}`))
	o := options(d.url)
	o.Zone, o.Calendars = time.UTC, map[string]string{"onboarding": "cal-new"}
	c := newClient(t, o)
	c.Send(t.Context(), ghl.Request{Operation: ghl.Created, EventID: eventID, Body: body, Tried: true})
	if got := d.bodyOf(t, post); got["calendarId"] != onboarding || got["startTime"] != "2026-01-15T10:00:00+01:00" {
		t.Errorf("sent %v", got)
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	c := newClient(t, options("https://services.example"))
	const at = `"start_time":"2026-01-15T10:00:00+01:00","end_time":"2026-01-15T11:00:00+01:00"}}`
	for name, test := range map[string]struct {
		op   ghl.Operation
		data string
		want string // what follows the envelope
	}{
		"create":       {ghl.Created, data, `,"api":{"calendar_id":"cal-onboarding",` + at},
		"update":       {ghl.Updated, data, `,"api":{"calendar_id":"cal-onboarding",` + at},
		"other type":   {ghl.Updated, strings.ReplaceAll(data, `"onboarding"`, `"call"`), `,"api":{` + at},
		"delete":       {ghl.Deleted, "", `}`},
		"no such date": {ghl.Created, strings.ReplaceAll(data, "01-15", "13-15"), `}`},
		"no JSON":      {ghl.Created, `{`, `}`},
	} {
		envelope := ghl.Envelope(test.op, eventID, "app1", []byte(test.data))
		got := string(c.Encode(test.op, eventID, "app1", []byte(test.data)))
		if want := string(envelope[:len(envelope)-1]) + test.want; got != want {
			t.Errorf("%s: %s\nwant %s", name, got, want)
		}
		if name != "no JSON" && !json.Valid([]byte(got)) {
			t.Errorf("%s: no JSON: %s", name, got)
		}
	}
}

// Every request but the first waits for its turn; without one nothing is done.
func TestPace(t *testing.T) {
	t.Parallel()
	ended := errors.New("bucket is closed")
	for name, test := range map[string]struct {
		err  error
		want ghl.Result
	}{
		"turns":     {nil, delivered("app1")},
		"no turn":   {ended, ghl.Result{Outcome: ghl.Retry, Code: "RATE_WAIT"}},
		"time-out":  {context.DeadlineExceeded, ghl.Result{Outcome: ghl.Retry, Code: "RATE_WAIT"}},
		"cancelled": {context.Canceled, ghl.Result{Outcome: ghl.Retry, Code: "INTERRUPTED"}},
	} {
		script := []step{on(byEmail, 200, nobody), on(byPhone, 200, someone), on(post, 200, `{"id":"app1"}`)}
		if test.err != nil {
			script = script[:2]
		} else {
			test.want.HTTPStatus = 200
		}
		d := newDouble(t, script...)
		o := options(d.url)
		turns := 0
		o.Pace = func(context.Context) error {
			if n := len(d.lines()); n != turns+1 {
				t.Errorf("%s: turn %d before request %d", name, turns, n)
			}
			turns++
			if turns == 2 {
				return test.err
			}
			return nil
		}
		c := newClient(t, o)
		got := c.Send(t.Context(), request(c, ghl.Created, nil))
		got.Duration = 0
		if got != test.want || turns != 2 {
			t.Errorf("%s: %+v after %d turns, want %+v", name, got, turns, test.want)
		}
	}
}

// Tolerant in what it reads: the shapes that GHL answers have had.
func TestShapes(t *testing.T) {
	t.Parallel()
	want := Appointment{ID: "a", CalendarID: "c", Status: "showed", Description: "d", Described: true, Start: noon, End: noon.Add(time.Hour), Added: noon}
	const times = `"startTime":"2026-01-15T13:00:00+01:00","endTime":1768482000000,"dateAdded":{"_seconds":1768478400,"_nanoseconds":5}`
	for _, body := range []string{
		`{"id":"a","calendarId":"c","appointmentStatus":"showed","description":"d",` + times + `}`,
		`{"event":{"id":"a","calendarId":"c","appoinmentStatus":"showed","notes":"d",` + times + `}}`,
		`{"appointment":{"id":" a ","calendarId":"c","appointmentStatus":"showed","description":"d","title":{"x":1},"contactId":null,"deleted":false,` + times + `}}`,
	} {
		d := newDouble(t, on(get+"a", 200, body))
		got, res := newClient(t, options(d.url)).GetAppointment(t.Context(), "a")
		if diff := cmp.Diff(want, got); diff != "" || res.Outcome != ghl.Delivered || res.AppointmentID != "a" {
			t.Errorf("%+v (-want +got)\n%s", res, diff)
		}
	}
	for _, odd := range []string{`"2026-01-15 13:00:00"`, `"soon"`, `""`, `null`, `true`, `[]`, `{}`, `{"seconds":"x"}`, `-5`} {
		d := newDouble(t, on(get+"a", 200, `{"id":"a","startTime":`+odd+`}`))
		if got, res := newClient(t, options(d.url)).GetAppointment(t.Context(), "a"); res.Outcome != ghl.Delivered || !got.Start.IsZero() {
			t.Errorf("%s: %+v, %+v", odd, got, res)
		}
	}
}

func TestGetCalendar(t *testing.T) {
	t.Parallel()
	d := newDouble(t,
		on("GET /calendars/a", 200, `{"calendar":{"id":"a","name":"Onboarding","locationId":"loc1","isActive":false,"teamMembers":[{"userId":"u1","x":1},{}]}}`),
		on("GET /calendars/b", 200, `{"calendar":{}}`), on("GET /calendars/c%2Fd", 404, `{"message":"Calendar not found"}`), on("GET /calendars/e", 200, `{}`),
	)
	c := newClient(t, options(d.url))
	for _, test := range []struct {
		id   string
		want Calendar
		out  ghl.Outcome
	}{
		{"a", Calendar{ID: "a", Name: "Onboarding", LocationID: location, UserIDs: []string{"u1", ""}}, ghl.Delivered},
		{"b", Calendar{ID: "b", Active: true}, ghl.Delivered},
		{"c/d", Calendar{}, ghl.NotFound},
		{"e", Calendar{}, ghl.Retry},
		{"..", Calendar{}, ghl.NotFound},
	} {
		got, res := c.GetCalendar(t.Context(), test.id)
		if diff := cmp.Diff(test.want, got); diff != "" || res.Outcome != test.out {
			t.Errorf("%s: %+v (-want +got)\n%s", test.id, res, diff)
		}
	}
}

// A base address may have a path of its own, as a relay's has.
func TestBaseAddressWithPath(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"/ghl%2Fx", "/ghl%2Fx/"} {
		d := newDouble(t, on("DELETE /ghl%2Fx/calendars/events/a%3Fb HTTP", 0, ``))
		d.script[0].want = "DELETE /ghl%2Fx/calendars/events/a%3Fb"
		c := newClient(t, options(d.url+base))
		c.DeleteAppointment(t.Context(), "a?b")
	}
}

// Go's transport repeats a GET when a kept connection breaks, unless it cannot.
func TestNothingIsRepeated(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	url := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, `{"id":"a"}`)
	})
	c := newClient(t, options(url))
	c.GetAppointment(t.Context(), "a")
	if _, res := c.GetAppointment(t.Context(), "a"); res.Outcome != ghl.Retry || requests.Load() != 2 {
		t.Errorf("%+v after %d requests", res, requests.Load())
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	_, err := New(Options{URL: "http://topsecret.example", Token: "topsecret\n", Calendars: map[string]string{"x": ""}, Timeout: -1})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"use https", "API token", "location id", `"x"`, "negative"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %s in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "topsecret") {
		t.Errorf("a secret shows in %v", err)
	}
	if c := newClient(t, Options{Token: "x", LocationID: "y"}); c.String() != "https://services.leadconnectorhq.com/…" {
		t.Errorf("%s", c)
	}
}
