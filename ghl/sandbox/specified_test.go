package sandbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/openapicheck"
)

// What the specification refuses the sandbox calls a violation, and the other
// way round where the specification can say it.
func TestSandboxAgreesWithSpecification(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	right := booking("e1")
	id := r.book(t, right)
	const list = "/calendars/events?locationId=sandboxLocation&calendarId=calOnboarding&startTime=1705312800000&endTime=1705320000000"
	const search = "/contacts/search/duplicate?locationId=sandboxLocation"
	for name, test := range map[string]struct {
		method, path string
		body         any
		change       func(*http.Request)
		status       int
	}{
		"create":          {"POST", appointments, right, nil, 200},
		"update":          {"PUT", appointments + "/" + id, object{"appointmentStatus": "showed", "address": "x"}, nil, 200},
		"get":             {"GET", appointments + "/" + id, nil, nil, 200},
		"delete":          {"DELETE", "/calendars/events/none", object{}, nil, 404},
		"list":            {"GET", list, nil, nil, 200},
		"calendar":        {"GET", "/calendars/calHandover", nil, nil, 200},
		"search":          {"GET", search + "&email=client%40example.com&number=%2B1234567890", nil, nil, 200},
		"upsert":          {"POST", "/contacts/upsert", object{"locationId": "sandboxLocation", "email": "a@example.com", "name": "A"}, nil, 201},
		"no location":     {"POST", appointments, r.with(right, object{"locationId": nil}), nil, 422},
		"title of 1":      {"POST", appointments, r.with(right, object{"title": 1}), nil, 422},
		"flag in words":   {"PUT", appointments + "/" + id, object{"toNotify": "yes", "appointmentStatus": "new"}, nil, 422},
		"time zone":       {"POST", appointments, r.with(right, object{"timeZone": "UTC"}), nil, 422},
		"other status":    {"PUT", appointments + "/" + id, object{"appointmentStatus": "booked"}, nil, 422},
		"other version":   {"GET", "/calendars/calHandover", nil, header("Version", "2021-07-28"), 401},
		"no version":      {"GET", search + "&email=x", nil, header("Version", ""), 401},
		"no token":        {"GET", list, nil, header("Authorization", ""), 401},
		"bare delete":     {"DELETE", "/calendars/events/" + id, nil, nil, 400},
		"list of all":     {"GET", strings.Split(list, "&startTime")[0], nil, nil, 422},
		"list by page":    {"GET", list + "&limit=1", nil, nil, 422},
		"upsert anywhere": {"POST", "/contacts/upsert", object{"email": "a@example.com"}, nil, 422},
		"upsert of a 1":   {"POST", "/contacts/upsert", object{"locationId": "sandboxLocation", "phone": 1}, nil, 422},
		"text":            {"POST", appointments, right, header("Content-Type", "text/plain"), 200},
	} {
		before := r.Stats().Violations
		var specified error
		var sent *http.Request
		a := r.api(t, test.method, test.path, test.body, func(req *http.Request) {
			if test.change != nil {
				test.change(req)
			}
			sent, specified = req, r.spec.Request(req)
		})
		violated := r.Stats().Violations > before
		if a.status != test.status || r.spec != nil && violated != (specified != nil) {
			t.Errorf("%s: %d %s, want %d; violation: %t; specification: %v", name, a.status, a.body, test.status, violated, specified)
		}
		r.checkAnswer(t, sent, a)
	}
}

// The way in which a client's tests use the check: around the sandbox.
func TestSpecificationAroundTheSandbox(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{API: sandbox.API{Contacts: []sandbox.Contact{{ID: "c1"}}}})
	t.Cleanup(s.Close)
	var mu sync.Mutex
	var reports []any
	server := httptest.NewServer(openapicheck.Find(t).Handler(s, func(args ...any) {
		mu.Lock()
		defer mu.Unlock()
		reports = append(reports, args...)
	}))
	t.Cleanup(server.Close)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+appointments, strings.NewReader(encode(t, booking("e1"))))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Authorization": "Bearer pit-sandbox", "Version": "2021-04-15", "Content-Type": "application/json"} {
		req.Header.Set(name, value)
	}
	resp, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(reports) > 0 || resp.StatusCode != http.StatusOK || len(s.AppointmentsOf("e1")) != 1 || s.Stats().Violations != 0 {
		t.Errorf("%d, reported %v, booked %+v for %s", resp.StatusCode, reports, s.Appointments(), ghl.Marker("e1"))
	}
}
