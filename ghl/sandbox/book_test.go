package sandbox_test

import (
	"net/http"
	"strings"
	"testing"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

const notFound = `{"success":false,"error":"Appointment not found in GHL","error_code":"APPOINTMENT_NOT_FOUND"}`

func TestBookFollowsRequests(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	a := r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	if want := `{"success":true,"appointment_id":"ghl_000001","message":"Appointment created successfully"}`; a.status != 200 || a.body != want {
		t.Fatalf("create: %d %s, want %s", a.status, a.body, want)
	}
	booked := r.Appointments()
	if len(booked) != 1 || booked[0].SentraEventID != "e1" || booked[0].ClientID != 456 || booked[0].EventTitle != "Onboarding Session" {
		t.Fatalf("after the create: %+v", booked)
	}

	moved := strings.ReplaceAll(body(ghl.Updated, "e1", "ghl_000001"), `"start_time":"10:00"`, `"start_time":"10:30"`)
	if a := r.mustSend(t, "d2", moved); a.status != 200 || !strings.Contains(a.body, "ghl_000001") {
		t.Fatalf("update: %+v", a)
	}
	if now := r.AppointmentsOf("e1"); len(now) != 1 || now[0].StartTime != "10:30" || now[0].Changes != 1 {
		t.Fatalf("after the update: %+v", now)
	}

	// Without the id it is found by event.
	if a := r.mustSend(t, "d3", body(ghl.Deleted, "e1", "")); !strings.Contains(a.body, `"success":true`) {
		t.Fatalf("delete: %+v", a)
	}
	if left := r.Appointments(); len(left) != 0 {
		t.Fatalf("after the delete: %+v", left)
	}
	for key, op := range map[string]ghl.Operation{"d4": ghl.Updated, "d5": ghl.Deleted} {
		if a := r.mustSend(t, key, body(op, "e1", "ghl_000001")); a.status != 200 || a.body != notFound {
			t.Errorf("%s of nothing: %+v", op, a)
		}
	}
	got := r.Stats()
	want := sandbox.Stats{
		Requests: 5, Created: 1, Updated: 2, Deleted: 2, Answered: 5, Acted: 3,
		NotFound: 2, NoDeletes: 1, MaxInFlight: 1, MaxInFlightPerEvent: 1,
	}
	if got != want {
		t.Errorf("stats %+v\nwant  %+v", got, want)
	}
}

func TestSecondCreateIsDouble(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	first := r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	if again := r.mustSend(t, "d1", body(ghl.Created, "e1", "")); again.body != first.body {
		t.Errorf("same key: %s, first was %s", again.body, first.body)
	}
	if s := r.Stats(); s.Doubles != 0 || s.Replays != 1 || s.Live != 1 || s.Acted != 1 {
		t.Errorf("after the repetition: %+v", s)
	}
	r.mustSend(t, "d2", body(ghl.Created, "e1", ""))
	if s := r.Stats(); s.Doubles != 1 || s.Live != 2 {
		t.Errorf("after the double: %+v", s)
	}
	if list := r.AppointmentsOf("e1"); len(list) != 2 || list[0].Double || !list[1].Double {
		t.Errorf("appointments %+v", list)
	}
	if log := r.Requests(); !log[1].Replay || log[1].Acted || !log[2].Double || log[2].BookedID != "ghl_000002" {
		t.Errorf("log %+v", log)
	}
}

func TestReceiverThatIgnoresKeys(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{IgnoreIdempotencyKeys: true})
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	if s := r.Stats(); s.Doubles != 1 || s.Replays != 0 || s.Live != 2 {
		t.Errorf("%+v", s)
	}
}

func TestCreateAfterDeleteIsNoDouble(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	r.mustSend(t, "d2", body(ghl.Deleted, "e1", "ghl_000001"))
	r.mustSend(t, "d3", body(ghl.Created, "e1", ""))
	if s := r.Stats(); s.Doubles != 0 || s.Live != 1 {
		t.Errorf("%+v", s)
	}
}

func TestPutAndRemoveAsPersonInGHL(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	if id := r.Put(sandbox.Appointment{ID: "ghl_000001"}); id != "ghl_000001" {
		t.Fatalf("put gave %q", id)
	}
	// An id that is taken is passed over, and an adopted appointment becomes the event's.
	if a := r.mustSend(t, "d1", body(ghl.Created, "e1", "")); !strings.Contains(a.body, "ghl_000002") {
		t.Errorf("create: %s", a.body)
	}
	r.mustSend(t, "d2", body(ghl.Updated, "e2", "ghl_000001"))
	if list := r.AppointmentsOf("e2"); len(list) != 1 || list[0].ID != "ghl_000001" {
		t.Errorf("adopted: %+v", list)
	}
	if !r.Remove("ghl_000001") || r.Remove("ghl_000001") {
		t.Error("an appointment can be removed once")
	}
	r.call(t, http.MethodDelete, "/sandbox/appointments/ghl_000002", "", http.StatusNoContent, nil)
	r.call(t, http.MethodDelete, "/sandbox/appointments/ghl_000002", "", http.StatusNotFound, nil)
	if s := r.Stats(); s.Live != 0 || s.Violations != 0 {
		t.Errorf("%+v", s)
	}
}

func TestAppointmentOfAnotherEventIsViolation(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	if a := r.mustSend(t, "d2", body(ghl.Deleted, "e2", "ghl_000001")); a.status != 422 {
		t.Errorf("%+v", a)
	}
	if s := r.Stats(); s.Live != 1 || s.Violations != 1 {
		t.Errorf("%+v", s)
	}
}
