package dashboard

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/internal/admin"
	"ghlsync/internal/mappingtest"
	"ghlsync/state"
)

func TestHeadlines(t *testing.T) {
	t.Parallel()
	kept := mappingtest.Held("kept")
	kept.Drop(mappingtest.At)
	r := newRig(t, "", mappingtest.Failed("failed"), mappingtest.Held("held"), mappingtest.Assumed("assumed"), mappingtest.Synced("synced"), kept)
	v := r.visitor()
	for id, want := range map[string]string{
		"failed": "It could not be brought to GHL", "held": "held by the delete fuse", "assumed": "since before ghlsync",
		"synced": "GHL shows what Sentra has.", "kept": "was kept in GHL by an operator", "nobody": "ghlsync has no mapping for this event.",
	} {
		v.get(eventURL(id)).has(t, http.StatusOK, want)
	}
	v.post("/do/pause")
	r.want("waiting")
	v.get(eventURL("waiting")).has(t, http.StatusOK, "It is on its way to GHL.", "It waits with all others: delivery is paused")
}

func TestTimelineIsNewestFirst(t *testing.T) {
	t.Parallel()
	at := func(minutes int) time.Time { return mappingtest.At.Add(time.Duration(minutes) * time.Minute) }
	created, committed, next := at(0), at(1), at(9)
	code := ghl.CodeDNS
	m := admin.Detail{CommittedAt: &committed, Revision: 1234, LastAttempts: []admin.Attempt{
		{Operation: "delete", StartedAt: at(5), Outcome: ghl.NotFound.String()},
		{Operation: "create", StartedAt: at(2), Outcome: ghl.Retry.String(), ErrorCode: &code, DurationMS: 1500},
	}}
	m.CreatedAt, m.NextAttemptAt, m.Wanted = &created, &next, string(state.Absent)
	all := timeline(m)
	var text []string
	for _, e := range all {
		text = append(text, e.Kind+" "+e.What+" "+e.Detail+" "+e.Took())
	}
	want := []string{
		"pending Next call is due", "synced delete: GHL has no such appointment", "failed create: not taken, tried again GHL's host name",
		" Committed in Sentra: from here on wanted is that GHL has no appointment revision 1,234", " First known here",
	}
	for i := range want {
		if len(text) != len(want) || !strings.HasPrefix(text[i], want[i]) {
			t.Fatalf("the timeline is %q, want %q", text, want)
		}
	}
	if all[2].Took() != "1.5 s" {
		t.Errorf("a call took %q", all[2].Took())
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -1234567: "-1,234,567", -123: "-123"} {
		if got := count(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 40: "5.0 TiB"} {
		if got := size(&n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "under 1 ms", 250 * time.Millisecond: "250 ms", 1500 * time.Millisecond: "1.5 s", 42 * time.Second: "42 s",
		62 * time.Second: "1 min 2 s", 90 * time.Minute: "1 h 30 min", 72 * time.Hour: "3 days",
	} {
		if got := took(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
	if got := size(nil) + plural(1, "event", "events") + plural(2000, "event", "events"); got != "unknown1 event2,000 events" {
		t.Error(got)
	}
}

func TestWALBudget(t *testing.T) {
	t.Parallel()
	retained, left, seconds := int64(768<<20), int64(256<<20), int64(7200)
	s := admin.Status{Slot: &admin.Slot{RetainedWALBytes: &retained, WALLeftBytes: &left, WALLeftSeconds: &seconds}}
	r := newRig(t, "")
	if v := newView(s, r.trend); v.WAL.Budget != 1<<30 || v.WAL.Percent != 75 || v.WALTime() != "2 h 0 min" {
		t.Errorf("%+v %s", v.WAL, v.WALTime())
	}
	s.Slot.WALLeftBytes = nil
	if v := newView(s, r.trend); v.WAL != nil {
		t.Errorf("a budget out of nothing: %+v", v.WAL)
	}
	r.setCapture(admin.Capture{Phase: admin.Streaming, Since: mappingtest.At, Watch: admin.Watch{WALLeft: &left, WALTime: 2 * time.Hour}})
	r.visitor().get("/").has(t, http.StatusOK, "of a budget of 293.0 MiB", `value="12"`, "256.0 MiB left: 2 h 0 min at the present rate")
}
