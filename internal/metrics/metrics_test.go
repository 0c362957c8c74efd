package metrics_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/internal/admin"
	"ghlsync/internal/metrics"
	"ghlsync/internal/version"
	"ghlsync/state"
)

func TestConventions(t *testing.T) {
	t.Parallel()
	problems, err := promlint.New(strings.NewReader(full(t).text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// Every value that the status has is told as it is.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	got := full(t).series()
	maps.DeleteFunc(got, func(name string, _ float64) bool {
		return strings.HasPrefix(name, "ghlsync_delivery_call_duration") || strings.HasPrefix(name, "ghlsync_delivery_latency") ||
			strings.HasPrefix(name, "ghlsync_delivery_attempts") || strings.HasPrefix(name, "ghlsync_build_info")
	})
	minuteAgo := float64(now.Unix() - 60)
	want := map[string]float64{
		`ghlsync_health{health="ok"}`: 0, `ghlsync_health{health="degraded"}`: 0, `ghlsync_health{health="down"}`: 1,
		`ghlsync_capture_phase{phase="starting"}`: 0, `ghlsync_capture_phase{phase="snapshotting"}`: 0, `ghlsync_capture_phase{phase="streaming"}`: 1,
		`ghlsync_capture_phase{phase="standby"}`: 0, `ghlsync_capture_phase{phase="reconnecting"}`: 0, `ghlsync_capture_phase{phase="stopped"}`: 0,
		"ghlsync_capture_phase_start_timestamp_seconds": minuteAgo,
		"ghlsync_capture_transactions_total":            21, "ghlsync_capture_rows_total": 22, "ghlsync_capture_commits_total": 23,

		`ghlsync_callbacks_total{result="learned", route="/callbacks/ghl"}`: 1,

		"ghlsync_state_up": 1, "ghlsync_checkpoint_lsn_bytes": 0x16B3748, "ghlsync_checkpoint_epoch": 1, "ghlsync_checkpoint_age_seconds": 3600,
		"ghlsync_checkpoint_source_commit_timestamp_seconds": float64(now.Unix() - 3600), "ghlsync_checkpoint_snapshot_pending": 0,
		`ghlsync_mappings{status="synced"}`: 2, `ghlsync_mappings{status="pending"}`: 2, `ghlsync_mappings{status="failed"}`: 1,
		"ghlsync_mappings_held": 1, "ghlsync_mappings_assumed": 1,

		"ghlsync_source_up": 1, "ghlsync_slot_exists": 1, "ghlsync_slot_active": 1,
		`ghlsync_slot_wal_status{wal_status="reserved"}`: 0, `ghlsync_slot_wal_status{wal_status="extended"}`: 1,
		`ghlsync_slot_wal_status{wal_status="unreserved"}`: 0, `ghlsync_slot_wal_status{wal_status="lost"}`: 0,
		"ghlsync_slot_confirmed_flush_lsn_bytes": 0x10, "ghlsync_slot_restart_lsn_bytes": 1<<32 + 8,
		"ghlsync_slot_retained_wal_bytes": 4000, "ghlsync_slot_safe_wal_bytes": 5000, "ghlsync_slot_lag_bytes": 6000,
		"ghlsync_source_wal_bytes_per_second": 7000, "ghlsync_slot_wal_left_bytes": 8000, "ghlsync_slot_wal_left_seconds": 9,
		"ghlsync_canary_interval_seconds": 30, "ghlsync_canary_sent_timestamp_seconds": minuteAgo,
		"ghlsync_canary_round_trip_seconds": .25, "ghlsync_canary_waiting_seconds": 60,

		"ghlsync_delivery_enabled": 1, `ghlsync_delivery_paused{by="operator"}`: 0, `ghlsync_delivery_paused{by="ghl"}`: 0,
		`ghlsync_delivery_breaker{state="closed"}`: 1, `ghlsync_delivery_breaker{state="open"}`: 0, `ghlsync_delivery_breaker{state="half-open"}`: 0,
		"ghlsync_delivery_throttled": 1, "ghlsync_delivery_next_probe_timestamp_seconds": minuteAgo + 3600,
		"ghlsync_delivery_last_attempt_timestamp_seconds": float64(now.Unix() - 3600),
		"ghlsync_delivery_calls_in_flight":                11, "ghlsync_delivery_rate_tokens": 12.5, "ghlsync_delivery_store_failing": 0,
		"ghlsync_delivery_calls_per_second": 2.5, "ghlsync_delivery_backlog_done_timestamp_seconds": float64(now.Unix()),
		"ghlsync_ghl_rate_remaining": 70, "ghlsync_ghl_rate_daily_remaining": 150_000, "ghlsync_ghl_rate_daily_limit": 200_000,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// What is not known, or does not apply, is absent: a 0 would be a lie.
func TestUnknownIsAbsent(t *testing.T) {
	t.Parallel()
	nothing := known{
		capture:  admin.Capture{Phase: admin.Starting},
		delivery: admin.Delivery{Breaker: deliver.BreakerClosed},
		slot:     func(context.Context) (*admin.Slot, error) { return nil, errors.New("the source is not reachable") },
	}
	s := nothing.service(t)
	s.State, s.StateError = nil, errors.New("the state cannot be read")
	got := scrape(t, metrics.New(0).Handler(s)).series()
	for name, value := range got {
		for _, absent := range []string{
			"_checkpoint_", "_mappings", "_slot_", "_canary_sent", "_canary_round", "_canary_waiting", "_since", "_start_timestamp", "_last_attempt", "_next_probe", "_tokens", "_wal_",
		} {
			if strings.HasPrefix(name, "ghlsync_") && strings.Contains(name, absent) {
				t.Errorf("%s is %v", name, value)
			}
		}
	}
	for _, down := range []string{"ghlsync_state_up", "ghlsync_source_up", "ghlsync_canary_interval_seconds"} {
		if value, told := got[down]; !told || value != 0 {
			t.Errorf("%s is %v, told: %t", down, value, told)
		}
	}
}

// A slot that does not exist is known; one that nobody asked about is not.
func TestSlotMissing(t *testing.T) {
	t.Parallel()
	none := everything()
	none.slot = func(context.Context) (*admin.Slot, error) { return nil, nil } //nolint:nilnil // SlotSource's word for none
	got := scrape(t, metrics.New(0).Handler(none.service(t))).series()
	exists, told := got["ghlsync_slot_exists"]
	if !told || exists != 0 || got["ghlsync_source_up"] != 1 {
		t.Errorf("slot_exists %v (told: %t), source_up %v", exists, told, got["ghlsync_source_up"])
	}
	s := none.service(t)
	s.Slots = nil
	got = scrape(t, metrics.New(0).Handler(s)).series()
	for _, name := range []string{"ghlsync_slot_exists", "ghlsync_source_up"} {
		if _, told := got[name]; told {
			t.Errorf("%s is told of a source that was not asked", name)
		}
	}
}

func TestPausedBy(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]map[string]float64{
		ghl.CodeUnauthorized:   {`ghlsync_delivery_paused{by="operator"}`: 0, `ghlsync_delivery_paused{by="ghl"}`: 1},
		admin.PausedByOperator: {`ghlsync_delivery_paused{by="operator"}`: 1},
	} {
		k := everything()
		k.delivery.Paused, k.delivery.PauseReason = true, reason
		got := scrape(t, metrics.New(0).Handler(k.service(t))).series()
		maps.DeleteFunc(got, func(name string, _ float64) bool { return !strings.HasPrefix(name, "ghlsync_delivery_paused") })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", reason, diff)
		}
	}
}

// hung is a state that does not answer.
type hung struct{ state.Reader }

func (hung) Checkpoint(ctx context.Context, _ string) (*state.Checkpoint, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A state and a source that hang delay a scrape by Timeout at most, and what else
// is known is told.
func TestScrapeIsBounded(t *testing.T) {
	t.Parallel()
	hang := everything()
	hang.slot = func(ctx context.Context) (*admin.Slot, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, s := range map[string]*admin.Service{
		"state":  {State: hung{}, Slots: hang, Live: hang},
		"source": {StateError: errors.New("no state"), Slots: hang, Live: hang},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				got := scrape(t, metrics.New(0).Handler(s)).series()
				if took := time.Since(began); took != metrics.Timeout {
					t.Errorf("a scrape took %s, want %s", took, metrics.Timeout)
				}
				if got[`ghlsync_capture_phase{phase="streaming"}`] != 1 || got["ghlsync_delivery_calls_in_flight"] != 11 {
					t.Error("what is known without state and source is not told")
				}
				if value, told := got["ghlsync_source_up"]; !told || value != 0 {
					t.Errorf("source_up is %v, told: %t", value, told)
				}
			})
		})
	}
}

