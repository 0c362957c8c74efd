package e2e

import (
	"slices"
	"strings"
	"testing"
)

// Paused by an operator, delivery sends nothing, over a restart too; capture goes
// on, the slot moves, and what gathered goes out once when it is resumed.
func TestPauseSurvivesARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.caughtUp()
	do := func(command, says string) {
		t.Helper()
		if out, errs, code := r.run(command); code != 0 || !strings.Contains(out, says) {
			t.Fatalf("%s: exit code %d, %s%s", command, code, out, errs)
		}
	}
	do("pause", "delivery is paused")
	before := r.ghl.Stats().Requests
	r.insert("event-1", "onboarding", "First")
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Second' WHERE id = 'event-1'")
	r.captured()
	end := r.db.QueryString(t, "SELECT pg_current_wal_lsn()::text")
	r.until("the slot moves on", func() bool {
		return r.db.QueryString(t, "SELECT (confirmed_flush_lsn >= $1::pg_lsn)::text FROM pg_replication_slots WHERE slot_name = $2", end, r.env["CDC_SLOT"]) == "true"
	})
	r.proc.stop()
	r.start()
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Third' WHERE id = 'event-1'")
	r.captured()
	if s := r.watched(); s.Health != "degraded" || !slices.ContainsFunc(s.Reasons, func(s string) bool { return strings.Contains(s, "an operator paused it") }) {
		t.Errorf("health is %s %q", s.Health, s.Reasons)
	}
	if n := r.ghl.Stats().Requests; n != before {
		t.Errorf("%d calls while paused", n-before)
	}
	do("resume", "delivery goes on")
	r.caughtUp()
	r.same()
	if n := r.requests("event-1"); n != 1 {
		t.Errorf("%d calls for an event that was wanted three times while paused", n)
	}
}
