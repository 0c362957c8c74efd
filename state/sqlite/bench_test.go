package sqlite_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// batch is how many rows one Tx of the benchmarks holds.
const batch = 1000

func openBench(b *testing.B) *sqlite.Store {
	b.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(b.TempDir(), "state.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

func upsert(id string, lsn int64, now time.Time) state.Change {
	body := []byte(fmt.Sprintf(`{"sentra_event_id":%q,"n":%d,"fill":"%s"}`, id, lsn, strings.Repeat("x", 440)))
	return state.Change{
		ID: state.EventID(id), Version: state.Version{LSN: pglogrepl.LSN(lsn)}, CommittedAt: now, Wanted: state.Present,
		EventType: "onboarding", Payload: body, Hash: fmt.Sprintf("%064x", lsn), Inserted: true,
	}
}

// merge is what capture does with a batch: load, merge, save, commit.
func merge(ctx context.Context, s state.Store, changes []state.Change, now time.Time) error {
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if err := mergeInto(ctx, tx, changes, now); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func mergeInto(ctx context.Context, tx state.Tx, changes []state.Change, now time.Time) error {
	ids := make([]state.EventID, len(changes))
	for i, c := range changes {
		ids[i] = c.ID
	}
	known, err := tx.Load(ctx, ids)
	if err != nil {
		return err
	}
	var rows []*state.Mapping
	for _, c := range changes {
		m, effect := state.Merge(known[c.ID], c, now)
		if effect != state.Ignored {
			rows = append(rows, m)
		}
	}
	return tx.Save(ctx, rows...)
}

func sequential(n int) string { return fmt.Sprint(1_000_000 + n) }

func scattered(n int) string {
	h := sha256.Sum256([]byte(fmt.Sprint(n)))
	return hex.EncodeToString(h[:16])
}

// BenchmarkCapture is the rate at which a backlog reaches the state.
func BenchmarkCapture(b *testing.B) {
	for name, id := range map[string]func(int) string{"sequential": sequential, "scattered": scattered} {
		b.Run("new/"+name, func(b *testing.B) { benchmarkCapture(b, id, b.N) })
		b.Run("known/"+name, func(b *testing.B) { benchmarkCapture(b, id, 20*batch) })
	}
}

// benchmarkCapture saves b.N rows; ids repeat after distinct of them, and the
// first round is not timed then.
func benchmarkCapture(b *testing.B, id func(int) string, distinct int) {
	s := openBench(b)
	ctx, now := context.Background(), time.Now()
	changes := make([]state.Change, 0, batch)
	run := func(from, to int) {
		for n := from; n < to; n += len(changes) {
			changes = changes[:0]
			for i := n; i < min(n+batch, to); i++ {
				changes = append(changes, upsert(id(i%distinct), int64(i+1), now))
			}
			if err := merge(ctx, s, changes, now); err != nil {
				b.Fatal(err)
			}
		}
	}
	start := 0
	if distinct < b.N {
		start = distinct
		run(0, distinct)
	}
	before := cpu(b)
	b.ResetTimer()
	run(start, start+b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/row")
}

// cpu is the processor time used so far: on a machine that does other work too
// it says more than the clock.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
