package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// watched is what the status document says of the source.
type watched struct {
	Health  string   `json:"health"`
	Reasons []string `json:"reasons"`
	Daemon  struct {
		Phase string `json:"phase"`
	} `json:"daemon"`
	Canary *struct {
		RoundTripMS    *float64 `json:"round_trip_ms"`
		WaitingSeconds *float64 `json:"waiting_seconds"`
	} `json:"canary"`
	Slot *struct {
		WALBytesPerSecond *int64 `json:"wal_bytes_per_second"`
		WALLeftBytes      *int64 `json:"wal_left_bytes"`
		WALLeftSeconds    *int64 `json:"wal_left_seconds"`
	} `json:"slot"`
}

func (w watched) phase() string { return w.Daemon.Phase }

func (r *rig) watched() (w watched) {
	r.t.Helper()
	resp, err := http.Get("http://" + r.addr() + "/api/v1/status")
	if err != nil {
		return w // the daemon is between two states: the caller polls
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(&w); err != nil {
		r.t.Fatal(err)
	}
	return w
}

// gap makes one change of each kind that the stream never shows, while the table
// is out of the publication.
func (r *rig) gap(open, shut string) {
	r.t.Helper()
	r.insert("edited", "onboarding", "Before")
	r.insert("deleted", "handover", "Deleted")
	r.caughtUp()
	r.db.Exec(r.t, open)
	r.insert("missed", "onboarding", "Missed")
	r.db.Exec(r.t, "UPDATE calendar_events SET title = 'After' WHERE id = 'edited'")
	r.db.Exec(r.t, "DELETE FROM calendar_events WHERE id = 'deleted'")
	r.db.Exec(r.t, shut)
}

// A hole that opens and closes while the stream goes on is found, and a snapshot
// finds what fell into it, the deletion included. Nothing is created twice.
func TestDriftUnderTheStream(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ open, shut string }{
		"table re-added":   {"ALTER PUBLICATION ghlsync DROP TABLE calendar_events", "ALTER PUBLICATION ghlsync ADD TABLE calendar_events"},
		"table left out":   {"ALTER PUBLICATION ghlsync DROP TABLE calendar_events", "SELECT 1"},
		"publication gone": {"DROP PUBLICATION ghlsync", "SELECT 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.start()
			r.gap(c.open, c.shut)
			r.until("the missed event is known", func() bool { return r.mapping("missed") != nil })
			r.ready()
			r.caughtUp()
			r.same()
			if n := r.ghl.Stats().Doubles; n > 0 {
				t.Errorf("%d appointments were made twice", n)
			}
		})
	}
}

func TestTableIsMadeAnewUnderTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.insert("kept", "onboarding", "Kept")
	r.insert("gone", "onboarding", "Gone")
	r.caughtUp()
	r.db.Exec(t, `CREATE TABLE anew (LIKE calendar_events INCLUDING ALL);
		INSERT INTO anew SELECT * FROM calendar_events WHERE id <> 'gone';
		DROP TABLE calendar_events; ALTER TABLE anew RENAME TO calendar_events`)
	r.until("the gone event is retracted", func() bool { m := r.mapping("gone"); return m != nil && m.Wanted == "absent" })
	r.ready()
	r.caughtUp()
	r.same()
}

// Where nothing may be made or re-snapshot, the daemon stops with what to do.
func TestDriftStopsWhereToldTo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.proc.stop()
	r.set("CDC_CREATE=false")
	p := r.start()
	r.db.Exec(t, "ALTER PUBLICATION ghlsync DROP TABLE calendar_events")
	if code := p.wait(); code != 1 {
		t.Errorf("exit code %d", code)
	}
	for _, text := range []string{"does not publish the events table any more", "ALTER PUBLICATION", "ADD TABLE"} {
		if !strings.Contains(unquote(p.stderr.String()), text) {
			t.Errorf("the message lacks %q:\n%s", text, tail(p.stderr.String(), 2000))
		}
	}
}

func TestLostColumnShowsInHealth(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.db.Exec(t, "ALTER TABLE calendar_events DROP COLUMN end_time")
	r.until("health tells", func() bool {
		w := r.watched()
		return w.Health == "degraded" && slices.ContainsFunc(w.Reasons, func(s string) bool { return strings.Contains(s, "has lost its column end_time") })
	})
	r.db.Exec(t, "ALTER TABLE calendar_events ADD COLUMN end_time time NOT NULL DEFAULT '11:00'")
	r.until("health is well again", func() bool { return r.watched().Health == "ok" })
}

// On an idle table the canary tells how long a change takes; a server process
// that stands still shows as one that does not come through.
func TestCanaryTellsIdleFromStuck(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, postgres.Options{})
	r := newRigOn(t, pgtest.DatabaseOn(t, server), "CDC_CANARY=1s")
	r.start()
	r.until("a canary comes through", func() bool { w := r.watched(); return w.Canary != nil && w.Canary.RoundTripMS != nil })
	pid := r.walsender()
	signal(t, pid, syscall.SIGSTOP)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) }) // it may have ended
	r.until("a canary waits", func() bool {
		w := r.watched()
		return w.Canary != nil && w.Canary.WaitingSeconds != nil && *w.Canary.WaitingSeconds > 2
	})
	signal(t, pid, syscall.SIGCONT)
	r.until("none waits any more", func() bool { w := r.watched(); return w.Canary != nil && w.Canary.WaitingSeconds == nil })
}

// walsender is the process id of the server process that streams.
func (r *rig) walsender() int {
	r.t.Helper()
	pid, err := strconv.Atoi(r.db.QueryString(r.t, "SELECT active_pid::text FROM pg_replication_slots WHERE slot_name = '"+r.env["CDC_SLOT"]+"'"))
	if err != nil {
		r.t.Fatal(err)
	}
	return pid
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
}

// Status tells how long the WAL budget lasts, be it the server's or the
// operator's.
func TestWALBudget(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings map[string]string
		env      string
	}{
		"server's limit":   {map[string]string{"max_slot_wal_keep_size": "256MB"}, "CDC_WAL_BUDGET="},
		"operator's limit": {nil, "CDC_WAL_BUDGET=1GB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{Settings: c.settings})), c.env)
			r.start()
			r.until("the budget is told", func() bool {
				r.db.Exec(t, "SELECT pg_logical_emit_message(false, 'noise', repeat('x', 10000))")
				s := r.watched().Slot
				return s != nil && s.WALBytesPerSecond != nil && s.WALLeftBytes != nil && s.WALLeftSeconds != nil &&
					*s.WALLeftBytes > 100<<20 && *s.WALLeftSeconds > 0
			})
		})
	}
}
