package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// Sentra moves to another server: the daemon stops until somebody accepts it, and
// then a snapshot finds what differs; nothing is doubled, what is gone is deleted.
func TestAcceptSource(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.insert("kept", "onboarding", "Kept")
	r.insert("gone", "onboarding", "Gone")
	r.caughtUp()
	r.proc.stop()
	moved := r.moved(pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{})))
	moved.db.Exec(t, "DELETE FROM calendar_events")
	moved.insert("kept", "onboarding", "Kept")
	moved.insert("new", "handover", "New")
	moved.refused(1, "belongs to database", "ghlsync setup --accept-source")
	if out, _, code := moved.run("setup", "--accept-source"); code != 1 || !strings.Contains(out, "Nothing is changed yet") ||
		!strings.Contains(out, r.db.Name) || !strings.Contains(out, moved.db.Name) {
		t.Errorf("without --yes: exit code %d, %s", code, out)
	}
	moved.refused(1, "belongs to database")
	moved.accept()
	// What was accepted starts, even where other holes are to stop.
	moved.set("CDC_ON_SLOT_LOSS=stop")
	moved.start()
	if _, errs, code := moved.run("setup", "--accept-source", "--yes"); code != 1 || !strings.Contains(errs, "is held by process") {
		t.Errorf("beside a daemon: exit code %d, %s", code, errs)
	}
	moved.caughtUp()
	moved.same()
	if s := moved.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d doubles", s.Doubles)
	}
	moved.proc.stop()
	if out, _, code := moved.run("setup", "--accept-source", "--yes"); code != 0 || !strings.Contains(out, "belongs to this source already") {
		t.Errorf("a second time: exit code %d, %s", code, out)
	}
}

// moved is the daemon, with its state and its GHL, before another database.
func (r *rig) moved(db *pgtest.DB) *rig {
	r.t.Helper()
	moved := newRigOn(r.t, db)
	moved.ghl = r.ghl
	moved.set("STATE_URL="+r.env["STATE_URL"], "CDC_SLOT="+r.env["CDC_SLOT"], "GHL_WEBHOOK_URL="+r.ghl.WebhookURL())
	return moved
}

func (r *rig) accept() {
	r.t.Helper()
	if out, errs, code := r.run("setup", "--accept-source", "--yes"); code != 0 || !strings.Contains(out, "Accepted") {
		r.t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
}

// What the new source lacks goes through the delete fuse, and a slot that a DBA
// made on it is used.
func TestAcceptedSourceWithASlotAndTheFuse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.caughtUp()
	r.proc.stop()
	r.db.Exec(t, "SELECT pg_drop_replication_slot($1)", r.env["CDC_SLOT"]) // its name is the server's
	moved := r.moved(pgtest.Database(t))
	moved.db.Exec(t, "DELETE FROM calendar_events")
	moved.set("CDC_CREATE=false", "GHL_DELETE_FUSE=2")
	if report, code := moved.setup("--role", moved.syncRole()); code != 0 {
		t.Fatalf("%+v", report)
	}
	moved.accept()
	moved.start()
	moved.until("the fuse holds what is gone", func() bool { return moved.status().Mappings.Held == 5 })
	if got := moved.db.QueryString(t, "SELECT count(*)::text FROM pg_replication_slots WHERE slot_name = $1 AND active", moved.env["CDC_SLOT"]); got != "1" {
		t.Error("the slot is not used")
	}
}

// Nothing is accepted that cannot be Sentra, and no state is made.
func TestAcceptSourceRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, errs, code := r.run("setup", "--accept-source", "--yes"); code != 1 || !strings.Contains(errs, "there is no state") {
		t.Errorf("without a state: exit code %d, %s", code, errs)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "state.db")); err == nil {
		t.Error("a state was made")
	}
	r.start()
	r.proc.stop()
	url := r.env["SENTRA_DATABASE_URL"]
	r.set("SENTRA_DATABASE_URL=" + pgtest.DatabaseWithoutSchema(t).URL)
	if _, errs, code := r.run("setup", "--accept-source", "--yes"); code != 1 || !strings.Contains(errs, "there is no table public.calendar_events") {
		t.Errorf("of another application: exit code %d, %s", code, errs)
	}
	r.set("SENTRA_DATABASE_URL=" + url)
	r.start() // as before
}
