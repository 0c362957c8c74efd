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
	Done  bool        `json:"done"`
	Steps []setupStep `json:"steps"`
}

type setupStep struct {
	Name, Status, Why, Who string
	SQL                    []string
}

func (r *rig) setup(args ...string) (report setupReport, code int) {
	r.t.Helper()
	out, errs, code := r.run(append([]string{"setup", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		r.t.Fatalf("%v: %s%s", err, out, errs)
	}
	return report, code
}

// perform runs a script as psql does, statement by statement: each statement of
// setup's ends a line; undo's may be sent as one.
func (r *rig) perform(script string) {
	r.t.Helper()
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			r.db.Exec(r.t, line)
		}
	}
}

// printed is what a command prints, which has to be well.
func (r *rig) printed(args ...string) string {
	r.t.Helper()
	out, errs, code := r.run(args...)
	if code != 0 {
		r.t.Fatalf("%v: exit code %d: %s", args, code, errs)
	}
	return out
}

// left are the steps that a report leaves to somebody, by name.
func (s setupReport) left() map[string]setupStep {
	left := map[string]setupStep{}
	for _, step := range s.Steps {
		if step.Status == "left" {
			left[step.Name] = step
		}
	}
	return left
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
	undo := r.printed("setup", "--print", "--undo", "--role", role)
	r.db.Exec(t, undo)
	if left := r.remains(role); left != "0 0 0" {
		t.Errorf("undone, there are slots, publications, roles: %s", left)
	}
	r.db.Exec(t, undo) // a second time it finds nothing
}

// Undone with a role that is not the daemon's alone, the role and what it owns
// stay: it may be the application's.
func TestUndoSparesOwners(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role, _ := r.db.Role(t, "LOGIN REPLICATION")
	r.db.Exec(t, "ALTER TABLE calendar_events OWNER TO "+role+"; ALTER TABLE clients OWNER TO "+role)
	if report, code := r.setup("--role", role); code != 0 {
		t.Fatalf("%+v", report)
	}
	r.db.Exec(t, r.printed("setup", "--print", "--undo", "--role", role))
	if left := r.remains(role); left != "0 0 1" {
		t.Errorf("undone, there are slots, publications, roles: %s", left)
	}
	for _, table := range []string{"calendar_events", "clients"} {
		if got := r.db.QueryString(t, "SELECT has_table_privilege($1, $2, 'SELECT')::text", role, table); got != "true" {
			t.Errorf("the owner may read %s: %s", table, got)
		}
	}
}

// Nothing is granted that is not needed: no right to read past row level security
// where there is none, nor to columns of events that are not read.
func TestSetupGrantsNoMoreThanNeeded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role := r.syncRole()
	r.db.Exec(t, "ALTER TABLE calendar_events DISABLE ROW LEVEL SECURITY; ALTER TABLE clients DISABLE ROW LEVEL SECURITY; ALTER TABLE calendar_events ADD secret TEXT")
	r.db.Exec(t, "CREATE ROLE "+role+" LOGIN")
	r.db.Exec(t, "GRANT SELECT (id, client_id, title, start_date, end_date, start_time, end_time, description, type, created_at, updated_at) ON calendar_events TO "+role)
	r.perform(r.printed("setup", "--print", "--role", role))
	if got := r.db.QueryString(t, "SELECT rolbypassrls::text FROM pg_roles WHERE rolname = $1", role); got != "false" {
		t.Error("the script gives BYPASSRLS")
	}
	r.db.Exec(t, "REVOKE SELECT ON calendar_events FROM "+role)
	r.db.Exec(t, "GRANT SELECT (id, client_id, title, start_date, end_date, start_time, end_time, description, type, created_at, updated_at) ON calendar_events TO "+role)
	if report, code := r.setup("--role", role); code != 0 || !report.Done {
		t.Fatalf("exit code %d: %+v", code, report)
	}
	if got := r.db.QueryString(t, "SELECT has_column_privilege($1, 'calendar_events', 'secret', 'SELECT')::text", role); got != "false" {
		t.Error("the role may read a column that is not read")
	}
	r.worksAs(role)
}

// wal_level needs a restart: it is told, and the script runs for all that.
func TestSetupTellsTheWALLevel(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{WALLevel: "replica"})))
	role := r.syncRole()
	report, code := r.setup("--role", role)
	left := report.left()
	if code != 1 || len(left) != 2 || left["wal_level"].SQL[0] != "ALTER SYSTEM SET wal_level = 'logical';" || len(left["slot "+r.env["CDC_SLOT"]].SQL) != 1 {
		t.Errorf("exit code %d: %+v", code, report)
	}
	script := r.printed("setup", "--print", "--role", role)
	if !strings.Contains(script, "-- Once the server has restarted: SELECT pg_create") {
		t.Errorf("the slot cannot be made yet:\n%s", script)
	}
	r.perform(script)
	if _, errs, code := r.run("slot", "create"); code != 1 || !strings.Contains(errs, "wal_level is replica") {
		t.Errorf("slot create: exit code %d, %s", code, errs)
	}
}

// A slot that cannot serve is left, with what replaces it.
func TestSetupLeavesASlotThatCannotServe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, plugin, step, why string }{
		"older than the publication": {"", "pgoutput", "", "older than the publication"},
		"of another plugin":          {"CREATE PUBLICATION ghlsync FOR TABLE calendar_events", "test_decoding", "slot", "test_decoding"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			if c.before != "" {
				r.db.Exec(t, c.before)
			}
			r.db.Exec(t, "SELECT pg_create_logical_replication_slot($1, $2)", r.env["CDC_SLOT"], c.plugin)
			if c.step == "" {
				c.step = "slot " + r.env["CDC_SLOT"]
			}
			role := r.syncRole()
			report, code := r.setup("--role", role)
			step := report.left()[c.step]
			if code != 1 || !strings.Contains(step.Why, c.why) || len(step.SQL) == 0 || !strings.Contains(step.SQL[0], "pg_drop_replication_slot") {
				t.Fatalf("exit code %d: %+v", code, report)
			}
			for _, sql := range step.SQL {
				r.db.Exec(t, sql)
			}
			if report, code := r.setup("--role", role); code != 0 || !report.Done {
				t.Errorf("after the SQL, exit code %d: %+v", code, report)
			}
		})
	}
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
	if who := report.left()["publication ghlsync"].Who; !strings.Contains(who, "the owner of the events table (postgres)") {
		t.Errorf("the publication is left to %q", who)
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
	role := r.syncRole()
	script := r.printed("setup", "--print", "--role", role)
	if !strings.Contains(script, `-- ALTER TABLE "public"."calendar_events" REPLICA IDENTITY DEFAULT;`) {
		t.Errorf("the mend is not printed:\n%s", script)
	}
	r.perform(script)
	if left := r.remains(role); left != "0 0 1" {
		t.Errorf("there are slots, publications, roles: %s", left)
	}
	report, code := r.setup("--role", role)
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
	if report, code := r.setup("--role", role); code != 0 {
		t.Errorf("after the mend: %+v", report)
	}
}
