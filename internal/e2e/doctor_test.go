package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"ghlsync/internal/doctor"
)

func (r *rig) doctor(code int) doctor.Report {
	r.t.Helper()
	out, errs, got := r.run("doctor", "--json")
	var report doctor.Report
	if err := json.Unmarshal([]byte(out), &report); err != nil || got != code || report.OK != (code == 0) {
		r.t.Fatalf("exit code %d, want %d, %v:\n%s%s", got, code, err, out, errs)
	}
	return report
}

// sqlLine is a statement as 'ghlsync doctor' prints it for people.
var sqlLine = regexp.MustCompile(`(?m)^      (.*;)$`)

// TestDoctor: it says what a run would do, before one and beside one, and what it
// prints makes the run work.
func TestDoctor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.doctor(0)
	if left := r.db.QueryString(t, `SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1)`, r.env["CDC_SLOT"]); left != "0" {
		t.Errorf("the doctor has made something: %s", left)
	}

	r.db.Exec(t, `CREATE PUBLICATION ghlsync FOR ALL TABLES; ALTER TABLE calendar_events REPLICA IDENTITY NOTHING`)
	out, errs, code := r.run("doctor")
	if code != 1 || strings.Contains(out, "\x1b") || errs != "" ||
		!strings.Contains(out, "✗ publication ") || !strings.Contains(out, "✗ replica_identity ") || !strings.Contains(out, "A run would fail: 2 checks fail") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	for _, sql := range sqlLine.FindAllStringSubmatch(out, -1) {
		if !strings.Contains(sql[1], "ALTER SYSTEM") && !strings.Contains(sql[1], "pg_reload_conf") && !strings.Contains(sql[1], "pg_terminate") {
			r.db.Exec(t, sql[1]) // but not what is about the server that other tests use
		}
	}
	r.doctor(0)

	p := r.start()
	r.caughtUp()
	before := r.ghl.Stats().Requests
	for _, c := range r.doctor(0).Checks {
		switch c.Name {
		case "state":
			if !strings.Contains(c.Detail, "has it open") {
				t.Errorf("%+v", c)
			}
		case "start":
			if !strings.Contains(c.Detail, "goes on from") {
				t.Errorf("%+v", c)
			}
		case "slot", "state_source", "in_app_webhooks", "publication":
			if c.Status != doctor.OK {
				t.Errorf("%+v", c)
			}
		}
	}
	if now := r.ghl.Stats().Requests; now != before {
		t.Errorf("%d calls were made", now-before)
	}
	r.insert("after", "handover", "After the doctor")
	r.caughtUp()
	r.same()
	if out, _, code := r.run("doctor", "--send-test"); code != 0 || !strings.Contains(out, "✓ send_test ") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	p.stop()
}

// With GHL_MODE=api the doctor reads beside a daemon and changes nothing, and a
// run does as it says.
func TestDoctorByAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, "GHL_RETRY_BASE=10ms", "GHL_RETRY_CAP=50ms")
	r.byAPI()
	r.doctor(0)
	token := r.env["GHL_API_TOKEN"]
	r.set("GHL_API_TOKEN=pit-hunter2")
	out, errs, code := r.run("doctor")
	if code != 1 || !strings.Contains(out, "✗ token ") || !strings.Contains(out, "- calendars ") || strings.Contains(out+errs, "hunter2") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	r.set("GHL_API_TOKEN=" + token)
	p := r.start()
	r.insert("event-1", "onboarding", "Kick-off")
	r.caughtUp()
	before := r.ghl.Stats().Acted
	r.doctor(0)
	if out, _, code := r.run("doctor", "--send-test"); code != 0 || !strings.Contains(out, "✓ send_test ") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if s := r.ghl.Stats(); s.Acted != before || s.Violations != 0 {
		t.Errorf("%d acted before, %+v", before, s)
	}
	r.same()
	p.stop()
}
