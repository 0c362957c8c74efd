package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl/sandbox"
)

const kills = 50

// workload plays Sentra's admins until it is stopped: inserts, edits, moves
// between types and deletes, several in a transaction, some rolled back.
type workload struct {
	stop context.CancelFunc
	done sync.WaitGroup
	err  error
}

// play starts the workload on a connection of its own.
func (r *rig) play(seed uint64) *workload {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	w := &workload{stop: cancel}
	conn, err := pgx.Connect(ctx, r.db.URL)
	if err != nil {
		r.t.Fatal(err)
	}
	w.done.Go(func() {
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		random := rand.New(rand.NewPCG(seed, 1))
		for n := 0; ctx.Err() == nil; n++ {
			if err := transaction(ctx, conn, random, n); err != nil && ctx.Err() == nil {
				w.err = err
				return
			}
		}
	})
	return w
}

func (w *workload) end(t *testing.T) {
	t.Helper()
	w.stop()
	w.done.Wait()
	if w.err != nil {
		t.Fatal(w.err)
	}
}

var types = []string{"onboarding", "handover", "onboarding", "handover", "firstdraft"}

func transaction(ctx context.Context, conn *pgx.Conn, random *rand.Rand, n int) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit there is nothing to roll back
	for i := range 1 + random.IntN(4) {
		id := fmt.Sprintf("load-%d", random.IntN(40))
		typ := types[random.IntN(len(types))]
		var sql string
		args := []any{id}
		switch random.IntN(6) {
		case 0:
			sql = "DELETE FROM calendar_events WHERE id = $1"
		case 1, 2:
			sql = "UPDATE calendar_events SET title = $2, type = $3 WHERE id = $1"
			args = append(args, fmt.Sprintf("title %d.%d", n, i), typ)
		default:
			sql = `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
				VALUES ($1, 1 + abs(hashtext($1)) % 3, $2, '2030-01-01', '2030-01-01', '09:00', '10:00', $3)
				ON CONFLICT (id) DO UPDATE SET title = excluded.title`
			args = append(args, fmt.Sprintf("title %d.%d", n, i), typ)
		}
		if _, err := tx.Exec(ctx, sql, args...); err != nil {
			return err
		}
	}
	if random.IntN(10) == 0 {
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}

// TestKillsUnderLoad kills the daemon at random moments, under load, against a GHL
// that answers slowly enough for calls to be cut. At the end the appointment
// book equals Sentra, and since GHL knows delivery ids, nothing was ever doubled.
func TestKillsUnderLoad(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	r := newRig(t, "GHL_SETTLE=20ms", "GHL_RETRY_BASE=10ms", "GHL_RETRY_CAP=50ms")
	r.faults(
		sandbox.Rule{Probability: 0.2, DelayBefore: 20 * time.Millisecond},
		sandbox.Rule{Probability: 0.2, DelayAfter: 20 * time.Millisecond},
	)
	load := r.play(seed)
	for range kills {
		r.launch()
		life := time.Duration(random.IntN(400)) * time.Millisecond
		select {
		case <-time.After(life):
		case <-r.proc.done:
			t.Fatalf("daemon ended by itself:\n%s", tail(r.proc.stderr.String(), 4000))
		}
		r.proc.kill()
	}
	r.start()
	load.end(t)
	r.caughtUp()
	r.same()
	stats := r.ghl.Stats()
	if stats.Doubles != 0 {
		t.Errorf("%d appointments were booked twice, seed %d", stats.Doubles, seed)
	}
	t.Logf("%d kills; GHL: %+v", kills, stats)
}

// TestKillWhileAnswersAreLost: GHL acts and the answer is lost to the kill. The
// call is repeated under its delivery id after GHL_SETTLE, and only a receiver
// that ignores the id books twice.
func TestKillWhileAnswersAreLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.faults(sandbox.Rule{Event: "event-1", Count: 1, Effect: sandbox.EffectHangAfter})
	r.start()
	r.insert("event-1", "onboarding", "Acted on")
	r.until("GHL has acted", func() bool {
		return slices.ContainsFunc(r.ghl.Appointments(), func(a sandbox.Appointment) bool { return a.SentraEventID == "event-1" })
	})
	r.proc.kill()
	r.start()
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 || s.Replays != 1 {
		t.Errorf("%d doubles and %d replays, want the same call once more and no double", s.Doubles, s.Replays)
	}
}