func TestCalls(t *testing.T) {
	t.Parallel()
	m := metrics.New(0)
	m.Delivered(call(ghl.Delivered, ""))
	m.Delivered(call(ghl.Retry, "HTTP_503"))
	m.Delivered(call(ghl.Retry, "HTTP_502"))
	m.Delivered(call(ghl.Unknown, ghl.CodeTimeout))
	m.Delivered(call(ghl.Permanent, "CLIENT_ONE_AT_EXAMPLE"))
	absent, gone := call(ghl.NotFound, ghl.CodeNotFound), call(ghl.NotFound, ghl.CodeNotFound)
	absent.Operation, gone.Operation = state.Update, state.Delete
	m.Delivered(absent)
	m.Delivered(gone)
	snapshotted := call(ghl.Delivered, "")
	snapshotted.CommittedAt = time.Time{}
	m.Delivered(snapshotted)
	got := scrape(t, m.Handler(everything().service(t)))
	series := got.series()
	for name, want := range map[string]float64{
		`ghlsync_delivery_attempts_total{code="none", operation="create", outcome="delivered"}`:  2,
		`ghlsync_delivery_attempts_total{code="HTTP_5xx", operation="create", outcome="retry"}`:  2,
		`ghlsync_delivery_attempts_total{code="TIMEOUT", operation="create", outcome="unknown"}`: 1,
		`ghlsync_delivery_attempts_total{code="OTHER", operation="create", outcome="permanent"}`: 1,
		`ghlsync_delivery_attempts_total{code="none", operation="delete", outcome="delivered"}`:  0,
		`ghlsync_delivery_call_duration_seconds_count{operation="create"}`:                       6,
		`ghlsync_delivery_call_duration_seconds_sum{operation="create"}`:                         12,
		`ghlsync_delivery_latency_seconds_count{operation="create"}`:                             1,
		`ghlsync_delivery_latency_seconds_sum{operation="create"}`:                               30,
		`ghlsync_delivery_latency_seconds_count{operation="delete"}`:                             1,
		`ghlsync_delivery_latency_seconds_count{operation="update"}`:                             0,
	} {
		if value, told := series[name]; !told || value != want {
			t.Errorf("%s is %v (told: %t), want %v", name, value, told, want)
		}
	}
	for _, secret := range []string{"CLIENT_ONE", "event-", "delivery-1", "ghl-1", "bait"} {
		if strings.Contains(got.text, secret) {
			t.Errorf("a scrape holds %q", secret)
		}
	}
}

func TestBuildInfo(t *testing.T) {
	t.Parallel()
	if want := `goversion="` + version.Read().Go + `"`; !strings.Contains(full(t).text, want) {
		t.Errorf("no %s in ghlsync_build_info", want)
	}
}
