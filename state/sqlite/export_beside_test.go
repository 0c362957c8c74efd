package sqlite_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// A daemon that starts while a file is exported that nobody had open, and moves
// pages into that file, does not change what is exported.
func TestExportBesideADaemonThatStarts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	const rows = 3000
	before, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	change(t, before, rows, 1)
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	reader, err := sqlite.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	err = reader.Export(t.Context(), func(c state.Content) error {
		if c.Mapping == nil {
			return nil
		}
		if seen++; seen == 1 {
			daemon := openAt(t, path)
			change(t, daemon, rows, 2)
			if err := sqlite.Execute(t.Context(), daemon, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
				t.Error(err)
			}
		}
		if c.Mapping.Revision != 1 {
			t.Fatalf("%s is exported as it was changed meanwhile", c.Mapping.ID)
		}
		return nil
	})
	if err != nil || seen != rows {
		t.Errorf("%d rows, %v", seen, err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
}

// change gives every row a revision and a large payload.
func change(t *testing.T, s *sqlite.Store, rows int, revision int64) {
	t.Helper()
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	for n := range rows {
		m := &state.Mapping{ID: state.EventID(fmt.Sprintf("%05d", n)), Wanted: state.Present, GHL: state.GHLAbsent, Revision: revision, Payload: []byte(strings.Repeat("x", 1000))}
		if revision > 1 {
			m.SetStored(m.Class())
		}
		if err := tx.Save(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}
