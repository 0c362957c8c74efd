package sqlite_test

import (
	"testing"

	"ghlsync/state/sqlite"
)

// Whoever gives up waiting for the writer, at whatever moment, does not keep it
// from those who come after.
func TestBegunIsNotLeftBehind(t *testing.T) {
	t.Parallel()
	s := openAt(t, made(t))
	if err := sqlite.LeaveBegun(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if tx, err := s.Begin(t.Context()); err == nil {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
	fill(t, s, "c")
}
