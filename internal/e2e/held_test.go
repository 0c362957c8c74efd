package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// holdCommit commits the event 'late' with a client of its own under synchronous
// replication without a standby: the stream shows it, and nobody else sees it
// before release. It returns when the daemon asks for the client. The server must
// be the test's own.
func (r *rig) holdCommit() (release func()) {
	r.t.Helper()
	r.db.Exec(r.t, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	r.db.Exec(r.t, "SELECT pg_reload_conf()")
	r.db.Await(r.t, "nobody", "SHOW synchronous_standby_names")
	conn := r.db.Conn(r.t)
	committed := make(chan error, 1)
	go func() {
		_, err := conn.Exec(context.WithoutCancel(r.t.Context()), `BEGIN;
			INSERT INTO clients (id, name, business_name, email, username, password) VALUES (900, 'Late', 'Late', 'late@example.com', 'u', 'p');
			INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
			VALUES ('late', 900, 'Late', '2030-01-01', '2030-01-01', '09:00', '10:00', 'onboarding');
			COMMIT`)
		committed <- err
	}()
	r.db.Await(r.t, "1", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
	r.db.Await(r.t, "t", `SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'ghlsync%' AND query LIKE '%pg_current_snapshot%'`)
	return func() {
		r.t.Helper()
		r.db.Exec(r.t, "ALTER SYSTEM RESET synchronous_standby_names")
		r.db.Exec(r.t, "SELECT pg_reload_conf()")
		if err := <-committed; err != nil {
			r.t.Fatal(err)
		}
	}
}

// TestCommitNotVisibleYet: the stream shows a commit long before anybody else sees
// it. The look-up waits instead of missing the client.
func TestCommitNotVisibleYet(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{})))
	r.start()
	r.caughtUp()
	release := r.holdCommit()
	if m := r.mapping("late"); m != nil {
		t.Errorf("the event is %+v before its commit is visible", m)
	}
	release()
	r.caughtUp()
	r.same()
}

// TestNoCallBeginsWhileCaptureStops: capture finishes what it has in hand, for some
// seconds, and delivery begins nothing meanwhile.
func TestNoCallBeginsWhileCaptureStops(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{})), "GHL_CONCURRENCY=1", "GHL_TIMEOUT=15s")
	r.start()
	r.caughtUp()
	r.faults(sandbox.Rule{Event: "slow", DelayAfter: 3 * time.Second})
	r.insert("slow", "onboarding", "In flight")
	r.until("the call is in flight", func() bool { return r.requests("slow") == 1 })
	r.insert("next", "onboarding", "Due")
	r.until("another event is due", func() bool { return r.mapping("next") != nil })
	release := r.holdCommit()
	r.proc.stop()
	if n := r.requests("next"); n != 0 {
		t.Errorf("%d calls began after the signal", n)
	}
	if out, _, _ := r.run("mappings", "show", "slow", "--json"); !strings.Contains(out, `"sync_status": "synced"`) {
		t.Errorf("slow was not waited for:\n%s", out)
	}
	release()
	r.start()
	r.caughtUp()
	r.same()
	if n := r.ghl.Stats().Doubles; n != 0 {
		t.Errorf("%d doubles", n)
	}
}

// A canary does not wait for standbys, as commits under synchronous replication do:
// while they are away, look-ups and the watch would wait behind it.
func TestCanaryWaitsForNoStandby(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{})), "CDC_CANARY=1s")
	r.start()
	release := r.holdCommit()
	// The stream waits for the held commit, and what comes behind it with it.
	r.until("a canary is under way", func() bool { c := r.watched().Canary; return c != nil && c.WaitingSeconds != nil })
	if n := r.db.QueryString(t, "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name LIKE 'ghlsync%'"); n != "0" {
		t.Errorf("%s sessions of ours wait for a standby", n)
	}
	release()
	r.until("it comes through", func() bool {
		c := r.watched().Canary
		return c != nil && c.RoundTripMS != nil && c.WaitingSeconds == nil
	})
}
