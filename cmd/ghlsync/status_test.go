package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"ghlsync/internal/admin"
	"ghlsync/internal/mappingtest"
)

func (p place) files() (names []string) {
	p.t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (p place) status(code int) (s admin.Status) {
	p.t.Helper()
	if err := json.Unmarshal([]byte(p.expect(code, []string{"status", "--json"})), &s); err != nil {
		p.t.Fatal(err)
	}
	return s
}

func TestStatusOfADaemon(t *testing.T) {
	t.Parallel()
	p := withDaemon(t, "a-token", mappingtest.Synced("a"), mappingtest.Pending("b"))
	s := p.status(0)
	if s.Health != admin.OK || s.Daemon.Phase != admin.Streaming || s.Checkpoint.LSN != "0/16B3748" || s.Mappings.Total != 2 {
		t.Errorf("got %+v", s)
	}
	p.expect(0, []string{"status"}, "health      ok", "streaming since 2026-01-15T09:00:00Z", "2: 1 synced, 1 pending")

	p.env = []string{"STATE_URL=sqlite:state.db", "HTTP_TOKEN=another"}
	for _, args := range [][]string{{"status"}, {"mappings", "list"}, {"mappings", "retry", "--failed"}} {
		p.expect(2, args, "!HTTP_TOKEN")
	}
}

func TestStatusNotWell(t *testing.T) {
	t.Parallel()
	p := withDaemon(t, "", mappingtest.Failed("a"))
	if s := p.status(1); s.Health != admin.Degraded || !strings.Contains(s.Reasons[0], "1 event has failed") {
		t.Errorf("got %+v", s)
	}
	p.expect(1, []string{"status"}, "degraded", "- 1 event has failed")
}

func TestStatusWithTheDaemonDown(t *testing.T) {
	t.Parallel()
	p := withFile(t, mappingtest.Synced("a"), mappingtest.Failed("b"))
	p.env = append(p.env, "GHL_WEBHOOK_ENABLED=false", "SENTRA_DATABASE_URL=postgres://hunter2:hunter2@127.0.0.1:1/x")
	s := p.status(1)
	if s.Health != admin.Down || s.Reasons[0] != "no daemon is running" || s.Checkpoint.LSN != "0/16B3748" || s.Mappings.Total != 2 {
		t.Errorf("got %+v", s)
	}
	all := strings.Join(s.Reasons, "|")
	if !strings.Contains(all, "Webhook disabled") || !strings.Contains(all, "the source is not reachable") || strings.Contains(all, "hunter2") {
		t.Errorf("reasons: %s", all)
	}
}

// TestStatusOfASilentHolder: a process that has the state open and does not
// answer keeps nobody from looking, and nobody else from writing.
func TestStatusOfASilentHolder(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "STATE_URL=sqlite:state.db")
	store := mappingtest.Store(t, p.path("state.db"), mappingtest.Failed("a"))
	check := func(says string) {
		t.Helper()
		s := p.status(1)
		if s.Health != admin.Down || !strings.Contains(s.Reasons[0], says) || s.Mappings.Failed != 1 {
			t.Errorf("got %+v, want %q", s, says)
		}
		p.expect(0, []string{"mappings", "list", "--status", "failed"}, "CONTACT_NOT_FOUND")
	}
	check("does not serve HTTP (yet)")
	p.expect(1, []string{"mappings", "retry", "--failed"}, "!state is in use")
	if err := store.Announce("127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	check("does not answer at 127.0.0.1:1")
	p.expect(1, []string{"mappings", "retry", "--failed"}, "!the daemon does not answer at http://127.0.0.1:1")
}

func TestDamagedState(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "STATE_URL=sqlite:state.db")
	p.write("state.db", strings.Repeat("this is no database\n", 500))
	p.expect(1, []string{"mappings", "list"}, "!damaged")
	if s := p.status(1); s.Health != admin.Down {
		t.Errorf("got %+v", s)
	}
	p.expect(1, []string{"mappings", "retry", "--failed"}, "!damaged")
}
