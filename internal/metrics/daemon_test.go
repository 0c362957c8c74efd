package metrics_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"

	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/testdata/sentra"
)

const token = "bait-http-token"

// rig is a daemon between a Sentra and a GHL.
type rig struct {
	t      *testing.T
	db     *pgtest.DB
	ghl    *sandbox.Sandbox
	daemon *daemon.Daemon
	told   atomic.Int64 // calls that the daemon's own hook was told of
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, db: pgtest.Database(t), ghl: sandbox.New(sandbox.Options{})}
	r.db.Exec(t, sentra.Seed)
	if err := r.ghl.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.ghl.Close)
	cfg, _, err := config.Load(t.Context(), config.FromMap(map[string]string{
		"SENTRA_DATABASE_URL": r.db.URL, "CDC_SLOT": "ghlsync_" + r.db.Name, "CDC_CANARY": "1s", "CDC_WAL_BUDGET": "1GB",
		"STATE_URL": "sqlite:" + filepath.Join(t.TempDir(), "state.db"), "SENTRA_BACKFILL": "all",
		"GHL_WEBHOOK_URL": r.ghl.WebhookURL(), "HTTP_ADDR": "127.0.0.1:0", "HTTP_TOKEN": token,
	}), config.All()...)
	if err != nil {
		t.Fatal(err)
	}
	r.daemon = daemon.New(cfg, slog.New(slog.DiscardHandler), daemon.Hooks{Delivered: func(deliver.Event) { r.told.Add(1) }})
	if err := r.daemon.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.daemon.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return r
}

