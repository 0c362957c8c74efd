package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// Shadow tells what would be sent, beside a daemon or alone, and leaves nothing
// behind: no call, no slot, no file.
func TestShadow(t *testing.T) {
	t.Parallel()
	r := newRig(t, "SENTRA_BACKFILL=none")
	if _, errs, code := r.run("shadow"); code != 1 || !strings.Contains(unquote(errs), "CREATE PUBLICATION") {
		t.Errorf("without a publication: exit code %d, %s", code, errs)
	}
	r.db.Exec(t, "CREATE PUBLICATION ghlsync FOR TABLE calendar_events WITH (publish_via_partition_root = true)")
	r.insert("old", "onboarding", "Bait-Title")
	temp := t.TempDir()
	cmd := r.command("shadow")
	cmd.Env = append(cmd.Env, "TMPDIR="+temp)
	out, errs := &output{}, &output{}
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r.until("the shadow slot streams", func() bool {
		return r.db.QueryString(t, "SELECT count(*)::text FROM pg_replication_slots WHERE temporary AND active AND database = current_database()") == "1" &&
			strings.Contains(errs.String(), "snapshot is complete")
	})
	r.insert("new", "onboarding", "Bait-Title")
	told := func(line string) {
		t.Helper()
		r.until("it tells "+line, func() bool { return strings.Contains(out.String(), line) })
	}
	told("calendar_event_created  new")
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Bait-Other' WHERE id IN ('old', 'new')")
	told("calendar_event_updated  old")
	told("calendar_event_updated  new")
	r.db.Exec(t, "UPDATE calendar_events SET type = 'firstdraft' WHERE id = 'old'")
	told("calendar_event_deleted  old")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v:\n%s", err, errs.String())
	}
	if strings.Contains(strings.ToLower(out.String()+errs.String()), "bait") {
		t.Errorf("a value is told:\n%s%s", out, errs)
	}
	if n := r.ghl.Stats().Requests; n != 0 {
		t.Errorf("GHL was called %d times", n)
	}
	// The server drops a temporary slot when it has noticed that its session is gone.
	r.db.Await(t, "0", "SELECT count(*)::text FROM pg_replication_slots WHERE database = current_database()")
	for _, dir := range []string{temp, r.dir} {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s holds %v, %v", filepath.Base(dir), left, err)
		}
	}
}

// With GHL_MODE=api it shows what requests would be made of, and makes none, not
// even with the token that it does not need.
func TestShadowByAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t, "SENTRA_TIMEZONE=America/New_York")
	r.byAPI()
	delete(r.env, "GHL_API_TOKEN")
	r.db.Exec(t, "CREATE PUBLICATION ghlsync FOR TABLE calendar_events WITH (publish_via_partition_root = true)")
	cmd := r.command("shadow", "--payload")
	out, errs := &output{}, &output{}
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r.until("the snapshot is complete", func() bool { return strings.Contains(errs.String(), "snapshot is complete") })
	r.insert("new", "handover", "Handover")
	booking := regexp.MustCompile(`"sentra_event_id":"new".*"api":\{"calendar_id":"calHandover","start_time":"[^"]*-0[45]:00"`)
	r.until("it tells of calendar and time", func() bool { return booking.MatchString(out.String()) })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ends with %v:\n%s", err, errs.String())
	}
	if n := r.ghl.Stats().Requests; n != 0 {
		t.Errorf("GHL was called %d times", n)
	}
}
