package postgres_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	pgserver "ghlsync/internal/postgres"
	"ghlsync/state"
	"ghlsync/state/postgres"
	"ghlsync/state/sqlite"
)

// batch is how many rows one Tx of the benchmark holds.
const batch = 1000

// BenchmarkCapture is the rate at which a backlog reaches the state. Batches go to
// both backends in turn, so that what else the machine does falls on both. What
// counts is the ratio; that of processor time (the server's included) holds on a
// machine that has much else to do, too.
func BenchmarkCapture(b *testing.B) {
	for _, ids := range []struct {
		name string
		id   func(int) string
	}{{"sequential", sequential}, {"scattered", scattered}} {
		b.Run(ids.name+"/new", func(b *testing.B) { benchmarkCapture(b, ids.id, b.N) })
		b.Run(ids.name+"/known", func(b *testing.B) { benchmarkCapture(b, ids.id, 20*batch) })
	}
}

// benchmarkCapture saves b.N rows. They come again after so many, and the first
// round is not timed then.
func benchmarkCapture(b *testing.B, id func(int) string, distinct int) {
	file, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "state.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	postmaster := durable(b)
	server, err := postgres.Open(b.Context(), postmaster.URL("postgres"), postgres.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := errors.Join(file.Close(), server.Close()); err != nil {
			b.Error(err)
		}
	}()
	var took, used [2]time.Duration
	start := 0
	if distinct < b.N {
		start = distinct
	}
	var idle time.Duration // of the server, before what is timed
	for n := 0; n < start+b.N; n += batch {
		if n >= start && n < start+batch {
			took, used = [2]time.Duration{}, [2]time.Duration{}
			idle = serverTime(b, postmaster.PID())
			b.ResetTimer()
		}
		changes := changesOf(n, min(n+batch, start+b.N), distinct, id)
		for i, s := range []state.Store{file, server} {
			began, before := time.Now(), ownTime(b)
			if err := capture(b.Context(), s, changes, began); err != nil {
				b.Fatal(err)
			}
			took[i] += time.Since(began)
			used[i] += ownTime(b) - before
		}
	}
	used[1] += serverTime(b, postmaster.PID()) - idle
	b.ReportMetric(float64(b.N)/took[0].Seconds(), "sqlite-rows/s")
	b.ReportMetric(float64(b.N)/took[1].Seconds(), "postgres-rows/s")
	b.ReportMetric(took[0].Seconds()/took[1].Seconds(), "rate-ratio")
	b.ReportMetric(used[0].Seconds()/used[1].Seconds(), "cpu-ratio")
}

// ownTime is the processor time of this process.
func ownTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// serverTime is the processor time of a postmaster's processes, in Linux's ticks.
func serverTime(b *testing.B, postmaster int) (used time.Duration) {
	b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		// Behind the name in parentheses: state, parent, …, utime, stime.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[1] != strconv.Itoa(postmaster) {
			continue
		}
		for _, ticks := range fields[11:13] {
			n, err := strconv.Atoi(ticks)
			if err != nil {
				b.Fatal(err)
			}
			used += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return used
}

func changesOf(from, to, distinct int, id func(int) string) []state.Change {
	now := time.Now()
	changes := make([]state.Change, 0, batch)
	for i := from; i < to; i++ {
		changes = append(changes, upsert(id(i%distinct), int64(i+1), now))
	}
	return changes
}

// durable is a server that syncs what it commits, on the disk that
// the other backend's file is on.
func durable(b *testing.B) *pgserver.Server {
	b.Helper()
	server, err := pgserver.Start(b.Context(), pgserver.Options{
		Dir: os.TempDir(), WALSegments: 16, Settings: map[string]string{"fsync": "on", "min_wal_size": "512MB"},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := server.Stop(context.WithoutCancel(b.Context())); err != nil {
			b.Error(err)
		}
	})
	return server
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
