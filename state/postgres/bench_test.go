package postgres_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	pgserver "ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
	"ghlsync/state/sqlite"
)

// batch is how many rows one Tx of the benchmark holds.
const batch = 1000

// BenchmarkCapture is the rate at which a backlog reaches the state, on both
// backends in turn, so that what else the machine does falls on both.
func BenchmarkCapture(b *testing.B) {
	backends := []struct {
		name string
		open func(b *testing.B) (state.Store, error)
	}{
		{"sqlite", func(b *testing.B) (state.Store, error) {
			return sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "state.db"), sqlite.Options{})
		}},
		{"postgres", func(b *testing.B) (state.Store, error) {
			return postgres.Open(b.Context(), durable(b), postgres.Options{})
		}},
	}
	for _, ids := range []struct {
		name string
		id   func(int) string
	}{{"sequential", sequential}, {"scattered", scattered}} {
		for _, known := range []bool{false, true} {
			for _, backend := range backends {
				name := fmt.Sprintf("%s/known=%t/%s", ids.name, known, backend.name)
				b.Run(name, func(b *testing.B) { benchmarkCapture(b, backend.open, ids.id, known) })
			}
		}
	}
}

// durable is a database of a server that syncs what it commits, on the disk that
// the other backend's file is on.
func durable(b *testing.B) string {
	b.Helper()
	server := pgtest.Own(b, pgserver.Options{Dir: os.TempDir(), Settings: map[string]string{"fsync": "on", "wal_buffers": "16MB"}})
	return server.URL("postgres")
}

// benchmarkCapture saves b.N rows. Known ones come again and again.
func benchmarkCapture(b *testing.B, open func(*testing.B) (state.Store, error), id func(int) string, known bool) {
	s, err := open(b)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	distinct, start := b.N, 0
	if known {
		distinct, start = 20*batch, 20*batch
		backlog(b, s, id, distinct, 0, start)
	}
	b.ResetTimer()
	backlog(b, s, id, distinct, start, start+b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func backlog(b *testing.B, s state.Store, id func(int) string, distinct, from, to int) {
	b.Helper()
	now := time.Now()
	for n := from; n < to; n += batch {
		changes := make([]state.Change, 0, batch)
		for i := n; i < min(n+batch, to); i++ {
			changes = append(changes, upsert(id(i%distinct), int64(i+1), now))
		}
		if err := capture(b.Context(), s, changes, now); err != nil {
			b.Fatal(err)
		}
	}
}

// capture is what capture does with a batch.
func capture(ctx context.Context, s state.Store, changes []state.Change, now time.Time) error {
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	ids := make([]state.EventID, len(changes))
	for i, c := range changes {
		ids[i] = c.ID
	}
	known, err := tx.Load(ctx, ids)
	if err != nil {
		return err
	}
	rows := make([]*state.Mapping, 0, len(changes))
	for _, c := range changes {
		if m, effect := state.Merge(known[c.ID], c, now); effect != state.Ignored {
			rows = append(rows, m)
		}
	}
	if err := tx.Save(ctx, rows...); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func upsert(id string, lsn int64, now time.Time) state.Change {
	body := fmt.Appendf(nil, `{"sentra_event_id":%q,"n":%d,"fill":"%s"}`, id, lsn, strings.Repeat("x", 440))
	return state.Change{
		ID: state.EventID(id), Version: state.Version{LSN: pglogrepl.LSN(lsn)}, CommittedAt: now, Wanted: state.Present,
		EventType: "onboarding", Payload: body, Hash: fmt.Sprintf("%064x", lsn), Inserted: true,
	}
}

func sequential(n int) string { return fmt.Sprint(1_000_000 + n) }

func scattered(n int) string {
	h := sha256.Sum256(fmt.Append(nil, n))
	return hex.EncodeToString(h[:16])
}
