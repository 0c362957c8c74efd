package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"ghlsync/internal/doctor"
)

// TestDoctorWithNobodyThere: it answers all the same, and keeps the secrets.
func TestDoctorWithNobodyThere(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "SENTRA_DATABASE_URL=postgres://someone:hunter2@127.0.0.1:1/sentra", "GHL_WEBHOOK_URL=https://127.0.0.1:1/hunter2")
	text := p.expect(1, []string{"doctor"}, "✓ settings", "✗ connection", "- encryption", "✗ webhook", "A run would fail: 2 checks fail, ")
	document := p.expect(1, []string{"doctor", "--json"})
	for _, out := range []string{text, document} {
		if strings.Contains(out, "hunter2") || strings.Contains(out, "\x1b") {
			t.Errorf("shown:\n%s", out)
		}
	}
	var report doctor.Report
	if err := json.Unmarshal([]byte(document), &report); err != nil || report.OK || report.Checks[0].Name != "settings" || report.Checks[0].Status != doctor.OK {
		t.Errorf("%v: %s", err, document)
	}
	if files := p.files(); len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestDoctorWithoutSettings(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "GHL_RATE=fast")
	p.expect(1, []string{"doctor"}, "✗ settings", "GHL_RATE=fast", "✗ connection", "SENTRA_DATABASE_URL: is not set", "- webhook", "GHL_RATE is not usable")
}

func TestPrintExamination(t *testing.T) {
	t.Parallel()
	report := doctor.Report{Checks: []doctor.Result{
		{Name: "a", Status: doctor.OK, Detail: "fine"},
		{Name: "b", Status: doctor.Warn, Detail: "odd\x1b[31m", Mend: "change it"},
		{Name: "c", Status: doctor.Fail, Detail: "wrong", Mend: "run", SQL: []string{"SELECT 1;", "SELECT 2;"}},
		{Name: "d", Status: doctor.Skipped, Detail: "c has failed"},
	}}
	var plain, coloured bytes.Buffer
	printExamination(&plain, report, false)
	want := `✓ a                 fine
! b                 "odd\x1b[31m"
    change it
✗ c                 wrong
    run
      SELECT 1;
      SELECT 2;
- d                 c has failed
A run would fail: 1 check fails, 1 warning, 1 check was not made.
`
	if got := plain.String(); got != want {
		t.Errorf("got\n%s", got)
	}
	printExamination(&coloured, report, true)
	if !strings.Contains(coloured.String(), "\x1b[31m✗\x1b[0m c") {
		t.Errorf("got %q", coloured.String())
	}
	var fine bytes.Buffer
	printExamination(&fine, doctor.Report{OK: true, Checks: report.Checks[:1]}, false)
	if !strings.HasSuffix(fine.String(), "\nA run would work.\n") {
		t.Errorf("got\n%s", fine.String())
	}
}
