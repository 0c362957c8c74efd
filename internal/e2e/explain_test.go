package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

type explanation struct {
	Sentra struct {
		Asked   bool     `json:"asked"`
		Found   bool     `json:"found"`
		Verdict string   `json:"verdict"`
		Differs []string `json:"differs"`
	} `json:"sentra"`
	Story []string `json:"story"`
}

func (r *rig) explain(id string) (e explanation, text string) {
	r.t.Helper()
	out, errs, code := r.run("mappings", "explain", id, "--json")
	if code != 0 {
		r.t.Fatalf("explain exits %d: %s", code, errs)
	}
	if err := json.Unmarshal([]byte(out), &e); err != nil {
		r.t.Fatal(err)
	}
	return e, strings.Join(e.Story, "\n")
}

// Explain asks Sentra, with the daemon up and down, and tells where what is wanted
// differs from what Sentra has by now, without a value of the row.
func TestExplain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.insert("shown", "onboarding", "Bait-Title")
	r.insert("other", "firstdraft", "Bait-Title")
	r.caughtUp()
	check := func() {
		t.Helper()
		if e, text := r.explain("shown"); e.Sentra.Verdict != "show" || len(e.Sentra.Differs) > 0 || !strings.Contains(text, "GHL has exactly that") {
			t.Errorf("shown: %+v", e)
		}
		if e, text := r.explain("other"); e.Sentra.Verdict != "out_of_scope" || !strings.Contains(text, "no mapping") {
			t.Errorf("other: %+v", e)
		}
		if e, _ := r.explain("nobody"); !e.Sentra.Asked || e.Sentra.Found || e.Sentra.Verdict != "gone" {
			t.Errorf("nobody: %+v", e)
		}
	}
	check()
	r.proc.stop()
	check()
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Bait-Later' WHERE id = 'shown'")
	r.db.Exec(t, "UPDATE clients SET email = 'bait-later@example.com' WHERE id = 1")
	e, text := r.explain("shown")
	if strings.Join(e.Sentra.Differs, " ") != "client_email event_title" || !strings.Contains(text, "client_email, event_title") {
		t.Errorf("after a change that nobody captured: %+v", e)
	}
	if strings.Contains(strings.ToLower(text), "bait") {
		t.Errorf("a value is told: %s", text)
	}
}
