package e2e

import (
	"strings"
	"testing"
)

// The printed script does the same when it is run as printed, twice.
func TestSetupPrinted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role := r.syncRole()
	script := r.printed("setup", "--print", "--role", role)
	if left := r.remains(role); left != "0 0 0" {
		t.Errorf("printing has made slots, publications, roles: %s", left)
	}
	r.perform(script)
	for _, step := range []string{"role " + role, "may replicate", "may read clients", "publication ghlsync", "slot " + r.env["CDC_SLOT"]} {
		if again := r.printed("setup", "--print", "--role", role); !strings.Contains(again, "-- "+step+": already there\n") {
			t.Errorf("%s is there, but not in\n%s", step, again)
		}
	}
	if report, code := r.setup("--role", role); code != 0 || !report.Done {
		t.Errorf("after the script, exit code %d: %+v", code, report)
	}
	r.worksAs(role)
	r.db.Exec(t, r.printed("setup", "--print", "--undo", "--role", role))
	if left := r.remains(role); left != "0 0 0" {
		t.Errorf("undone, there are slots, publications, roles: %s", left)
	}
}

// Without a connection the script says what it assumes, and runs all the same.
func TestSetupPrintedWithoutAConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role := r.syncRole()
	url := r.env["SENTRA_DATABASE_URL"]
	r.set("SENTRA_DATABASE_URL=", "SENTRA_ECHO_PATTERN=(", "GHL_RATE=fast") // which it does not use
	script := r.printed("setup", "--print", "--role", role)
	if !strings.Contains(script, "Postgres 14 to 18, hosting generic.\n-- Nobody asked") {
		t.Errorf("it does not say what it assumes:\n%s", script)
	}
	if other := r.printed("setup", "--print", "--postgres", "17", "--host", "rds"); !strings.Contains(other, "Postgres 17, hosting rds") ||
		!strings.Contains(other, "for the role ghlsync. ") {
		t.Errorf("it does not take what it is told:\n%s", other)
	}
	r.perform(script)
	undo := r.printed("setup", "--print", "--undo", "--role", role)
	r.set("SENTRA_DATABASE_URL="+url, "SENTRA_ECHO_PATTERN=", "GHL_RATE=100/s")
	r.worksAs(role)
	r.db.Exec(t, undo)
	if left := r.remains(role); left != "0 0 0" {
		t.Errorf("undone, there are slots, publications, roles: %s", left)
	}
}

// The daemon's own login is often still to be made when the script is printed.
func TestSetupPrintedForALoginToBe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role := r.syncRole()
	admin := r.env["SENTRA_DATABASE_URL"]
	r.login(role)
	script, errs, code := r.run("setup", "--print")
	if code != 0 || !strings.Contains(errs, "printed without a look at the server") {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	r.perform(script)
	// A login that cannot create roles is the daemon's own.
	if report, code := r.setup(); code != 0 || !report.Done || report.Steps[1].Name != "role "+role {
		t.Errorf("after the script, exit code %d: %+v", code, report)
	}
	r.set("SENTRA_DATABASE_URL=" + admin)
	if script := r.printed("setup", "--print"); !strings.Contains(script, "for the role ghlsync. ") {
		t.Errorf("a DBA's login is taken for the daemon's:\n%s", script)
	}
	r.worksAs(role)
}
