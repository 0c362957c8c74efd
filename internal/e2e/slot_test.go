package e2e

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

func TestSlotCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	slot := r.env["CDC_SLOT"]
	expect := func(code int, text string, args ...string) {
		t.Helper()
		out, errs, got := r.run(args...)
		if got != code || !strings.Contains(out+errs, text) {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s%s", args, got, code, text, out, errs)
		}
	}
	r.set("SENTRA_ECHO_PATTERN=(") // which they do not use
	expect(1, "there is no slot", "slot", "status")
	expect(1, "null", "slot", "status", "--json")
	expect(1, "CREATE PUBLICATION", "slot", "create")
	expect(1, "there is no slot", "slot", "drop", "--yes")
	r.db.Exec(t, "CREATE PUBLICATION ghlsync WITH (publish_via_partition_root = true)")
	expect(1, "ALTER PUBLICATION", "slot", "create")
	r.db.Exec(t, "ALTER PUBLICATION ghlsync ADD TABLE calendar_events")
	r.db.Exec(t, "SELECT pg_create_logical_replication_slot($1, 'test_decoding')", slot)
	expect(1, "test_decoding", "slot", "create")
	r.db.Exec(t, "SELECT pg_drop_replication_slot($1)", slot)
	expect(0, "is created at", "slot", "create")
	expect(1, "exists already", "slot", "create")
	expect(0, "wal_status", "slot", "status")
	expect(0, `"retained_wal_bytes"`, "slot", "status", "--json")
	expect(1, "Nothing is dropped without --yes", "slot", "drop")
	expect(1, `"dropped": false`, "slot", "drop", "--json")
	r.set("SENTRA_ECHO_PATTERN=")
	r.start()
	expect(1, "the daemon runs", "slot", "drop", "--yes")
	state := r.env["STATE_URL"]
	r.set("STATE_URL=sqlite:" + filepath.Join(t.TempDir(), "another.db"))
	expect(1, "is in use", "slot", "drop", "--yes")
	r.set("STATE_URL=" + state)
	r.proc.stop()
	expect(0, "It held back", "slot", "drop", "--yes")
	expect(2, "unknown command", "slot", "list")
	if n := r.db.QueryString(t, "SELECT count(*)::text FROM pg_replication_slots WHERE slot_name = $1", slot); n != "0" {
		t.Error("the slot is still there")
	}
	r.start() // and makes a new one
	r.insert("event-1", "onboarding", "First")
	r.caughtUp()
	r.same()
	r.proc.stop()
	expect(0, `"dropped": true`, "slot", "drop", "--yes", "--json")
	var made struct{ Name, LSN string }
	out, errs, code := r.run("slot", "create", "--json")
	if err := json.Unmarshal([]byte(out), &made); err != nil || code != 0 || made.Name != slot ||
		made.LSN != r.db.QueryString(t, "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1", slot) {
		t.Errorf("exit code %d, %v: %s%s", code, err, out, errs)
	}
}

// A lost slot is not well, and cannot be made good by creating it.
func TestLostSlot(t *testing.T) {
	t.Parallel()
	settings := map[string]string{"max_slot_wal_keep_size": "1MB", "max_wal_size": "2MB", "min_wal_size": "2MB"}
	r := newRigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{Settings: settings})))
	if report, code := r.setup("--role", r.syncRole()); code != 0 {
		t.Fatalf("%+v", report)
	}
	r.until("the slot is lost", func() bool {
		r.db.Exec(t, "CREATE TABLE IF NOT EXISTS filler (v TEXT)")
		r.db.Exec(t, "INSERT INTO filler SELECT repeat('x', 100) FROM generate_series(1, 20000)")
		r.db.Exec(t, "SELECT pg_switch_wal()")
		r.db.Exec(t, "CHECKPOINT")
		return r.db.QueryString(t, "SELECT wal_status FROM pg_replication_slots") == "lost"
	})
	if out, _, code := r.run("slot", "status"); code != 1 || !strings.Contains(out, "lost") {
		t.Errorf("status: exit code %d, %s", code, out)
	}
	if _, errs, code := r.run("slot", "create"); code != 1 || !strings.Contains(errs, "has lost WAL") {
		t.Errorf("create: exit code %d, %s", code, errs)
	}
}