// get asks the daemon with a token; "" for none.
func (r *rig) get(path, token string) (code int, body string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "http://"+r.daemon.Addr()+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (r *rig) scrape() exposition {
	r.t.Helper()
	code, text := r.get("/metrics", token)
	if code != http.StatusOK {
		r.t.Fatalf("scrape: %d %s", code, text)
	}
	return parse(r.t, text)
}

func (r *rig) status() (s admin.Status) {
	r.t.Helper()
	code, text := r.get("/api/v1/status", token)
	if err := json.Unmarshal([]byte(text), &s); code != http.StatusOK || err != nil {
		r.t.Fatalf("status: %d %v %s", code, err, text)
	}
	return s
}

// until polls with a deadline. It tells what was missing last.
func (r *rig) until(missing func() string) {
	r.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		what := missing()
		if what == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// settled waits until every event has been called for, one is refused for good,
// and a canary and a look at the source have come through.
func (r *rig) settled() {
	r.t.Helper()
	r.until(func() string {
		s := r.status()
		switch {
		case s.Mappings.Failed != 1 || s.Mappings.Synced != s.Mappings.Total-1 || s.Mappings.Total < 6:
			return "all events are called for"
		case s.Canary == nil || s.Canary.RoundTripMS == nil:
			return "a canary comes through"
		case s.Slot == nil || s.Slot.WALLeftBytes == nil || s.Slot.WALBytesPerSecond == nil:
			return "the source is looked at"
		}
		return ""
	})
}

// of are the values that a scrape is to have for a status.
func of(t *testing.T, s admin.Status) map[string]float64 {
	t.Helper()
	lsn := func(text string) float64 {
		at, err := pglogrepl.ParseLSN(text)
		if err != nil {
			t.Fatal(err)
		}
		return float64(at)
	}
	return map[string]float64{
		`ghlsync_health{health="` + string(s.Health) + `"}`:               1,
		`ghlsync_capture_phase{phase="` + string(s.Daemon.Phase) + `"}`:   1,
		"ghlsync_checkpoint_lsn_bytes":                                    lsn(s.Checkpoint.LSN),
		"ghlsync_checkpoint_epoch":                                        float64(s.Checkpoint.Epoch),
		"ghlsync_checkpoint_source_commit_timestamp_seconds":              float64(s.Checkpoint.CommittedAt.UnixMicro()) / 1e6,
		`ghlsync_mappings{status="synced"}`:                               float64(s.Mappings.Synced),
		`ghlsync_mappings{status="failed"}`:                               float64(s.Mappings.Failed),
		`ghlsync_mappings{status="pending"}`:                              float64(s.Mappings.Pending),
		"ghlsync_slot_confirmed_flush_lsn_bytes":                          lsn(*s.Slot.ConfirmedFlushLSN),
		"ghlsync_slot_retained_wal_bytes":                                 float64(*s.Slot.RetainedWALBytes),
		"ghlsync_slot_lag_bytes":                                          float64(*s.Slot.LagBytes),
		"ghlsync_slot_wal_left_bytes":                                     float64(*s.Slot.WALLeftBytes),
		`ghlsync_slot_wal_status{wal_status="` + *s.Slot.WALStatus + `"}`: 1,
		`ghlsync_delivery_breaker{state="` + s.Delivery.Breaker + `"}`:    1,
		"ghlsync_delivery_rate_tokens":                                    *s.Delivery.RateTokens,
		"ghlsync_delivery_last_attempt_timestamp_seconds":                 float64(s.Delivery.LastSyncAttempt.UnixMicro()) / 1e6,
		"ghlsync_state_up":                                                1,
		"ghlsync_source_up":                                               1,
	}
}

// A scrape of a running daemon says what its status says, counts what came
// through, and holds no secret. It needs the token.
func TestScrapeOfADaemon(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.ghl.Set(sandbox.Faults{Rules: []sandbox.Rule{
		{Event: "event-broke", Effect: sandbox.EffectFailure, Code: "BAIT_CODE_OF_GHL"},
	}}); err != nil {
		t.Fatal(err)
	}
	r.until(func() string {
		if r.status().Daemon.Phase != admin.Streaming {
			return "it streams"
		}
		return ""
	})
	r.db.Exec(t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type)
		VALUES ('event-broke', 1, 'Bait title', '2030-05-01', '2030-05-01', '10:00', '11:00', 'Bait description', 'onboarding')`)
	r.settled()
	for _, wrong := range []string{"", "another"} {
		if code, text := r.get("/metrics", wrong); code != http.StatusUnauthorized || strings.Contains(text, "ghlsync_") {
			t.Errorf("with token %q: %d", wrong, code)
		}
	}
	r.agrees()
	r.counts()
	text := r.scrape().text
	for _, secret := range []string{
		"Bait", "BAIT", "bait", "example.com", "+1555", "Business", "Client 1", "event-", "webhook-trigger", "127.0.0.1", r.db.Name, token,
	} {
		if strings.Contains(text, secret) {
			t.Errorf("a scrape holds %q", secret)
		}
	}
}

// agrees compares with the status between two of which the scrape was made:
// while nothing moves, all three are the same.
func (r *rig) agrees() {
	r.t.Helper()
	r.until(func() string {
		before := of(r.t, r.status())
		got := r.scrape().series()
		want := of(r.t, r.status())
		if moved := cmp.Diff(before, want); moved != "" {
			return "the status stands still: " + moved
		}
		told := make(map[string]float64, len(want))
		for name := range want {
			if value, ok := got[name]; ok {
				told[name] = value
			}
		}
		return cmp.Diff(want, told)
	})
}

// counts checks what a daemon counts against what happened.
func (r *rig) counts() {
	r.t.Helper()
	got := r.scrape().series()
	var attempts, calls float64
	for name, value := range got {
		if strings.HasPrefix(name, "ghlsync_delivery_attempts_total") {
			attempts += value
		}
		if strings.HasPrefix(name, "ghlsync_delivery_call_duration_seconds_count") {
			calls += value
		}
	}
	if told := float64(r.told.Load()); attempts != told || calls != told || told < 6 {
		r.t.Errorf("%v attempts, %v durations, and the hook was told of %v calls", attempts, calls, told)
	}
	if got[`ghlsync_delivery_attempts_total{code="OTHER", operation="create", outcome="permanent"}`] != 1 {
		r.t.Error("the refused call is not counted")
	}
	if n := got[`ghlsync_delivery_latency_seconds_count{operation="create"}`]; n != attempts-1 {
		r.t.Errorf("%v latencies of %v calls, of which one was refused", n, attempts)
	}
	if rows := got["ghlsync_capture_rows_total"]; rows != 1 {
		r.t.Errorf("%v rows came through the stream", rows)
	}
	if n, commits := got["ghlsync_capture_transactions_total"], got["ghlsync_capture_commits_total"]; n < 1 || commits < 1 {
		r.t.Errorf("%v transactions and %v commits", n, commits)
	}
}
