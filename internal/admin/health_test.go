package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/internal/mappingtest"
	"ghlsync/state"
)

// well is a daemon with nothing to complain about.
func well() Facts {
	since := mappingtest.At.Add(-time.Hour)
	reserved, lag := "reserved", int64(1<<20)
	return Facts{Status: Status{
		At:       mappingtest.At,
		Daemon:   Daemon{Running: true, Phase: Streaming, Since: &since},
		Slot:     &Slot{Name: "ghlsync", Active: true, WALStatus: &reserved, LagBytes: &lag},
		Mappings: state.Counts{Total: 5, Synced: 3, Pending: 2, Assumed: 9},
		Delivery: Delivery{Enabled: true, Breaker: "closed", InFlight: 2},
	}}
}

// canary has one under way for so long, and a checkpoint of that age.
func canary(f *Facts, waiting, checkpoint time.Duration) {
	seconds, at := waiting.Seconds(), f.Status.At.Add(-checkpoint)
	f.Status.Canary = &Canary{SentAt: f.Status.At.Add(-waiting), WaitingSeconds: &seconds}
	f.Status.Checkpoint = &Checkpoint{UpdatedAt: &at}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	phase := func(f *Facts, p Phase, ago time.Duration, problem string) {
		since := f.Status.At.Add(-ago)
		f.Status.Daemon = Daemon{Running: p != NoDaemon, Phase: p, Since: &since, LastError: null(problem)}
	}
	for name, c := range map[string]struct {
		change  func(*Facts)
		health  Health
		reasons []string
	}{
		"streaming": {func(*Facts) {}, OK, nil},
		"standby":   {func(f *Facts) { phase(f, Standby, time.Hour, "") }, OK, nil},
		"no daemon": {func(f *Facts) { phase(f, NoDaemon, 0, "") }, Down, []string{"no daemon is running"}},
		"daemon is silent": {
			func(f *Facts) { phase(f, NoDaemon, 0, "process 7 has the state") }, Down,
			[]string{"the daemon does not answer: process 7 has the state"},
		},
		"first snapshot": {func(f *Facts) { phase(f, Snapshotting, time.Hour, "") }, Degraded, []string{"a snapshot is being read"}},
		"just starting":  {func(f *Facts) { phase(f, Starting, time.Second, "") }, Degraded, []string{"capture is starting"}},
		"reconnecting": {
			func(f *Facts) { phase(f, Reconnecting, grace-1, "connection lost") }, Degraded,
			[]string{"capture is reconnecting: connection lost"},
		},
		"reconnecting for long": {
			func(f *Facts) { phase(f, Reconnecting, grace, "connection lost") }, Down,
			[]string{"capture has been reconnecting for 30s: connection lost"},
		},
		"stopped": {func(f *Facts) { phase(f, Stopped, 0, "wal_level") }, Down, []string{"capture has stopped: wal_level"}},
		"state cannot be read": {
			func(f *Facts) { f.StateError = "damaged" }, Down, []string{"the state cannot be read: damaged"},
		},
		"state cannot be written": {
			func(f *Facts) { f.Status.Delivery.StoreFailing = true }, Down, []string{"the state cannot be written"},
		},
		"a day's requests nearly used up": {
			func(f *Facts) {
				f.Status.Delivery.Quota = &Quota{DailyMax: 200_000, DailyRemaining: 9_000, Reserved: true}
			}, Degraded,
			[]string{"GHL takes few more requests today: deletions and events of today go first, the rest waits"},
		},
		"one failed": {
			func(f *Facts) { f.Status.Mappings.Failed = 1 }, Degraded,
			[]string{"1 event has failed: see 'ghlsync mappings list --status failed'"},
		},
		"several failed, one held": {
			func(f *Facts) { f.Status.Mappings.Failed, f.Status.Mappings.Held = 3, 1 }, Degraded,
			[]string{
				"3 events have failed: see 'ghlsync mappings list --status failed'",
				"the delete fuse holds 1 deletion: see 'ghlsync mappings list --status held', then release or drop",
			},
		},
		"disabled": {
			func(f *Facts) { f.Status.Delivery.Enabled = false }, Degraded,
			[]string{"Webhook disabled: nothing is sent (GHL_WEBHOOK_ENABLED=false)"},
		},
		"paused": {
			func(f *Facts) {
				f.Status.Delivery.Paused, f.Status.Delivery.PauseReason, f.Status.Delivery.Detail = true, "HOOK_GONE", "The hook is gone."
			}, Degraded,
			[]string{"delivery is paused: The hook is gone."},
		},
		"breaker open": {
			func(f *Facts) { f.Status.Delivery.Breaker = "open" }, Degraded,
			[]string{"GHL is not reachable: it is probed until it is"},
		},
		"breaker half-open": {
			func(f *Facts) { f.Status.Delivery.Breaker = "half-open" }, Degraded,
			[]string{"GHL is not reachable: it is probed until it is"},
		},
		"lag": {
			func(f *Facts) { *f.Status.Slot.LagBytes = lagLimit + 1 }, Degraded, []string{"capture is 64 MiB of WAL behind"},
		},
		"behind, and the budget ends": {
			func(f *Facts) {
				*f.Status.Slot.LagBytes = lagLimit + 1
				f.Status.Slot.WALLeftSeconds = null(int64(3599))
			}, Degraded,
			[]string{"capture is 64 MiB of WAL behind", "at the present rate of WAL slot ghlsync is lost in 59m59s"},
		},
		"keeps up, and the budget is small": {func(f *Facts) { f.Status.Slot.WALLeftSeconds = null(int64(60)) }, OK, nil},
		"seen by capture": {
			func(f *Facts) { f.Warnings = []string{"a column is lost"} }, Degraded, []string{"a column is lost"},
		},
		"a canary is under way": {func(f *Facts) { canary(f, canaryLimit-1, time.Hour) }, OK, nil},
		"slow": {
			func(f *Facts) { canary(f, 40*time.Second, canaryLimit-1) }, Degraded, []string{"capture is 40s behind"},
		},
		"stuck": {
			func(f *Facts) { canary(f, 40*time.Second, canaryLimit) }, Down,
			[]string{"capture stands still: what was committed 40s ago has not come through, and the checkpoint does not move"},
		},
		"slot is not known": {
			func(f *Facts) { f.Status.Slot, f.SlotError = nil, "there is no slot ghlsync" }, Degraded, []string{"there is no slot ghlsync"},
		},
		"slot in danger": {
			func(f *Facts) { *f.Status.Slot.WALStatus = "unreserved" }, Degraded,
			[]string{"slot ghlsync is about to lose WAL that it needs: raise max_slot_wal_keep_size"},
		},
		"slot lost": {func(f *Facts) { *f.Status.Slot.WALStatus = "lost" }, Down, []string{"slot ghlsync has lost WAL that it needs"}},
		"the gravest comes first": {
			func(f *Facts) { f.Status.Mappings.Failed = 1; phase(f, NoDaemon, 0, "") }, Down,
			[]string{"no daemon is running", "1 event has failed: see 'ghlsync mappings list --status failed'"},
		},
	} {
		f := well()
		c.change(&f)
		if c.reasons == nil {
			c.reasons = []string{}
		}
		health, reasons := Judge(f)
		if diff := cmp.Diff(c.reasons, reasons); health != c.health || diff != "" {
			t.Errorf("%s: %s, want %s (-want +got)\n%s", name, health, c.health, diff)
		}
	}
}

func TestReadyPhases(t *testing.T) {
	t.Parallel()
	var ready []string
	for _, p := range []Phase{NoDaemon, Starting, Snapshotting, Streaming, Standby, Reconnecting, Stopped} {
		if p.Ready() {
			ready = append(ready, string(p))
		}
	}
	if got := strings.Join(ready, " "); got != "streaming standby" {
		t.Errorf("ready: %s", got)
	}
}
