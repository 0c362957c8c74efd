package e2e

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"ghlsync/ghl/sandbox"
)

// The daemon's pages: what failed is retried from the form, and an open page does
// not keep the daemon from its end.
func TestDashboard(t *testing.T) {
	t.Parallel()
	r := newRig(t, "CDC_WAL_BUDGET=1GB")
	p := r.start()
	r.faults(sandbox.Rule{Event: "unlucky", Effect: sandbox.EffectFailure, Code: "CONTACT_NOT_FOUND"})
	r.insert("unlucky", "onboarding", "bait title")
	r.until("GHL has refused it", func() bool { m := r.mapping("unlucky"); return m != nil && m.Status == "failed" })
	r.faults()
	r.until("the page tells of it", func() bool {
		page := r.page("/")
		return strings.Contains(page, "Retry failed (1)") && strings.Contains(page, "of a budget of 1.0 GiB")
	})
	if page := r.page("/event?id=unlucky"); !strings.Contains(page, "Sentra has it with type &#34;onboarding&#34;") || !strings.Contains(page, "bait title") {
		t.Errorf("the page of the event reads\n%s", page)
	}
	live, err := http.Get("http://" + r.addr() + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = live.Body.Close() }()
	resp, err := http.PostForm("http://"+r.addr()+"/do/retry", url.Values{"all": {"1"}, "back": {"/"}})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(text), "1 event is tried again.") {
		t.Errorf("after the retry: %v\n%s", err, text)
	}
	_ = resp.Body.Close()
	r.caughtUp()
	r.same()
	if code, _ := p.stop(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, tail(p.stderr.String(), 3000))
	}
	if text, err := io.ReadAll(live.Body); err != nil || !strings.Contains(string(text), "event: frame") {
		t.Errorf("the stream was cut: %v\n%s", err, text)
	}
	if log := p.stderr.String(); strings.Contains(log, "bait title") || !strings.Contains(log, "operator acted from a page") {
		t.Errorf("the log says\n%s", tail(log, 3000))
	}
}

// page is a page of the running daemon.
func (r *rig) page(path string) string {
	r.t.Helper()
	resp, err := http.Get("http://" + r.addr() + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}
