package sandbox_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/openapicheck"
)

// object is a JSON object.
type object = map[string]any

// with is a copy of an object with some fields changed; nil takes one out.
func (r *rig) with(o, changes object) object {
	out := maps.Clone(o)
	for name, value := range changes {
		if out[name] = value; value == nil {
			delete(out, name)
		}
	}
	return out
}

// booking is a right create for an event.
func booking(event string) object {
	return object{
		"calendarId": "calOnboarding", "locationId": "sandboxLocation", "contactId": "c1",
		"startTime": "2024-01-15T10:00:00-05:00", "endTime": "2024-01-15T11:00:00-05:00",
		"title": "Onboarding Session", "description": "Initial\nclient onboarding\n\n" + ghl.Marker(event),
		"appointmentStatus": "confirmed", "toNotify": false, "ignoreFreeSlotValidation": true,
	}
}

// one is a sandbox with one contact, c1.
func one(t *testing.T, a sandbox.API) *rig {
	t.Helper()
	a.Contacts = append(a.Contacts, sandbox.Contact{ID: "c1", Email: "client@example.com", Phone: "+1234567890", Name: "Client"})
	r := start(t, sandbox.Options{API: a})
	r.spec = openapicheck.Find(t)
	return r
}

// api makes a right call of the calendar API; change may spoil it. body may be
// nil, an object or text.
func (r *rig) api(t *testing.T, method, path string, body any, change ...func(*http.Request)) answer {
	t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		text = encode(t, body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.APIURL()+path, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer pit-sandbox")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Version", "2021-04-15")
	if strings.HasPrefix(path, "/contacts") {
		req.Header.Set("Version", "2021-07-28")
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, c := range change {
		c(req)
	}
	a, err := r.do(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ok is api for what must succeed; it decodes the answer.
func (r *rig) ok(t *testing.T, method, path string, body any) object {
	t.Helper()
	var sent *http.Request
	a := r.api(t, method, path, body, func(req *http.Request) { sent = req.Clone(t.Context()) })
	var got object
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	r.checkAnswer(t, sent, a)
	return got
}

// checkAnswer holds an answer of the sandbox against GHL's specification.
func (r *rig) checkAnswer(t *testing.T, sent *http.Request, a answer) {
	t.Helper()
	err := r.spec.Response(sent, &http.Response{
		StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(a.body)),
	})
	if err != nil {
		t.Errorf("answer to %s %s: %v", sent.Method, sent.URL.Path, err)
	}
}

func (r *rig) book(t *testing.T, body object) string {
	t.Helper()
	id, _ := r.ok(t, "POST", appointments, body)["id"].(string)
	if id == "" {
		t.Fatal("a create gave no id")
	}
	return id
}

const appointments = "/calendars/events/appointments"

func TestAppointmentOverTheAPI(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	created := r.ok(t, "POST", appointments, booking("e/1"))
	id, _ := created["id"].(string)
	for name, want := range (object{
		"calendarId": "calOnboarding", "locationId": "sandboxLocation", "contactId": "c1", "title": "Onboarding Session",
		"appointmentStatus": "confirmed", "startTime": "2024-01-15T10:00:00-05:00", "assignedUserId": "userOne",
	}) {
		if created[name] != want {
			t.Errorf("create answers %s %v, want %v", name, created[name], want)
		}
	}
	booked := r.AppointmentsOf("e/1")
	if len(booked) != 1 || booked[0].ID != id {
		t.Fatalf("after the create: %+v", booked)
	}
	got := booked[0].Fields
	want := sandbox.Fields{
		ClientEmail: "client@example.com", ClientPhone: "+1234567890", ClientName: "Client", EventTitle: "Onboarding Session",
		EventType: "onboarding", StartDate: "2024-01-15", EndDate: "2024-01-15", StartTime: "10:00", EndTime: "11:00",
		Description: "Initial\nclient onboarding",
	}
	if got != want {
		t.Errorf("the book has %+v\nwant %+v", got, want)
	}

	path := appointments + "/" + id
	moved := r.ok(t, "PUT", path, object{"startTime": "2024-01-16T23:30:00-05:00", "endTime": "2024-01-17T00:30:00-05:00", "appointmentStatus": "confirmed"})
	if moved["startTime"] != "2024-01-16T23:30:00-05:00" || moved["title"] != "Onboarding Session" {
		t.Errorf("update answers %v", moved)
	}
	if a := r.AppointmentsOf("e/1")[0]; a.StartTime != "23:30" || a.EndDate != "2024-01-17" || a.Changes != 1 {
		t.Errorf("after the update: %+v", a)
	}
	event, _ := r.ok(t, "GET", path, nil)["event"].(object)
	if event["id"] != id || event["description"] != booking("e/1")["description"] || event["startTime"] != "2024-01-16T23:30:00-05:00" {
		t.Errorf("get answers %v", event)
	}

	gone := r.api(t, "DELETE", "/calendars/events/"+id, object{})
	if gone.status != 201 || gone.body != `{"succeeded":true}` || len(r.Appointments()) != 0 {
		t.Errorf("delete: %+v, %+v left", gone, r.Appointments())
	}
	stats, calls := r.Stats(), sandbox.Stats{
		Requests: 4, Created: 1, Updated: 1, Deleted: 1, Answered: 4, Acted: 3, MaxInFlight: 1, MaxInFlightPerEvent: 1,
	}
	if stats != calls {
		t.Errorf("stats %+v\nwant  %+v, violations %+v", stats, calls, r.Violations())
	}
	log := r.Requests()
	if log[1].Call != sandbox.CallUpdateAppointment || log[1].EventID != "e/1" || log[1].Target != path || log[0].BookedID != id {
		t.Errorf("log %+v", log)
	}
}

func TestAppointmentThatIsGone(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	calls := func(status int) {
		t.Helper()
		for _, call := range []struct {
			method, path string
			body         any
		}{
			{"GET", appointments + "/ghl_9", nil},
			{"PUT", appointments + "/ghl_9", object{"appointmentStatus": "confirmed"}},
			{"DELETE", "/calendars/events/ghl_9", object{}},
		} {
			if a := r.api(t, call.method, call.path, call.body); a.status != status || !strings.Contains(a.body, `"message":"`) {
				t.Errorf("%s: %+v, want %d", call.method, a, status)
			}
		}
	}
	calls(http.StatusNotFound)
	if s := r.Stats(); s.NotFound != 2 || s.NoDeletes != 1 || s.Violations != 0 {
		t.Errorf("%+v", s)
	}
	r.call(t, "PUT", "/sandbox/api", `{"gone_is_400":true}`, 200, nil)
	calls(http.StatusBadRequest)
}

func TestCreateOverTheAPIIsCountedAsDouble(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	first := r.book(t, booking("e1"))
	second := r.book(t, booking("e1"))
	if s := r.Stats(); first == second || s.Doubles != 1 || s.Live != 2 {
		t.Errorf("%s, %s: %+v", first, second, s)
	}
	// A cancelled one is no reason not to book.
	if !r.SetStatus(first, sandbox.StatusCancelled) || !r.Remove(second) {
		t.Fatal("the book lost them")
	}
	r.book(t, booking("e1"))
	if s := r.Stats(); s.Doubles != 1 {
		t.Errorf("%+v", s)
	}
}

func TestUpdateWithoutStatusResetsIt(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	id := r.book(t, booking("e1"))
	r.call(t, "PATCH", "/sandbox/appointments/"+id, `{"status":"showed"}`, 204, nil)
	r.ok(t, "PUT", appointments+"/"+id, object{"appointmentStatus": "showed", "title": "New"})
	if a := r.Appointments()[0]; a.Status != "showed" || a.EventTitle != "New" || r.Stats().Violations != 0 {
		t.Fatalf("%+v, %+v", a, r.Violations())
	}
	r.ok(t, "PUT", appointments+"/"+id, object{"title": "Newer"})
	if a := r.Appointments()[0]; a.Status != "confirmed" || a.EventTitle != "Newer" || r.Stats().Violations != 1 {
		t.Errorf("%+v, %+v", a, r.Violations())
	}
}

func TestUpdateAdoptsByMarker(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	id := r.Put(sandbox.Appointment{Booking: &sandbox.Booking{CalendarID: "calHandover", ContactID: "c1"}})
	r.Move(id, day(t, "2024-01-15T10:00:00Z"), day(t, "2024-01-15T11:00:00Z"))
	update := object{"appointmentStatus": "confirmed", "description": ghl.Marker("e1")}
	r.ok(t, "PUT", appointments+"/"+id, update)
	if a := r.AppointmentsOf("e1"); len(a) != 1 || a[0].ID != id || a[0].EventType != "handover" || r.Stats().Violations != 0 {
		t.Fatalf("%+v, %+v", a, r.Violations())
	}
	r.ok(t, "PUT", appointments+"/"+id, r.with(update, object{"description": "no marker"}))
	if s := r.Stats(); s.Violations != 1 || len(r.AppointmentsOf("e1")) != 0 {
		t.Errorf("the marker was dropped: %+v, %+v", s, r.Appointments())
	}
}

func TestListGivesWhatOverlaps(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	for i, hours := range [][2]string{{"08", "10"}, {"09", "11"}, {"10", "11"}, {"10", "12"}, {"12", "13"}} {
		r.book(t, r.with(booking("e"+string(rune('1'+i))), object{
			"startTime": "2024-01-15T" + hours[0] + ":00:00Z", "endTime": "2024-01-15T" + hours[1] + ":00:00Z",
		}))
	}
	r.book(t, r.with(booking("e6"), object{"calendarId": "calHandover"}))
	query := url.Values{
		"locationId": {"sandboxLocation"}, "calendarId": {"calOnboarding"},
		"startTime": {"1705312800000"}, "endTime": {"1705320000000"}, // 10:00 to 12:00
	}
	events, _ := r.ok(t, "GET", "/calendars/events?"+query.Encode(), nil)["events"].([]any)
	var found string
	for _, e := range events {
		event, _ := e.(object)
		description, _ := event["description"].(string)
		id, _ := ghl.MarkedEvent(description)
		found += id + " "
	}
	if found != "e2 e3 e4 " || r.Stats().Violations != 0 {
		t.Errorf("found %q, %+v", found, r.Violations())
	}
	query.Set("startTime", "1705312800")
	if a := r.api(t, "GET", "/calendars/events?"+query.Encode(), nil); a.status != 200 || r.Stats().Violations != 1 {
		t.Errorf("seconds: %+v, %+v", a, r.Violations())
	}
}

func TestGetCalendar(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{Calendars: []sandbox.Calendar{{ID: "k", Name: "Kick-off", Inactive: true, Team: []string{"u1", "u2"}}}})
	calendar, _ := r.ok(t, "GET", "/calendars/k", nil)["calendar"].(object)
	team, _ := calendar["teamMembers"].([]any)
	if calendar["name"] != "Kick-off" || calendar["isActive"] != false || len(team) != 2 {
		t.Errorf("%v", calendar)
	}
	if a := r.api(t, "GET", "/calendars/other", nil); a.status != 404 {
		t.Errorf("%+v", a)
	}
}
