package sandbox_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

// receiver is what the sandbox calls back.
func receiver(t *testing.T) (url string, calls chan sandbox.Callback) {
	t.Helper()
	calls = make(chan sandbox.Callback, 16)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b sandbox.Callback
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil || r.Header.Get("Authorization") != "Bearer s" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		calls <- b
	}))
	t.Cleanup(s.Close)
	return s.URL, calls
}

func next(t *testing.T, calls chan sandbox.Callback) sandbox.Callback {
	t.Helper()
	select {
	case b := <-calls:
		return b
	case <-time.After(10 * time.Second):
		t.Fatal("no callback")
		return sandbox.Callback{}
	}
}

func TestCallbacks(t *testing.T) {
	t.Parallel()
	url, calls := receiver(t)
	r := start(t, sandbox.Options{Callbacks: sandbox.Callbacks{URL: url, Secret: "s", Copies: 2, Before: true}})
	r.mustSend(t, "d1", body(ghl.Created, "e", ""))
	if len(calls) != 2 {
		t.Fatalf("%d callbacks before the answer", len(calls))
	}
	want := sandbox.Callback{
		EventID: "e", Operation: ghl.Created, AppointmentID: "ghl_000001", CreatedAt: "2024-01-15T09:00:00Z", UpdatedAt: "2024-01-15T09:00:00Z", Success: true,
	}
	for range 2 {
		if got := next(t, calls); got != want {
			t.Errorf("got %+v", got)
		}
	}
	r.mustSend(t, "d1", body(ghl.Created, "e", "")) // a replay runs no workflow
	r.CallBack(sandbox.Callbacks{URL: url, Secret: "s", Held: true})
	r.mustSend(t, "d2", body(ghl.Updated, "e", "ghl_000001"))
	held := r.HeldCallbacks()
	if len(calls) != 0 || len(held) != 1 || held[0].Operation != ghl.Updated {
		t.Fatalf("%d sent, held %+v", len(calls), held)
	}
	if code, _, err := (sandbox.Callbacks{URL: url, Secret: "s"}).Send(t.Context(), held[0]); err != nil || code != http.StatusOK {
		t.Fatal(code, err)
	}
	next(t, calls)
	r.CallBack(sandbox.Callbacks{URL: url, Secret: "s", Delay: time.Millisecond})
	r.mustSend(t, "d3", body(ghl.Deleted, "e", "ghl_000001"))
	if got := next(t, calls); got.Operation != ghl.Deleted || got.CreatedAt != "" {
		t.Errorf("got %+v", got)
	}
	// What is still to be sent does not hold up the end.
	r.CallBack(sandbox.Callbacks{URL: url, Secret: "s", Delay: time.Hour})
	r.mustSend(t, "d4", body(ghl.Created, "e", ""))
}

// An appointment that no event has is deleted under its own name, and no other.
func TestOrphanIsDeleted(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.mustSend(t, "d1", body(ghl.Created, "e", ""))
	r.mustSend(t, "d2", body(ghl.Deleted, "orphan:ghl_000002", "ghl_000001"))
	if s := r.Stats(); s.Violations != 1 || s.Live != 1 {
		t.Fatalf("%+v", s)
	}
	r.mustSend(t, "d3", body(ghl.Deleted, "orphan:ghl_000001", "ghl_000001"))
	if s := r.Stats(); s.Violations != 1 || s.Live != 0 {
		t.Fatalf("%+v", s)
	}
}
