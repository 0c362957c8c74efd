package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// fill saves rows with the given ids, in one Tx.
func fill(t *testing.T, s state.Store, ids ...string) {
	t.Helper()
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	for _, id := range ids {
		if err := tx.Save(t.Context(), &state.Mapping{ID: state.EventID(id), Wanted: state.Present, GHL: state.GHLAbsent}); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// made is the path of a state file that is closed, with two rows in it.
func made(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, "a", "b")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// The names of the files beside the state file.
var beside = []string{"", "-wal", "-shm", ".lock"}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]func(t *testing.T) string{
		"made":          func(t *testing.T) string { return filepath.Join(t.TempDir(), "state.db") },
		"closed":        made,
		"after a crash": crashed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := found(t)
			for _, suffix := range beside { // what is not there yet cannot be opened up
				if err := os.Chmod(path+suffix, 0o644); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
			s := openAt(t, path)
			fill(t, s, "c")
			for _, suffix := range beside {
				info, err := os.Stat(path + suffix)
				if err != nil {
					t.Error(err)
					continue
				}
				if mode := info.Mode().Perm(); mode != 0o600 {
					t.Errorf("%s has mode %o", filepath.Base(path)+suffix, mode)
				}
			}
		})
	}
}

// A file that is closed can be copied alone.
func TestCloseLeavesOneFile(t *testing.T) {
	t.Parallel()
	path := made(t)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "state.db state.db.lock" {
		t.Errorf("a closed state is %s", got)
	}
	if data := read(t, path+".lock"); len(data) != 0 {
		t.Errorf("the lock still says %s", data)
	}
}

func TestPathsOfEveryKind(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "100%.db", "é#1.db", "q?mode=memory.db", "'x'.db"} {
		path := filepath.Join(t.TempDir(), name)
		s := openAt(t, path)
		fill(t, s, "a")
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		r, err := sqlite.OpenReadOnly(t.Context(), path)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if m, err := r.Get(t.Context(), "a"); err != nil || m.ID != "a" {
			t.Errorf("%q: %v, %v", name, m, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := refusal(t, dir); !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a directory: %v", err)
	}
	if _, err := sqlite.OpenReadOnly(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("reading a directory: %v", err)
	}
	missing := filepath.Join(dir, "no", "state.db")
	if err := refusal(t, missing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory: %v", err)
	}
	nothing := filepath.Join(dir, "state.db")
	if _, err := sqlite.OpenReadOnly(t.Context(), nothing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading what is not there: %v", err)
	}
	write(t, nothing, nil)
	if _, err := sqlite.OpenReadOnly(t.Context(), nothing); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading an empty file: %v", err)
	}
	if data := read(t, nothing); len(data) != 0 {
		t.Error("reading has made something")
	}
}

// A file of an older version is brought up to date by who may write, and only
// told of by who may not.
func TestOlderSchemaIsMigrated(t *testing.T) {
	t.Parallel()
	path := made(t)
	raw(t, path, "DROP INDEX ghl_sync_mappings_drift", "ALTER TABLE ghl_sync_mappings DROP COLUMN drift",
		"ALTER TABLE ghl_sync_mappings DROP COLUMN drift_at")
	raw(t, path, "DROP TABLE delivery_pause", "DROP INDEX ghl_sync_mappings_due_absent", "DROP INDEX ghl_sync_mappings_due",
		"ALTER TABLE ghl_sync_mappings DROP COLUMN known", "ALTER TABLE ghl_sync_mappings DROP COLUMN starts_at",
		"CREATE INDEX ghl_sync_mappings_due ON ghl_sync_mappings (next_attempt_at) WHERE next_attempt_at IS NOT NULL",
		"DELETE FROM goose_db_version WHERE version_id > 1")
	if _, err := sqlite.OpenReadOnly(t.Context(), path); err == nil || !strings.Contains(err.Error(), "start the daemon") {
		t.Errorf("for reading: %v", err)
	}
	s := openAt(t, path)
	if at, err := s.PausedAt(t.Context()); err != nil || !at.IsZero() {
		t.Errorf("paused at %s, %v", at, err)
	}
	if _, err := s.Get(t.Context(), "a"); err != nil {
		t.Errorf("the rows: %v", err)
	}
}

func TestReadersBesideTheWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, path)
	fill(t, s, "a")
	r, err := sqlite.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		id := fmt.Sprint("new-", i)
		fill(t, s, id)
		if _, err := r.Get(t.Context(), state.EventID(id)); err != nil {
			t.Errorf("what was committed is not read: %v", err)
		}
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// Every statement may be written with numbered placeholders, in any order: other
// drivers bind by first appearance.
func TestPlaceholdersAreBoundByNumber(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	var a, b string
	err = db.QueryRowContext(t.Context(), "select $2, $1", "first", "second").Scan(&a, &b)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if a != "second" || b != "first" {
		t.Errorf("select $2, $1 gives %q, %q", a, b)
	}
}

// When the disk is full nothing is half stored, and it goes on once there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	path := made(t)
	s := openAt(t, path)
	limit := func(pages int) {
		t.Helper()
		if err := sqlite.LimitPages(t.Context(), s, pages); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // SQLite raises it to what the file has
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	for i := 0; i < 10_000 && failed == nil; i++ {
		failed = tx.Save(t.Context(), &state.Mapping{
			ID: state.EventID(fmt.Sprint("big-", i)), Wanted: state.Present, GHL: state.GHLAbsent, Payload: bytes.Repeat([]byte("x"), 1000),
		})
	}
	if failed == nil {
		t.Fatal("a full disk takes everything")
	}
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("a failed Tx commits")
	}
	rows, err := s.List(t.Context(), state.Filter{}, "", 100)
	if err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if c, err := s.Counts(context.WithoutCancel(t.Context())); err != nil || c.Total != 2 {
		t.Errorf("counts %+v, %v", c, err)
	}
	limit(1 << 20)
	fill(t, s, "c")
}
