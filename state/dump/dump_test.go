package dump_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/dump"
	"ghlsync/state/postgres"
	"ghlsync/state/sqlite"
	"ghlsync/state/statetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func inSQLite(t *testing.T) statetest.Open {
	path := filepath.Join(t.TempDir(), "state.db")
	return func(ctx context.Context) (state.Store, error) { return sqlite.Open(ctx, path, sqlite.Options{}) }
}

func inPostgres(t *testing.T) statetest.Open {
	db := pgtest.DatabaseWithoutSchema(t)
	return func(ctx context.Context) (state.Store, error) {
		return postgres.Open(ctx, db.URL, postgres.Options{Alone: true})
	}
}

func TestFromOneBackendToAnother(t *testing.T) {
	t.Parallel()
	backends := map[string]func(*testing.T) statetest.Open{"SQLite": inSQLite, "Postgres": inPostgres}
	for from, source := range backends {
		for into, target := range backends {
			t.Run(from+" to "+into, func(t *testing.T) {
				t.Parallel()
				statetest.Move(t, source(t), target(t), func(from, into state.Store) error {
					var stream bytes.Buffer
					if _, err := dump.Write(t.Context(), &stream, exportable(t, from), dump.Header{}); err != nil {
						return err
					}
					_, err := dump.Read(t.Context(), &stream, exportable(t, into))
					return err
				})
			})
		}
	}
}

func exportable(t *testing.T, s state.Store) dump.Store {
	t.Helper()
	e, ok := s.(dump.Store)
	if !ok {
		t.Fatalf("a %T cannot be exported", s)
	}
	return e
}

// open is a state until the test ends.
func open(t *testing.T, how statetest.Open) dump.Store {
	t.Helper()
	s, err := how(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return exportable(t, s)
}

// exported is a small export with a row of each kind.
func exported(t *testing.T) []byte {
	t.Helper()
	s := open(t, inSQLite(t))
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	at := time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)
	m := &state.Mapping{ID: "event-1", Wanted: state.Present, GHL: state.GHLAbsent, Payload: []byte(`{"client_email":"bait@example.com"}`), NextAttempt: at}
	err = errors.Join(
		tx.Save(t.Context(), m, &state.Mapping{ID: "event-2", Wanted: state.Absent, GHL: state.GHLAbsent}),
		tx.Record(t.Context(), state.Attempt{EventID: "event-1", Operation: state.Create, DeliveryID: "d", StartedAt: at, Outcome: "retry"}),
		tx.Retire(t.Context(), "event-2", "ghl-2", at), tx.SetPaused(t.Context(), at),
		tx.SetCheckpoint(t.Context(), nil, state.Checkpoint{Slot: "ghlsync", LSN: 7}),
		tx.Commit(t.Context()),
	)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c, err := dump.Write(t.Context(), &out, s, dump.Header{Source: "sqlite", Program: "v1", ExportedAt: at})
	if want := (dump.Counts{Checkpoints: 1, Retired: 1, Mappings: 2, Attempts: 1, Paused: true}); err != nil || c != want {
		t.Fatalf("%+v, %v", c, err)
	}
	return out.Bytes()
}

// What is not what was written is refused, whatever byte it is that differs, and
// leaves nothing.
func TestDamagedExports(t *testing.T) {
	t.Parallel()
	whole := exported(t)
	into := open(t, inSQLite(t))
	refused := func(what string, stream []byte, want ...error) {
		t.Helper()
		_, err := dump.Read(t.Context(), bytes.NewReader(stream), into)
		if err == nil {
			t.Fatalf("%s is imported", what)
		}
		if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
			t.Errorf("%s: %v", what, err)
		}
		if strings.Contains(err.Error(), "bait") {
			t.Errorf("%s: client data: %v", what, err)
		}
	}
	for n := 0; n < len(whole); n += 3 {
		refused(fmt.Sprintf("an export cut off at %d", n), whole[:n], dump.ErrDamaged, dump.ErrForeign)
		flipped := bytes.Clone(whole)
		flipped[n] ^= 1 << (n % 8)
		refused(fmt.Sprintf("an export with byte %d flipped", n), flipped, dump.ErrDamaged, dump.ErrForeign, state.ErrNewerSchema)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	refused("an export without a line", slices.Concat(slices.Concat(lines[:3]...), slices.Concat(lines[4:]...)), dump.ErrDamaged)
	refused("two exports", slices.Concat(whole, whole), dump.ErrDamaged)
	refused("an endless line", bytes.Repeat([]byte("x"), 65<<20), dump.ErrForeign)
	refused("a newer export", bytes.Replace(whole, []byte(`"schema":1`), []byte(`"schema":2,"more":[]`), 1), state.ErrNewerSchema)
	for _, other := range []string{"", "\n", "{}", "null\n", "SQLite format 3\x00", `{"header":{"format":"another","schema":1}}` + "\n"} {
		refused(fmt.Sprintf("%q", other), []byte(other), dump.ErrForeign)
	}
	if c, err := dump.Read(t.Context(), bytes.NewReader(whole), into); err != nil || c.Mappings != 2 {
		t.Fatalf("after all that, the whole export: %+v, %v", c, err)
	}
	if _, err := dump.Read(t.Context(), bytes.NewReader(whole), into); !errors.Is(err, dump.ErrNotEmpty) ||
		!strings.Contains(err.Error(), "2 mappings, 1 checkpoint, 1 line of the audit, 1 retired appointment, a pause of delivery") {
		t.Errorf("into what is not empty: %v", err)
	}
}

// brokenWriter takes so many bytes.
type brokenWriter int

func (w *brokenWriter) Write(p []byte) (int, error) {
	if len(p) > int(*w) {
		return 0, io.ErrShortWrite
	}
	*w -= brokenWriter(len(p))
	return len(p), nil
}

func TestFailedExport(t *testing.T) {
	t.Parallel()
	size := len(exported(t))
	from := open(t, inSQLite(t))
	if _, err := dump.Read(t.Context(), bytes.NewReader(exported(t)), from); err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 100, size - 100, size - 1} {
		if _, err := dump.Write(t.Context(), new(brokenWriter(room)), from, dump.Header{Source: "sqlite", Program: "v1"}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("with room for %d bytes: %v", room, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dump.Write(ctx, io.Discard, from, dump.Header{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled export: %v", err)
	}
}
