package dashboard

import (
	"net/http"
	"strings"
	"testing"

	"ghlsync/internal/mappingtest"
	"ghlsync/internal/operate"
	"ghlsync/state"
)

func TestRetryOne(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.refused("unlucky")
	r.refused("other")
	v := r.visitor()
	v.get(eventURL("unlucky")).has(t, http.StatusOK, "<button>Retry</button>")
	a := v.post("/do/retry", "id", "unlucky", "back", eventURL("unlucky"))
	if a.has(t, http.StatusOK, "1 event is tried again."); a.Request.URL.Path != "/event" {
		t.Errorf("the form leads to %s", a.Request.URL)
	}
	r.is("unlucky", state.Synced)
	if r.status("other") != state.Failed {
		t.Error("another one was retried")
	}
	// What was done is told once.
	if again := v.get(a.Request.URL.RequestURI()); strings.Contains(again.body, "tried again") {
		t.Error("a reload tells it again")
	}
	if log := r.log.String(); !strings.Contains(log, "operator acted from a page") || !strings.Contains(log, "operation=retry count=1") || strings.Contains(log, "unlucky") {
		t.Errorf("the log says %s", log)
	}
}

func TestRetryTellsWhatWasLeft(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Untranslatable("no client"))
	r.refused("unlucky")
	r.visitor().post("/do/retry", "all", "1").has(t, http.StatusOK, "1 event is tried again. 1 was left as it is:",
		`<a href="/event?id=no&#43;client">no client</a>: its row cannot be translated (client_missing)`)
	r.is("unlucky", state.Synced)
	r.visitor().get(eventURL("no client")).has(t, http.StatusOK, `<button disabled aria-describedby="why-stuck">Retry</button>`)
}

func TestReleaseAndDrop(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Held("1"), mappingtest.Held("2"), mappingtest.Held("3"))
	v := r.visitor()
	v.get("/confirm/release?id=1&back=/mappings").has(t, http.StatusOK, "Release 1 held deletion?", "<code>1</code>", `href="/mappings"`)
	r.unsent()
	v.get("/confirm/drop").has(t, http.StatusOK, "Drop 3 held deletions?")
	v.post("/do/drop", "id", "2").has(t, http.StatusOK, "1 deletion was dropped")
	if m, err := r.store.Get(t.Context(), "2"); err != nil || m.Hold != state.Kept {
		t.Errorf("the dropped one: %+v, %v", m, err)
	}
	r.unsent()
	v.post("/do/release", "all", "1").has(t, http.StatusOK, "2 deletions go out to GHL.")
	r.until("two deletes were sent", func() bool { return r.ghl.Stats().Requests == 2 })
	v.get("/confirm/retry").has(t, http.StatusNotFound)
}

// unsent checks that no call has left.
func (r *rig) unsent() {
	r.t.Helper()
	if n := r.ghl.Stats().Requests; n != 0 {
		r.t.Errorf("%d calls have left", n)
	}
}

func TestPauseWithoutAScript(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	v := r.visitor()
	v.post("/do/resume").has(t, http.StatusOK, "Nothing to do")
	v.post("/do/pause").has(t, http.StatusOK, "Delivery is paused")
	r.want("event-1")
	v.post("/do/pause").has(t, http.StatusOK, "was paused before")
	r.unsent()
	v.post("/do/resume").has(t, http.StatusOK, "Delivery goes on.")
	r.is("event-1", state.Synced)
	if log := r.log.String(); strings.Count(log, "operator acted") != 2 || !strings.Contains(log, "operation=pause") {
		t.Errorf("the log says %s", log)
	}
}

func TestWrongForms(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Failed("failed"), mappingtest.Held("held"))
	v := r.visitor()
	for _, path := range []string{"/do/retry", "/do/release", "/do/drop"} {
		v.post(path).has(t, http.StatusBadRequest, "takes either event ids or")
	}
	v.post("/do/retry", "id", "nobody").has(t, http.StatusOK, "Nothing was changed. 1 was left as it is:", "there is no mapping for this event")
	v.ask(http.MethodPost, "/do/retry", "all=1&pad="+strings.Repeat("x", maxForm)).has(t, http.StatusBadRequest)
	r.unchanged()
	v.get("/do/retry").has(t, http.StatusNotFound)
	v.get("/event").has(t, http.StatusBadRequest, "the event id is empty")
	v.get("/mappings?status=wrong").has(t, http.StatusBadRequest, "status")
	v.get("/nowhere").has(t, http.StatusNotFound, "nothing at this address")
}

func TestReportsInWords(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]note{
		"2 events are tried again. 3 were left as they are:": told(operate.Retry, operate.Report{Done: 2, Left: 3}, nil),
		"Nothing was changed.":                               told(operate.Drop, operate.Report{}, nil),
		"1,234 deletions go out to GHL.":                     told(operate.Release, operate.Report{Done: 1234}, nil),
		"Disk is full. Before that: Nothing was changed.":    told(operate.Drop, operate.Report{}, errFull),
	} {
		if n.Text != want {
			t.Errorf("%q, want %q", n.Text, want)
		}
	}
}
