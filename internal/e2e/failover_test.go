package e2e

import (
	"fmt"
	"strings"
	"testing"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// pair is a primary with a standby, and a daemon that has the addresses of both.
type pair struct {
	*rig
	primary, standby *postgres.Server
}

func newPair(t *testing.T, settings map[string]string, env ...string) *pair {
	t.Helper()
	primary := pgtest.Own(t, postgres.Options{})
	db := pgtest.DatabaseOn(t, primary)
	p := &pair{rig: newRigOn(t, db, env...), primary: primary}
	p.standby = pgtest.Standby(t, primary, db.Name, settings)
	p.set(fmt.Sprintf("SENTRA_DATABASE_URL=postgres://postgres@127.0.0.1:%d,127.0.0.1:%d/%s?sslmode=disable&target_session_attrs=read-write",
		primary.Port(), p.standby.Port(), db.Name))
	return p
}

// fail ends the primary for good and promotes the standby, which has received all
// that was committed before.
func (p *pair) fail() {
	p.t.Helper()
	end := p.db.QueryString(p.t, "SELECT pg_current_wal_flush_lsn()")
	p.primary.Kill()
	p.db = p.db.On(p.t, p.standby)
	p.db.Await(p.t, "t", "SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn", end)
	p.db.Exec(p.t, "SELECT pg_promote()")
}

// synchronised waits until the standby has the slot. It takes it once the primary's has
// come past where its own copy begins: some traffic saves the wait for the server's own
// records, every 15 s.
func (p *pair) synchronised() {
	p.t.Helper()
	standby := p.db.On(p.t, p.standby)
	p.until("the slot is synchronised", func() bool {
		p.db.Exec(p.t, "SELECT pg_log_standby_snapshot()")
		p.captured()
		return standby.QueryString(p.t, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1 AND synced AND failover AND NOT temporary",
			p.env["CDC_SLOT"]) == "1"
	})
}

// A slot that was synchronised to the standby carries the stream over: what Sentra
// committed before the failover while nobody looked comes from the new primary, and
// no snapshot is needed. Before Postgres 17 the daemon says that it cannot be.
func TestFailoverWithTheSlot(t *testing.T) {
	t.Parallel()
	if pgtest.Major(t) < 17 {
		r := newRig(t, "CDC_SLOT_FAILOVER=true")
		r.start()
		if !strings.Contains(r.proc.stderr.String(), "slot will not survive a failover") {
			t.Error("nobody says that CDC_SLOT_FAILOVER does nothing")
		}
		return
	}
	p := newPair(t, map[string]string{"sync_replication_slots": "on"}, "CDC_SLOT_FAILOVER=true")
	p.db.Exec(t, "ALTER SYSTEM SET synchronized_standby_slots = '"+pgtest.StandbySlot+"'")
	p.db.Exec(t, "SELECT pg_reload_conf()")
	p.start()
	for i := range 3 {
		p.insert(fmt.Sprintf("event-%d", i), "onboarding", "First")
	}
	p.caughtUp()
	p.synchronised()
	p.standby.Halt(t.Context()) // and what commits now has to wait for it
	p.insert("waits", "handover", "Waits for the standby")
	if out, _, _ := p.run("doctor"); !strings.Contains(out, "which is not connected: our stream waits for it") {
		t.Errorf("the doctor does not say that the stream waits:\n%s", out)
	}
	if p.mapping("waits") != nil {
		t.Error("an event came that the standby has not got")
	}
	if err := p.standby.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.caughtUp()
	p.proc.stop()
	p.missed()
	p.fail()
	p.start()
	p.insert("after", "onboarding", "After")
	p.caughtUp()
	p.same()
	p.noDoubles()
	if said := p.proc.stderr.String(); strings.Contains(said, "snapshot") {
		t.Errorf("a snapshot was taken, although the slot was carried over:\n%s", said)
	}
}

// Without its slot on the new primary the daemon, which runs all the time, makes a
// new one there and heals by a snapshot.
func TestFailoverWithoutTheSlot(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	p.start()
	for i := range 3 {
		p.insert(fmt.Sprintf("event-%d", i), "onboarding", "First")
	}
	p.caughtUp()
	p.fail()
	p.missed()
	p.until("the hole is healed", func() bool {
		return strings.Contains(unquote(p.proc.stderr.String()), "slot "+p.env["CDC_SLOT"]+" does not exist any more")
	})
	p.ready()
	p.insert("after", "onboarding", "After")
	p.caughtUp()
	p.same()
	p.noDoubles()
}

// The old primary comes back after the failover, and is all that the daemon reaches:
// nothing is taken from it, and what only the new one has stays in GHL. With the new
// one's address it goes on.
func TestOldPrimaryIsRefused(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil)
	both := p.env["SENTRA_DATABASE_URL"]
	old := p.db
	p.start()
	p.insert("before", "onboarding", "Before")
	p.caughtUp()
	p.fail()
	p.ready()
	p.until("the hole is healed", func() bool { return strings.Contains(unquote(p.proc.stderr.String()), "does not exist any more") })
	p.insert("after", "onboarding", "After")
	p.caughtUp()
	p.proc.stop()
	if err := p.primary.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.set("SENTRA_DATABASE_URL=" + old.URL)
	p.launch()
	p.until("the old primary is refused", func() bool {
		return strings.Contains(unquote(p.proc.stderr.String()), "the primary from before a failover")
	})
	p.proc.stop()
	if out, errs, code := p.run("setup", "--accept-source"); code != 1 || !strings.Contains(out, "timeline 2") || !strings.Contains(out, "timeline 1") {
		t.Errorf("an operator is not shown what would be accepted: %d\n%s%s", code, out, errs)
	}
	p.primary.Halt(t.Context())
	p.set("SENTRA_DATABASE_URL=" + both)
	p.start()
	p.insert("last", "onboarding", "Last")
	p.caughtUp()
	p.same()
	p.noDoubles()
}

// The standby that is promoted lacks what we have seen: with its slot, where there is
// one, or without, a snapshot takes out of GHL what Sentra lost.
func TestFailoverBehindTheCheckpoint(t *testing.T) {
	t.Parallel()
	settings, reason := map[string]string{}, "does not exist any more"
	var env []string
	synchronise := pgtest.Major(t) >= 17
	if synchronise {
		settings["sync_replication_slots"], reason = "on", "the promoted server lacks WAL that we have seen"
		env = []string{"CDC_SLOT_FAILOVER=true"}
	}
	p := newPair(t, settings, env...)
	p.start()
	p.insert("kept", "onboarding", "Kept")
	p.caughtUp()
	if synchronise {
		p.synchronised()
	}
	p.standby.Halt(t.Context())
	p.insert("lost", "handover", "Lost with the primary")
	p.captured()
	p.primary.Kill()
	if err := p.standby.StartAgain(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.db = p.db.On(t, p.standby)
	p.db.Exec(t, "SELECT pg_promote()")
	p.until("the hole is noticed", func() bool { return strings.Contains(unquote(p.proc.stderr.String()), reason) })
	p.ready()
	p.insert("after", "onboarding", "After")
	p.caughtUp()
	p.same()
	p.noDoubles()
}
