package e2e

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/callback"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
)

const callbackSecret = "callback-secret-0123456789"

// A real workflow's answer names no appointment, and its delete finds none.
var (
	asGHL          = sandbox.Rule{Effect: sandbox.EffectReal}
	deletesNothing = sandbox.Rule{Operation: ghl.Deleted, Effect: sandbox.EffectReal, Act: sandbox.ActNo, Count: 1}
)

// calledBack is a rig whose GHL answers as a workflow does and calls back.
func calledBack(t *testing.T, how sandbox.Callbacks, env ...string) (*rig, sandbox.Callbacks) {
	t.Helper()
	r := newRig(t, append(env, "CALLBACK_SECRET="+callbackSecret)...)
	r.faults(asGHL)
	r.start()
	how.URL, how.Secret = "http://"+r.addr()+"/callbacks/ghl", callbackSecret
	r.ghl.CallBack(how)
	return r, how
}

// insertAt is insert with a time of creation.
func (r *rig) insertAt(id, created string) {
	r.t.Helper()
	r.db.Exec(r.t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type, created_at)
		VALUES ($1, 1, 'Title', '2030-05-01', '2030-05-01', '10:00', '11:00', 'Described', 'onboarding', $2)`, id, created)
}

// has waits until the mapping has an appointment, and returns it.
func (r *rig) has(id string) (appointment string) {
	r.t.Helper()
	r.until(id+" has an appointment", func() bool {
		m := r.mapping(id)
		if m == nil || m.AppointmentID == nil {
			return false
		}
		appointment = *m.AppointmentID
		return true
	})
	return appointment
}

// held waits for the first callback of an event that the sandbox holds back. Others
// come beside it: of the events that were there, and of those that rigs wait by.
func (r *rig) held(id string) (held sandbox.Callback) {
	r.t.Helper()
	r.until("the callback of "+id+" is there", func() bool {
		for _, b := range r.ghl.HeldCallbacks() {
			if b.EventID == id {
				held = b
				return true
			}
		}
		return false
	})
	return held
}

func (r *rig) send(how sandbox.Callbacks, b sandbox.Callback, want string) {
	r.t.Helper()
	code, text, err := how.Send(r.t.Context(), b)
	if err != nil || code/100 != 2 || !strings.Contains(text, want) {
		r.t.Fatalf("callback: %d %s %v, want %s", code, text, err, want)
	}
}

// The mapping learns its appointment from the workflow, whether it reports behind
// the answer or before it, once or twice; the next calls name it.
func TestCallbackTellsTheAppointment(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]sandbox.Callbacks{
		"late and twice":    {Delay: 50 * time.Millisecond, Copies: 2},
		"before the answer": {Before: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := calledBack(t, how, "HTTP_TOKEN=")
			r.insert("event-1", "onboarding", "First")
			id := r.has("event-1")
			if book := r.ghl.AppointmentsOf("event-1"); len(book) != 1 || book[0].ID != id {
				t.Fatalf("the mapping has %s, the book %+v", id, book)
			}
			r.db.Exec(t, "UPDATE calendar_events SET title = 'Second' WHERE id = 'event-1'")
			r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'event-1'")
			r.caughtUp()
			for _, q := range r.ghl.RequestsAfter(1, 0) {
				if q.EventID == "event-1" && q.Operation != ghl.Created && q.AppointmentID != id {
					t.Errorf("%s names %q", q.Operation, q.AppointmentID)
				}
			}
			r.same()
		})
	}
}

// A create whose answer is lost is settled by the workflow's report, behind the loss
// or before it: nobody waits for GHL_SETTLE, and nothing is created again.
func TestCallbackSettlesACreate(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]sandbox.Callbacks{
		"behind the loss": {Delay: 200 * time.Millisecond},
		"before it":       {Before: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _ := calledBack(t, how, "GHL_SETTLE=1h")
			r.caughtUp()
			r.faults(sandbox.Rule{Operation: ghl.Created, Event: "event-1", Effect: sandbox.EffectDropAfter, Count: 1}, asGHL)
			r.insert("event-1", "onboarding", "First")
			r.caughtUp()
			if id := r.has("event-1"); len(r.ghl.AppointmentsOf("event-1")) != 1 {
				t.Errorf("the mapping has %s, the book %+v", id, r.ghl.AppointmentsOf("event-1"))
			}
			r.same()
		})
	}
}

// A workflow that is slow makes its appointment after the event was deleted, and
// another event has its id by then: that appointment is deleted, over a crash, and
// the new event keeps its own.
func TestLateCallbackOfAFormerEvent(t *testing.T) {
	t.Parallel()
	r, how := calledBack(t, sandbox.Callbacks{Held: true})
	r.insertAt("event-1", "2020-01-01T00:00:00Z")
	r.caughtUp()
	first := r.held("event-1")
	r.faults(deletesNothing, asGHL)
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'event-1'")
	r.caughtUp()
	r.insertAt("event-1", "2020-01-02T00:00:00Z")
	r.caughtUp()
	var second sandbox.Callback
	for _, b := range r.ghl.HeldCallbacks() {
		if b.EventID == "event-1" && b.AppointmentID != first.AppointmentID {
			second = b
		}
	}
	// GHL is away, so the deletion has to outlive the daemon.
	r.faults(sandbox.Rule{Status: 503})
	r.send(how, first, "orphaned")
	r.send(how, first, "known")
	r.send(how, second, "learned")
	r.proc.kill()
	r.faults(asGHL)
	r.start()
	r.caughtUp()
	if book := r.ghl.AppointmentsOf("event-1"); len(book) != 1 || book[0].ID != second.AppointmentID {
		t.Errorf("GHL has %+v, want %s alone", book, second.AppointmentID)
	}
	if m := r.mapping("event-1"); m.AppointmentID == nil || *m.AppointmentID != second.AppointmentID || m.Status != "synced" {
		t.Errorf("the event has %+v", m)
	}
	if m := r.mapping(string(state.OrphanID(first.AppointmentID))); m == nil || m.Wanted != "absent" {
		t.Errorf("the orphan is %+v", m)
	}
	how.URL = "http://" + r.addr() + "/callbacks/ghl"
	r.send(how, first, "retired")
	r.same()
}

// For an event that is gone, the appointment that comes too late is deleted by its
// id.
func TestLateCallbackOfADeletedEvent(t *testing.T) {
	t.Parallel()
	r, how := calledBack(t, sandbox.Callbacks{Held: true})
	r.insert("event-1", "onboarding", "First")
	r.caughtUp()
	r.faults(deletesNothing, asGHL)
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'event-1'")
	r.caughtUp()
	if n := len(r.ghl.AppointmentsOf("event-1")); n != 1 {
		t.Fatalf("GHL has %d appointments", n)
	}
	r.send(how, r.held("event-1"), "learned")
	r.caughtUp()
	r.until("GHL has none", func() bool { return len(r.ghl.AppointmentsOf("event-1")) == 0 })
	r.same()
}

// A failure that the workflow reports later parks the event, until somebody
// retries; one that is about an older state of it does not.
func TestCallbackOfAFailure(t *testing.T) {
	t.Parallel()
	r, how := calledBack(t, sandbox.Callbacks{Held: true})
	r.insert("event-1", "onboarding", "First")
	r.caughtUp()
	failed := r.held("event-1")
	failed.Success, failed.AppointmentID, failed.ErrorCode = false, "", "NO_SLOT"
	stale := failed
	stale.UpdatedAt = "2029-01-01T00:00:00Z"
	r.send(how, stale, "stale")
	if m := r.mapping("event-1"); m.Status != "synced" {
		t.Fatalf("%+v", m)
	}
	r.ghl.Remove(r.ghl.AppointmentsOf("event-1")[0].ID) // it was never made
	r.send(how, failed, "parked")
	if m := r.mapping("event-1"); m.Status != "failed" || m.Error == nil || *m.Error != "NO_SLOT" {
		t.Fatalf("%+v", m)
	}
	if _, text := r.explain("event-1"); !strings.Contains(text, "failed with NO_SLOT") {
		t.Errorf("explained as %s", text)
	}
	if _, errs, code := r.run("mappings", "retry", "event-1"); code != 0 {
		t.Fatal(errs)
	}
	r.caughtUp()
	r.same()
}

// Who does not know the secret, or sends again what was signed long ago, gets
// nothing in; nobody needs HTTP_TOKEN; and without a secret there is no route.
func TestWhoMayCallBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, "CALLBACK_SECRET="+callbackSecret, "HTTP_TOKEN=another-token")
	r.faults(asGHL)
	r.start()
	r.insert("event-1", "onboarding", "First")
	r.until("the event is in GHL", func() bool { return len(r.ghl.AppointmentsOf("event-1")) == 1 })
	body := `{"sentra_event_id":"event-1","appointment_id":"` + r.ghl.AppointmentsOf("event-1")[0].ID + `"}`
	signed := func(secret string, age time.Duration) http.Header {
		h := http.Header{}
		callback.NewSecret(secret).Sign(h, []byte(body), time.Now().Add(-age))
		return h
	}
	bearer := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	right := bearer(callbackSecret)
	for _, c := range []struct {
		name, path, body string
		header           http.Header
		code             int
		contains         string
	}{
		{"no secret", "/callbacks/ghl", body, nil, http.StatusUnauthorized, "secret"},
		{"HTTP_TOKEN", "/callbacks/ghl", body, bearer("another-token"), http.StatusUnauthorized, "secret"},
		{"replay", "/callbacks/ghl", body, signed(callbackSecret, 6*time.Minute), http.StatusUnauthorized, "timestamp"},
		{"forgery", "/callbacks/ghl", body, signed("callback-secret-012345678X", 0), http.StatusUnauthorized, "signature"},
		{"unknown event", "/callbacks/ghl", `{"sentra_event_id":"nobody","appointment_id":"x"}`, right, http.StatusAccepted, "unknown_event"},
		{"too large", "/callbacks/ghl", strings.Repeat("x", callback.MaxBody+1), right, http.StatusRequestEntityTooLarge, "too large"},
		{"no app", "/callbacks/ghl/app", body, right, http.StatusNotFound, "nothing"},
		{"signed", "/callbacks/ghl", body, signed(callbackSecret, 0), http.StatusOK, "learned"},
		{"again", "/callbacks/ghl", body, right, http.StatusOK, "known"},
	} {
		if code, text := r.post(c.path, c.body, c.header); code != c.code || !strings.Contains(text, c.contains) {
			t.Errorf("%s: %d %s, want %d with %q", c.name, code, text, c.code, c.contains)
		}
	}
	if text := r.proc.stderr.String(); strings.Contains(text, callbackSecret) {
		t.Error("the secret is logged")
	}
	r.proc.stop()
	r.set("CALLBACK_SECRET=")
	r.start()
	if code, text := r.post("/callbacks/ghl", body, right); code != http.StatusNotFound {
		t.Errorf("without a secret: %d %s", code, text)
	}
}

func (r *rig) post(path, body string, header http.Header) (int, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, "http://"+r.addr()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// An appointment that somebody deletes in GHL is told of, and made again where
// that is wished.
func TestDriftInGHL(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, "GHL_APP_PUBLIC_KEY="+base64.StdEncoding.EncodeToString(public))
	r.start()
	r.insert("event-1", "onboarding", "First")
	r.caughtUp()
	deletes := func(want string) {
		t.Helper()
		id := r.has("event-1")
		r.ghl.Remove(id)
		body := `{"type":"AppointmentDelete","locationId":"l","appointment":{"id":"` + id + `"}}`
		header := http.Header{}
		header.Set(callback.HeaderAppSignature, base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(body))))
		if code, text := r.post("/callbacks/ghl/app", body, header); code != http.StatusOK || !strings.Contains(text, want) {
			t.Fatalf("%d %s, want %s", code, text, want)
		}
		if code, _ := r.post("/callbacks/ghl/app", body+" ", header); code != http.StatusUnauthorized {
			t.Errorf("another body under that signature: %d", code)
		}
	}
	deletes("drifted")
	if _, text := r.explain("event-1"); !strings.Contains(text, "Somebody deleted the appointment in GHL") {
		t.Errorf("explained as %s", text)
	}
	if out, _, _ := r.run("mappings", "list", "--status", "drifted", "--json"); !containsID(out, "event-1") {
		t.Errorf("listed as %s", out)
	}
	if _, errs, code := r.run("mappings", "retry", "event-1"); code != 0 {
		t.Fatal(errs)
	}
	r.caughtUp()
	r.same()
	r.proc.stop()
	r.set("GHL_DRIFT=restore")
	r.start()
	deletes("restored")
	r.caughtUp()
	r.same()
}
