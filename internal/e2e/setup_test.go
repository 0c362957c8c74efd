package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// syncRole is a name for the daemon's role that no other test uses. What is left
// of the role goes with the test.
func (r *rig) syncRole() string {
	role := r.db.Name + "_sync"
	r.t.Cleanup(func() {
		ctx := context.WithoutCancel(r.t.Context())
		conn, err := pgx.Connect(ctx, r.db.URL)
		if err != nil {
			r.t.Error(err)
			return
		}
		for _, sql := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			_, _ = conn.Exec(ctx, sql) // it may be gone already
		}
		_ = conn.Close(ctx)
	})
	return role
}

// login makes the daemon log in as the role.
func (r *rig) login(role string) {
	r.t.Helper()
	u, err := url.Parse(r.db.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	u.User = url.User(role)
	r.set("SENTRA_DATABASE_URL=" + u.String())
}

type setupReport struct {
	Done  bool `json:"done"`
	Steps []struct {
		Name, Status, Why string
		SQL               []string
	} `json:"steps"`
}

func (r *rig) setup(args ...string) (report setupReport, code int) {
	r.t.Helper()
	out, errs, code := r.run(append([]string{"setup", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		r.t.Fatalf("%v: %s%s", err, out, errs)
	}
	return report, code
}

// statements takes a script apart: each ends a line.
func statements(script string) []string {
	var all []string
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			all = append(all, line)
		}
	}
	return all
}

func (r *rig) remains(role string) string {
	return r.db.QueryString(r.t, `SELECT concat_ws(' ',
		(SELECT count(*) FROM pg_replication_slots WHERE database = current_database()),
		(SELECT count(*) FROM pg_publication),
		(SELECT count(*) FROM pg_roles WHERE rolname = $1))`, role)
}

// worksAs starts the daemon as the role and sends an event through.
func (r *rig) worksAs(role string) {
	r.t.Helper()
	admin := r.env["SENTRA_DATABASE_URL"]
	r.login(role)
	r.start()
	r.insert("event-1", "onboarding", "First")
	r.caughtUp()
	r.same()
	r.proc.stop()
	r.set("SENTRA_DATABASE_URL=" + admin)
}

// A superuser's setup makes everything, a second one nothing, and the daemon works
// with what it made and no more.
func TestSetup(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role := r.syncRole()
	first, code := r.setup("--role", role)
	if code != 0 || !first.Done {
		t.Fatalf("exit code %d: %+v", code, first)
	}
	again, code := r.setup("--role", role)
	if code != 0 || !again.Done {
		t.Errorf("exit code %d: %+v", code, again)
	}
	for _, s := range again.Steps {
		if s.Status != "already" {
			t.Errorf("a second time: %+v", s)
		}
	}
	for _, column := range []string{"username", "password", "status"} {
		if r.db.QueryString(t, "SELECT has_column_privilege($1, 'clients', $2, 'SELECT')::text", role, column) != "false" {
			t.Errorf("the role may read clients.%s", column)
		}
	}
	r.worksAs(role)
	undo, _, code := r.run("setup", "--print", "--undo", "--role", role)
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	for _, sql := range statements(undo) {
		r.db.Exec(t, sql)
	}
	if left := r.remains(role); left != "0 0 0" {
		t.Errorf("undone, there are slots, publications, roles: %s", left)
	}
	for _, sql := range statements(undo) {
		r.db.Exec(t, sql) // a second time it finds nothing
	}
}

// The printed script does the same when it is run as printed, twice.
func TestSetupPrinted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role := r.syncRole()
	script, errs, code := r.run("setup", "--print", "--role", role)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	if left := r.remains(role); left != "0 0 0" {
		t.Errorf("printing has made slots, publications, roles: %s", left)
	}
	for range 2 {
		for _, sql := range statements(script) {
			r.db.Exec(t, sql)
		}
	}
	if report, code := r.setup("--role", role); code != 0 || !report.Done {
		t.Errorf("after the script, exit code %d: %+v", code, report)
	}
	r.worksAs(role)
}

