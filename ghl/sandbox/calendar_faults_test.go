package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

// create posts a create that no client repeats by itself.
func (r *rig) create(ctx context.Context, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.APIURL()+appointments, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.GetBody = nil
	for name, value := range map[string]string{"Authorization": "Bearer pit-sandbox", "Version": "2021-04-15", "Content-Type": "application/json"} {
		req.Header.Set(name, value)
	}
	return r.do(req)
}

func TestAPIFaults(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule   sandbox.Rule
		status int
		body   string // part of it
		err    error
		acted  bool
	}{
		"status":           {sandbox.Rule{Status: 503}, 503, `{"statusCode":503,"message":"Service Unavailable"}`, nil, false},
		"status that acts": {sandbox.Rule{Status: 500, Act: sandbox.ActYes}, 500, `"statusCode":500`, nil, true},
		"malformed":        {sandbox.Rule{Effect: sandbox.EffectMalformed}, 200, "<html>", nil, true},
		"lie":              {sandbox.Rule{Act: sandbox.ActNo}, 200, "{}", nil, false},
		"redirect":         {sandbox.Rule{Effect: sandbox.EffectRedirect}, 302, "moved", nil, false},
		"drop before":      {sandbox.Rule{Effect: sandbox.EffectDropBefore}, 0, "", io.EOF, false},
		"drop after":       {sandbox.Rule{Effect: sandbox.EffectDropAfter}, 0, "", io.EOF, true},
		"cut":              {sandbox.Rule{Effect: sandbox.EffectCut}, 0, "", io.ErrUnexpectedEOF, true},
		"slow":             {sandbox.Rule{DelayBefore: time.Millisecond, DelayAfter: time.Millisecond}, 200, `"id":"ghl_000001"`, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := one(t, sandbox.API{})
			test.rule.Call, test.rule.Event = sandbox.CallCreateAppointment, "e1"
			r.set(t, test.rule)
			a, err := r.create(t.Context(), encode(t, booking("e1")))
			if !errors.Is(err, test.err) || err == nil && (a.status != test.status || !strings.Contains(a.body, test.body)) {
				t.Errorf("%+v, %v, want %d %s, %v", a, err, test.status, test.body, test.err)
			}
			line := r.Requests()[0]
			if !line.Done || line.Status != test.status || line.Acted != test.acted || (len(r.AppointmentsOf("e1")) == 1) != test.acted {
				t.Errorf("log %+v, want acted %t", line, test.acted)
			}
			// The rule is about another call and another event.
			r.ok(t, "GET", "/calendars/calHandover", nil)
			r.book(t, booking("e2"))
			if s := r.Stats(); s.Faults != 1 || s.Violations != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestAPIHangThenAct(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	r.set(t, sandbox.Rule{Call: sandbox.CallCreateAppointment, Effect: sandbox.EffectHangThenAct, ActAfter: time.Millisecond, Count: 1})
	ctx, cancel := context.WithCancel(t.Context())
	ended, body := make(chan error, 1), encode(t, booking("e1"))
	go func() {
		_, err := r.create(ctx, body)
		ended <- err
	}()
	r.wait(t, func(s sandbox.Snapshot) bool { return s.Stats.Requests == 1 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.wait(t, func(s sandbox.Snapshot) bool { return s.Live == 1 })
	// What a client is to do before it creates again.
	list := r.api(t, "GET", "/calendars/events?locationId=sandboxLocation&calendarId=calOnboarding&startTime=1705330800000&endTime=1705330800001", nil)
	var events struct {
		Events []struct{ Description string }
	}
	if err := json.Unmarshal([]byte(list.body), &events); err != nil || len(events.Events) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if id, ok := ghl.MarkedEvent(events.Events[0].Description); !ok || id != "e1" {
		t.Errorf("marked %q", id)
	}
}

func TestRuleForOneCall(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	r.call(t, "PUT", "/sandbox/faults", `[{"call":"list_events","status":500,"count":1},{"call":"webhook","status":502}]`, 200, nil)
	var set struct{ Rules []map[string]any }
	r.call(t, "GET", "/sandbox/faults", "", 200, &set)
	if len(set.Rules) != 2 || set.Rules[0]["call"] != "list_events" || set.Rules[1]["call"] != "webhook" {
		t.Errorf("%+v", set)
	}
	r.book(t, booking("e1"))
	if a := r.mustSend(t, "d1", body(ghl.Created, "e2", "")); a.status != 502 {
		t.Errorf("%+v", a)
	}
	const list = "/calendars/events?locationId=sandboxLocation&userId=userOne&startTime=1705312800000&endTime=1705320000000"
	if a := r.api(t, "GET", list, nil); a.status != 500 {
		t.Errorf("%+v", a)
	}
	r.ok(t, "GET", list, nil)
	r.call(t, "PUT", "/sandbox/faults", `{"call":"book","status":500}`, 400, nil)
}

// An update and a delete find their event in the book.
func TestRuleForOneEventOverTheAPI(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	first, second := r.book(t, booking("e1")), r.book(t, booking("e2"))
	r.set(t, sandbox.Rule{Operation: ghl.Deleted, Event: "e1", Status: 500})
	if a := r.api(t, "DELETE", "/calendars/events/"+first, object{}); a.status != 500 {
		t.Errorf("%+v", a)
	}
	if a := r.api(t, "DELETE", "/calendars/events/"+second, object{}); a.status != 201 {
		t.Errorf("%+v", a)
	}
	log := r.Requests()
	if log[2].EventID != "e1" || log[3].EventID != "e2" || log[2].AppointmentID != first {
		t.Errorf("%+v", log)
	}
}

func TestOneBookForBothModes(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	id := r.AppointmentsOf("e1")[0].ID
	event, _ := r.ok(t, "GET", appointments+"/"+id, nil)["event"].(object)
	if event["title"] != "Onboarding Session" || event["appointmentStatus"] != "confirmed" {
		t.Errorf("%v", event)
	}
	r.book(t, booking("e1"))
	if s := r.Stats(); s.Doubles != 1 || s.Created != 2 {
		t.Errorf("%+v", s)
	}
	r.mustSend(t, "d2", body(ghl.Deleted, "e1", id))
	if left := r.AppointmentsOf("e1"); len(left) != 1 || left[0].Booking == nil {
		t.Errorf("%+v", left)
	}
}

func TestByHand(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	id := r.book(t, booking("e1"))
	path := "/sandbox/appointments/" + id
	r.call(t, "PATCH", path, `{"start":"2024-02-01T08:00:00Z","end":"2024-02-01T09:00:00Z","status":"noshow"}`, 204, nil)
	a := r.AppointmentsOf("e1")[0]
	if a.StartDate != "2024-02-01" || a.StartTime != "08:00" || a.EndTime != "09:00" || a.Status != "noshow" || a.Changes != 0 {
		t.Errorf("%+v", a)
	}
	event, _ := r.ok(t, "GET", appointments+"/"+id, nil)["event"].(object)
	if event["startTime"] != "2024-02-01T08:00:00Z" || event["appointmentStatus"] != "noshow" {
		t.Errorf("%v", event)
	}
	for _, wrong := range []string{`{}`, `{"status":"gone"}`, `{"start":"2024-02-01T08:00:00Z"}`, `{"start":"8:00"}`, `x`} {
		r.call(t, "PATCH", path, wrong, 400, nil)
	}
	r.call(t, "PATCH", "/sandbox/appointments/none", `{"status":"showed"}`, 404, nil)
	r.call(t, "DELETE", path, "", 204, nil)
	if a := r.api(t, "GET", appointments+"/"+id, nil); a.status != 404 {
		t.Errorf("%+v", a)
	}
	if s := r.Stats(); s.Violations != 0 {
		t.Errorf("%+v", r.Violations())
	}
}

func TestSetAPIOverHTTP(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{SearchLag: time.Second})
	var set struct {
		LocationID string             `json:"location_id"`
		SearchLag  string             `json:"search_lag"`
		Calendars  []sandbox.Calendar `json:"calendars"`
		Quota      map[string]any     `json:"quota"`
	}
	r.call(t, "PUT", "/sandbox/api", `{"calendars":[{"id":"k"}],"quota":{"burst":5,"interval":"1m"}}`, 200, nil)
	r.call(t, "GET", "/sandbox/api", "", 200, &set)
	if set.LocationID != "sandboxLocation" || set.SearchLag != "1s" || len(set.Calendars) != 1 || set.Calendars[0].ID != "k" ||
		set.Calendars[0].Name != "" || set.Quota["interval"] != "1m0s" {
		t.Errorf("%+v", set)
	}
	r.call(t, "PUT", "/sandbox/api", `{"tokens":"x"}`, 400, nil)
	r.call(t, "PUT", "/sandbox/api", `{"search_lag":"long"}`, 400, nil)
	r.call(t, "PUT", "/sandbox/api", `{"token":"new","old_tokens":[]}`, 200, nil)
	if a := r.api(t, "GET", "/calendars/k", nil); a.status != 401 {
		t.Errorf("%+v", a)
	}
	if a := r.api(t, "GET", "/calendars/k", nil, header("Authorization", "Bearer new")); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if len(r.Contacts()) != 1 {
		t.Errorf("%+v", r.Contacts())
	}
}
