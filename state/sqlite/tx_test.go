package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"ghlsync/state"
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

func TestBeginWaitsForTheTxBefore(t *testing.T) {
	t.Parallel()
	s := openAt(t, made(t))
	first, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.Begin(impatient); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it does not wait, or not for its context: %v", err)
	}
	var ended atomic.Bool
	second := make(chan error, 1)
	go func() {
		tx, err := s.Begin(t.Context())
		if err == nil {
			err = tx.Rollback()
		}
		if !ended.Load() {
			err = errors.Join(err, errors.New("two transactions are open"))
		}
		second <- err
	}()
	ended.Store(true)
	if err := first.Rollback(); err != nil {
		t.Error(err)
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
}

// An operator's shell may write for a while. A Tx does not begin beside it, so that
// its first statement cannot find the file changed since it looked.
func TestBeginWaitsForAnotherProgram(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{BusyTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	shell, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(shell.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	}()
	conn, err := shell.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	if tx, err := s.Begin(t.Context()); err == nil {
		t.Errorf("it begins while another program writes: %v", tx.Rollback())
	}
	_, err = conn.ExecContext(t.Context(), "COMMIT")
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	fill(t, s, "a")
}

// After some errors SQLite rolls back by itself. What comes next must not be stored
// on its own, and the store goes on.
func TestRolledBackBySQLite(t *testing.T) {
	t.Parallel()
	s := openAt(t, made(t))
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	row := &state.Mapping{ID: "lost", Wanted: state.Present, GHL: state.GHLAbsent}
	if err := tx.Save(t.Context(), row); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.RollBackBehind(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("a Tx commits that is gone")
	}
	if err := tx.Rollback(); err != nil {
		t.Errorf("roll back: %v", err)
	}
	if _, err := s.Get(t.Context(), "lost"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("it is stored: %v", err)
	}
	fill(t, s, "c")
}

// No test can cut the power: what makes commits outlive that is looked at.
func TestCommitsAreSynced(t *testing.T) {
	t.Parallel()
	writer, copier, err := sqlite.Synchronous(t.Context(), openAt(t, made(t)))
	if err != nil || writer != 2 || copier != 2 {
		t.Errorf("synchronous is %d for the writer, %d for the copier, %v", writer, copier, err)
	}
}
