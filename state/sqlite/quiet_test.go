package sqlite_test

import (
	"os"
	"path/filepath"
	"testing"

	"ghlsync/state/sqlite"
)

// TestReadingLeavesNothing: SQLite would make a -wal and a -shm beside a state that
// nobody has open, and could not take them away again.
func TestReadingLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "state.db")
	writer, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	before := files(t, dir)
	reader, err := sqlite.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Counts(t.Context()); err != nil {
		t.Error(err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	if now := files(t, dir); now != before {
		t.Errorf("%d files, were %d", now, before)
	}
}

func files(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
