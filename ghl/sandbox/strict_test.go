package sandbox_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
)

func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) {
		if value == "" {
			r.Header.Del(name)
			return
		}
		r.Header.Set(name, value)
	}
}

func TestAPIRefuses(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{OldTokens: []string{"pit-old"}})
	right := booking("e1")
	change := func(name string, value any) object { return r.with(right, object{name: value}) }
	for name, test := range map[string]struct {
		body     any
		change   func(*http.Request)
		status   int
		want     string
		violates int64
	}{
		"no token":        {right, header("Authorization", ""), 401, `"message":"Invalid token: access token is invalid"`, 1},
		"wrong token":     {right, header("Authorization", "Bearer x"), 401, `"error":"Unauthorized"`, 0},
		"no version":      {right, header("Version", ""), 401, `"version header was not found."`, 1},
		"wrong version":   {right, header("Version", "2021-07-28"), 401, `"version header is invalid"`, 1},
		"no body":         {"", nil, 400, `"Request body is required"`, 1},
		"no JSON":         {"{", nil, 400, `"Request body is not a JSON object"`, 1},
		"no contact":      {change("contactId", nil), nil, 422, `"message":["contactId should not be empty"]`, 1},
		"empty calendar":  {change("calendarId", ""), nil, 422, `["calendarId should not be empty"]`, 1},
		"number":          {change("title", 1), nil, 422, `["title must be a string"]`, 1},
		"null":            {change("title", json.RawMessage("null")), nil, 422, `["title must be a string"]`, 1},
		"flag as text":    {change("toNotify", "false"), nil, 422, `["toNotify must be a boolean value"]`, 1},
		"unknown":         {change("notes", "x"), nil, 422, `["property notes should not exist"]`, 1},
		"status":          {change("appointmentStatus", "booked"), nil, 422, `"appointmentStatus must be one of the following values: new,`, 1},
		"time":            {change("startTime", "2024-01-15T10:00:00"), nil, 422, `["startTime must be a valid ISO 8601 date string"]`, 1},
		"other location":  {change("locationId", "x"), nil, 403, `"The token does not have access to this location."`, 0},
		"other user":      {change("assignedUserId", "x"), nil, 422, `"message":"The user id not part of calendar team."`, 0},
		"unknown contact": {change("contactId", "x"), nil, 400, `"Contact not found"`, 0},
		"other calendar":  {change("calendarId", "x"), nil, 400, `"Calendar not found"`, 0},
		"end before":      {change("endTime", "2024-01-15T09:00:00-05:00"), nil, 400, `"End time`, 0},
		"no marker":       {change("description", "x"), nil, 200, `"id"`, 1},
		"content type":    {right, header("Content-Type", "text/plain"), 200, `"id"`, 1},
		"old token":       {right, header("Authorization", "Bearer pit-old"), 200, `"id"`, 0},
	} {
		before := r.Stats()
		a := r.api(t, "POST", appointments, test.body, func(req *http.Request) {
			if test.change != nil {
				test.change(req)
			}
		})
		after := r.Stats()
		if a.status != test.status || !strings.Contains(a.body, test.want) || after.Violations-before.Violations != test.violates {
			t.Errorf("%s: %d %s, want %d %s; %d violations, want %d", name, a.status, a.body, test.status, test.want,
				after.Violations-before.Violations, test.violates)
		}
		if a.status != 200 && after.Acted != before.Acted {
			t.Errorf("%s: acted", name)
		}
	}
	for _, v := range r.Violations() {
		if strings.Contains(v.Text, "Session") {
			t.Errorf("client data in %q", v.Text)
		}
	}
}