// What the connected role has no right to is left, with SQL that somebody with the
// right runs as printed.
func TestSetupWithoutRights(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role := r.as("LOGIN REPLICATION", grantEvents, grantClients)
	report, code := r.setup("--role", role)
	if code != 1 || report.Done {
		t.Fatalf("exit code %d: %+v", code, report)
	}
	left := map[string]bool{}
	var sql []string
	for _, s := range report.Steps {
		if s.Status == "left" {
			left[s.Name] = true
			sql = append(sql, s.SQL...)
		}
	}
	for _, name := range []string{"sees all rows", "publication ghlsync", "slot " + r.env["CDC_SLOT"]} {
		if !left[name] {
			t.Errorf("%q is not left: %+v", name, report)
		}
	}
	out, _, _ := r.run("setup", "--role", role)
	for _, text := range append([]string{"LEFT", "permission denied"}, sql...) {
		if !strings.Contains(out, text) {
			t.Errorf("people are not told %q:\n%s", text, out)
		}
	}
	for _, statement := range sql {
		r.db.Exec(t, statement)
	}
	if report, code := r.setup("--role", role); code != 0 || !report.Done {
		t.Errorf("after the SQL, exit code %d: %+v", code, report)
	}
}

// A table that Sentra could not update any more, once published, is not published.
func TestSetupSparesATableWithoutIdentity(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.db.Exec(t, "ALTER TABLE calendar_events REPLICA IDENTITY NOTHING")
	report, code := r.setup("--role", r.syncRole())
	var mend []string
	for _, s := range report.Steps {
		if s.Name == "replica_identity" {
			mend = s.SQL
		}
	}
	if code != 1 || len(mend) == 0 || r.db.QueryString(t, "SELECT count(*)::text FROM pg_publication") != "0" {
		t.Fatalf("exit code %d: %+v", code, report)
	}
	for _, sql := range mend {
		r.db.Exec(t, sql)
	}
	if report, code := r.setup("--role", r.syncRole()); code != 0 {
		t.Errorf("after the mend: %+v", report)
	}
}

func TestSlotCommands(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	expect := func(code int, text string, args ...string) {
		t.Helper()
		out, errs, got := r.run(args...)
		if got != code || !strings.Contains(out+errs, text) {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s%s", args, got, code, text, out, errs)
		}
	}
	expect(1, "there is no slot", "slot", "status")
	expect(1, "null", "slot", "status", "--json")
	expect(1, "CREATE PUBLICATION", "slot", "create")
	expect(1, "there is no slot", "slot", "drop", "--yes")
	r.db.Exec(t, "CREATE PUBLICATION ghlsync FOR TABLE calendar_events WITH (publish_via_partition_root = true)")
	expect(0, "is created at", "slot", "create")
	expect(1, "exists already", "slot", "create")
	expect(0, "wal_status", "slot", "status")
	expect(0, `"retained_wal_bytes"`, "slot", "status", "--json")
	expect(1, "Nothing is dropped without --yes", "slot", "drop")
	r.start()
	expect(1, "the daemon runs", "slot", "drop", "--yes")
	r.proc.stop()
	expect(0, "it held back", "slot", "drop", "--yes")
	expect(2, "unknown command", "slot", "list")
	if n := r.db.QueryString(t, "SELECT count(*)::text FROM pg_replication_slots WHERE slot_name = $1", r.env["CDC_SLOT"]); n != "0" {
		t.Error("the slot is still there")
	}
}

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
	moved := newRigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{})))
	moved.db.Exec(t, "DELETE FROM calendar_events")
	moved.insert("kept", "onboarding", "Kept")
	moved.insert("new", "handover", "New")
	moved.ghl = r.ghl
	moved.set("STATE_URL="+r.env["STATE_URL"], "CDC_SLOT="+r.env["CDC_SLOT"], "GHL_WEBHOOK_URL="+r.ghl.WebhookURL())
	moved.refused(1, "belongs to database", "ghlsync setup --accept-source")
	if out, _, code := moved.run("setup", "--accept-source"); code != 1 || !strings.Contains(out, "Nothing is changed yet") {
		t.Errorf("without --yes: exit code %d, %s", code, out)
	}
	if out, errs, code := moved.run("setup", "--accept-source", "--yes"); code != 0 || !strings.Contains(out, "Accepted") {
		t.Fatalf("exit code %d, %s%s", code, out, errs)
	}
	moved.start()
	if _, errs, code := moved.run("setup", "--accept-source", "--yes"); code != 1 || !strings.Contains(errs, "is held by process") {
		t.Errorf("beside a daemon: exit code %d, %s", code, errs)
	}
	moved.caughtUp()
	moved.same()
	if s := moved.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d doubles", s.Doubles)
	}
}
