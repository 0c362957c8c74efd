package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"ghlsync/state"
	"ghlsync/state/sqlite"
	"ghlsync/state/statetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	statetest.Run(t, func(t *testing.T) statetest.Open {
		path := filepath.Join(t.TempDir(), "state.db")
		return func(ctx context.Context) (state.Store, error) { return sqlite.Open(ctx, path, sqlite.Options{}) }
	})
}

// openAt opens the file until the test ends.
func openAt(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