func TestAPIRefusesOtherCalls(t *testing.T) {
	t.Parallel()
	r := one(t, sandbox.API{})
	id := r.book(t, booking("e1"))
	for name, test := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"delete without a body":  {"DELETE", "/calendars/events/" + id, nil, 400},
		"delete with fields":     {"DELETE", "/calendars/events/" + id, object{"id": id}, 422},
		"update of the location": {"PUT", appointments + "/" + id, object{"locationId": "sandboxLocation", "appointmentStatus": "new"}, 422},
		"list without a span":    {"GET", "/calendars/events?locationId=sandboxLocation&calendarId=x", nil, 422},
		"list of nothing":        {"GET", "/calendars/events?locationId=sandboxLocation&startTime=1705312800000&endTime=1705312800000", nil, 422},
		"list with a page":       {"GET", "/calendars/events?locationId=sandboxLocation&calendarId=x&startTime=1705312800000&endTime=1705312800000&page=1", nil, 422},
		"list by date":           {"GET", "/calendars/events?locationId=sandboxLocation&calendarId=x&startTime=2024-01-15&endTime=1705312800000", nil, 422},
		"get with a parameter":   {"GET", appointments + "/" + id + "?locationId=sandboxLocation", nil, 422},
		"search for nobody":      {"GET", "/contacts/search/duplicate?locationId=sandboxLocation", nil, 422},
		"search elsewhere":       {"GET", "/contacts/search/duplicate?email=x%40y", nil, 422},
		"upsert elsewhere":       {"POST", "/contacts/upsert", object{"email": "x@example.com"}, 422},
		"upsert of no email":     {"POST", "/contacts/upsert", object{"locationId": "sandboxLocation", "email": "x"}, 422},
	} {
		before := r.Stats()
		a := r.api(t, test.method, test.path, test.body)
		if after := r.Stats(); a.status != test.status || after.Violations != before.Violations+1 || after.Acted != before.Acted {
			t.Errorf("%s: %+v, want %d; %+v", name, a, test.status, r.Violations())
		}
	}
}

func TestAPIActsWhenLenient(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{Lenient: true, API: sandbox.API{Contacts: []sandbox.Contact{{ID: "c1"}}}})
	id := r.book(t, r.with(booking("e1"), object{"notes": "x"}))
	if a := r.api(t, "GET", appointments+"/"+id, nil, header("Version", "2021-07-28")); a.status != 200 {
		t.Errorf("%+v", a)
	}
	r.ok(t, "PUT", appointments+"/"+id, object{"title": "x"})
	if s := r.Stats(); s.Violations != 2 || s.Acted != 2 {
		t.Errorf("%+v, %+v", s, r.Violations())
	}
}

func TestSlotsAndCalendars(t *testing.T) {
	t.Parallel()
	calendars := []sandbox.Calendar{
		{ID: "calOnboarding", EventType: "onboarding", Team: []string{"u1", "u2"}},
		{ID: "calHandover", EventType: "handover", Team: []string{"u1"}, Inactive: true},
	}
	r := one(t, sandbox.API{Calendars: calendars, SlotConflicts: true})
	const taken = `{"statusCode":400,"message":"The slot you have selected is no longer available."}`
	checked := func(event string, changes object) object {
		return r.with(r.with(booking(event), object{"ignoreFreeSlotValidation": false}), changes)
	}
	first := r.book(t, checked("e1", nil))
	second := r.book(t, checked("e2", nil))
	if all := r.Appointments(); all[0].Booking.AssignedUserID != "u1" || all[1].Booking.AssignedUserID != "u2" {
		t.Errorf("%+v", all)
	}
	for name, body := range map[string]object{
		"team is busy": checked("e3", nil), "user is busy": checked("e3", object{"assignedUserId": "u2"}),
	} {
		if a := r.api(t, "POST", appointments, body); a.status != 400 || a.body != taken {
			t.Errorf("%s: %+v", name, a)
		}
	}
	later := r.book(t, checked("e3", object{"startTime": "2024-01-15T11:00:00-05:00", "endTime": nil, "assignedUserId": "u2"}))
	back := object{"startTime": "2024-01-15T10:45:00-05:00", "appointmentStatus": "confirmed"}
	if a := r.api(t, "PUT", appointments+"/"+later, back); a.status != 400 || a.body != taken {
		t.Errorf("move into a busy slot: %+v", a)
	}
	// What keeps its slot is not looked at, and a cancelled one holds none.
	r.ok(t, "PUT", appointments+"/"+first, object{"title": "x", "appointmentStatus": "confirmed"})
	r.ok(t, "PUT", appointments+"/"+second, object{"appointmentStatus": "cancelled"})
	r.ok(t, "PUT", appointments+"/"+later, back)
	r.book(t, r.with(booking("e4"), object{"assignedUserId": "u1"})) // told to ignore

	if a := r.api(t, "POST", appointments, checked("e5", object{"calendarId": "calHandover"})); a.status != 400 || !strings.Contains(a.body, `"Calendar is inactive"`) {
		t.Errorf("inactive: %+v", a)
	}
	if s := r.Stats(); s.Violations != 0 || s.Doubles != 0 {
		t.Errorf("%+v, %+v", s, r.Violations())
	}
}
