package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ghlsync/internal/admin"
	"ghlsync/internal/calendars"
	"ghlsync/internal/mappingtest"
	"ghlsync/internal/pipeline"
	"ghlsync/state"
)

func TestBackfill(t *testing.T) {
	t.Parallel()
	rows := func() []*state.Mapping {
		return []*state.Mapping{mappingtest.Assumed("a"), mappingtest.Assumed("b"), mappingtest.Synced("c")}
	}
	places(t, rows, func(t *testing.T, p place) {
		p.env = append(p.env, "SENTRA_DATABASE_URL=postgres://127.0.0.1:1/nowhere")
		report := func(args ...string) (r pipeline.BackfillReport) {
			t.Helper()
			out, errs, code := p.run(append([]string{"backfill", "--json"}, args...)...)
			if err := json.Unmarshal([]byte(out), &r); err != nil || errs != "" || code != 0 {
				t.Errorf("%q: exit code %d, %v\n%s%s", args, code, err, out, errs)
			}
			return r
		}
		if got, want := report("--all", "--dry-run"), (pipeline.BackfillReport{DryRun: true, Which: "all", Pushed: 2, Known: 1}); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		p.expect(0, []string{"backfill", "--upcoming"}, "0 pushed", "2 left", "1 were not")
		p.expect(0, []string{"backfill", "--all", "--dry-run"}, "2 would be pushed; nothing was changed")
		p.expect(0, []string{"backfill", "--all"}, "2 pushed: on their way to GHL", "0 left")
		p.expect(0, []string{"mappings", "list", "--status", "pending"}, "a ", "b ")
	})
}

// TestReconcileNeedsTheDaemonsSettings, where no daemon runs: without its fuse
// nothing may be deleted.
func TestReconcileNeedsTheDaemonsSettings(t *testing.T) {
	t.Parallel()
	p := withFile(t)
	p.env = append(p.env, "GHL_DELETE_FUSE=many")
	p.expect(2, []string{"reconcile", "--dry-run"}, "!SENTRA_DATABASE_URL", "!GHL_WEBHOOK_URL", "!GHL_DELETE_FUSE=many")
	p = withDaemon(t, "")
	p.expect(1, []string{"reconcile", "--dry-run"}, "!capture does not stream")
}

func TestPrintReconciliation(t *testing.T) {
	t.Parallel()
	ids := make([]string, 12)
	for i := range ids {
		ids[i] = fmt.Sprintf("id-%d", i)
	}
	r := admin.Reconciliation{Reconciliation: pipeline.Reconciliation{
		ConsistentPoint: "0/12", Events: 99, Streaming: true,
		Missing: pipeline.Found{Count: 12, IDs: ids}, Stale: pipeline.Found{Count: 1, IDs: []string{"a\x1b[2J"}}, Held: 3,
	}}
	printed := func() string {
		t.Helper()
		var out bytes.Buffer
		if err := printReconciliation(&out, r); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	contains := func(text string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				t.Errorf("no %q in\n%s", part, text)
			}
		}
	}
	text := printed()
	contains(text, "99 events", "missing  12  id-0, id-1", "id-9, and 2 more (--json has all)", "extra    0", `"a\x1b[2J"`, "mended here", "holds 3 deletions")
	if strings.Contains(text, "id-10") || strings.Contains(text, "No daemon runs") {
		t.Errorf("too much:\n%s", text)
	}
	r.DryRun, r.Streaming = true, false
	contains(printed(), "Without --dry-run it is mended", "would hold 3", "No daemon runs")
	r.Missing, r.Stale = pipeline.Found{}, pipeline.Found{}
	contains(printed(), "nothing to mend")

	r.GHL = &calendars.Report{
		Appointments: 7, Requests: 30, Waiting: 2, Held: 1, Withheld: 60,
		Changed: calendars.Kind{Count: 1, Items: []calendars.Difference{{EventID: "e1", AppointmentID: "g1", Why: "start"}}},
		Unnamed: calendars.Kind{Count: 1, Items: []calendars.Difference{{EventID: "e2"}}},
	}
	contains(printed(), "7 appointments of GHL", "30 requests", "changed  1  e1 (start)", "unnamed  1  e2", "orphans  0",
		"Without --dry-run", "would hold 4", "--adopt-by-time", "2 mappings were left out", "60 appointments are gone")
}

func TestBar(t *testing.T) {
	t.Parallel()
	b := newBar(new(bytes.Buffer), "compared", "events")
	if b.show(1, 2); b.out != nil {
		t.Error("it shows where there is no terminal")
	}
	for _, c := range []struct {
		done, total int64
		want        string
	}{
		{0, 0, "[..............................] compared 0 of about 0 events"},
		{500, 1000, "[###############...............] compared 500 of about 1000 events"},
		{1000, 1000, "[##############################] compared 1000 of about 1000 events"},
	} {
		if got := b.line(c.done, c.total); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	var out bytes.Buffer
	b.out = &out
	b.clear()
	b.show(1, 2)
	b.show(2, 2) // too soon
	b.clear()
	if got := out.String(); got != "\r\x1b[K"+b.line(1, 2)+"\r\x1b[K" {
		t.Errorf("got %q", got)
	}
}
