package sandbox_test

import (
	"net/http"
	"strings"
	"testing"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

func TestPayloadViolations(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	created, updated, deleted := body(ghl.Created, "e1", ""), body(ghl.Updated, "e1", "ghl_1"), body(ghl.Deleted, "e1", "ghl_1")
	replace := func(in, old, with string) string {
		t.Helper()
		if !strings.Contains(in, old) {
			t.Fatalf("%q is not in %s", old, in)
		}
		return strings.Replace(in, old, with, 1)
	}
	for name, test := range map[string]struct{ body, want string }{
		"no JSON":             {"hello", "body is not one JSON value"},
		"no object":           {"[]", "body is not a JSON object"},
		"trailing":            {created + "{}", "body is not one JSON value"},
		"operation":           {replace(created, "event_created", "event_moved"), "body.event_type"},
		"extra at the root":   {replace(created, `{"event_type"`, `{"delivery_id":"x","event_type"`), "body.delivery_id is unknown"},
		"missing phone":       {replace(created, `"client_phone":"+1234567890",`, ""), "event_data.client_phone is missing"},
		"null phone":          {replace(created, `"+1234567890"`, "null"), "event_data.client_phone is not a string"},
		"other case":          {replace(created, "client_phone", "Client_Phone"), "event_data.Client_Phone is unknown"},
		"client id as text":   {replace(created, "456", `"456"`), "event_data.client_id is not a whole number"},
		"event id as number":  {replace(created, `"sentra_event_id":"e1"`, `"sentra_event_id":1`), "event_data.sentra_event_id is not a string"},
		"seconds":             {replace(created, `"10:00"`, `"10:00:00"`), "event_data.start_time does not look like HH:MM"},
		"short hour":          {replace(created, `"10:00"`, `"9:00"`), "event_data.start_time"},
		"date":                {replace(created, `"2024-01-15"`, `"15.01.2024"`), "event_data.start_date"},
		"fraction":            {replace(created, "09:00:00Z", "09:00:00.5Z"), "event_data.created_at"},
		"offset":              {replace(created, "09:00:00Z", "09:00:00+00:00"), "event_data.created_at"},
		"type out of scope":   {replace(created, `"onboarding"`, `"firstdraft"`), "event_data.event_type"},
		"fields in a delete":  {replace(deleted, `"event_data":{`, `"event_data":{"client_id":1,`), "event_data.client_id is unknown"},
		"ids differ":          {replace(created, `mapping":{"sentra_event_id":"e1"`, `mapping":{"sentra_event_id":"e2"`), "differs from event_data's"},
		"empty appointment":   {replace(updated, `"ghl_1"`, `""`), "reference_mapping.ghl_appointment_id is empty"},
		"id in a create":      {replace(created, `,"sync_status"`, `,"ghl_appointment_id":"x","sync_status"`), "has no place in a create"},
		"status of a create":  {replace(created, "pending", "synced"), `reference_mapping.sync_status is not "pending"`},
		"status of an update": {replace(updated, "synced", "pending"), `reference_mapping.sync_status is not "synced"`},
	} {
		a := r.mustSend(t, "", test.body)
		list := r.Violations()
		if a.status != 422 || len(list) == 0 || !strings.Contains(list[len(list)-1].Text, test.want) {
			t.Errorf("%s: status %d, violations %+v, want %q", name, a.status, list[max(len(list)-1, 0):], test.want)
		}
		if len(list) > 0 && strings.Contains(list[len(list)-1].Text, "example.com") {
			t.Errorf("%s: client data in %q", name, list[len(list)-1].Text)
		}
	}
	if s := r.Stats(); s.Acted != 0 || s.Violations != s.Requests {
		t.Errorf("%+v", s)
	}
}

func TestPayloadsThatAreRight(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	created := body(ghl.Created, "e1", "")
	for i, right := range []string{
		created,
		strings.Replace(created, `"2024-01-15T09:00:00Z"`, "null", 1),
		strings.Replace(created, `"11:00"`, `"24:00"`, 1),
		strings.Replace(created, `"+1234567890"`, `""`, 1),
		body(ghl.Updated, "e1", ""),
	} {
		if a := r.mustSend(t, "", right); a.status != 200 {
			t.Errorf("%d: %+v", i, a)
		}
	}
	if list := r.Violations(); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

func TestDeliveryIDWithOtherBody(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.set(t, sandbox.Rule{Status: 503, Count: 1})
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	if a := r.mustSend(t, "d1", body(ghl.Deleted, "e1", "")); a.status != 422 || !strings.Contains(a.body, "another body") {
		t.Errorf("%+v", a)
	}
	var list []sandbox.Violation
	r.call(t, http.MethodGet, "/sandbox/violations", "", 200, &list)
	if len(list) != 1 || list[0].Number != 2 || list[0].EventID != "e1" {
		t.Errorf("%+v", list)
	}
}

func TestHeaderViolations(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	for name, change := range map[string]func(http.Header){
		"content type":   func(h http.Header) { h.Set("Content-Type", "text/plain") },
		"differing keys": func(h http.Header) { h.Set("X-Sentra-Delivery", "other") },
		"one key":        func(h http.Header) { h.Del("Idempotency-Key") },
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.WebhookURL(), strings.NewReader(body(ghl.Created, "e1", "")))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", name[:3])
		req.Header.Set("X-Sentra-Delivery", name[:3])
		change(req.Header)
		if a, err := r.do(req); err != nil || a.status != 422 {
			t.Errorf("%s: %+v %v", name, a, err)
		}
	}
}

func TestLenientActsOnWhatItCanRead(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{Lenient: true})
	if a := r.mustSend(t, "", strings.Replace(body(ghl.Created, "e1", ""), "pending", "synced", 1)); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if a := r.mustSend(t, "", "{}"); a.status != 200 || strings.Contains(a.body, "ghl_") {
		t.Errorf("%+v", a)
	}
	if s := r.Stats(); s.Violations != 2 || s.Live != 1 {
		t.Errorf("%+v", s)
	}
}
