package postgres_test

import (
	"errors"
	"testing"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// Who is alone gets in while nobody is there, and keeps others out; who only reads
// does not count.
func TestAlone(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	refused := func(what string, o postgres.Options) {
		t.Helper()
		s, err := postgres.Open(t.Context(), db.URL, o)
		if !errors.Is(err, state.ErrLocked) {
			t.Errorf("%s: %v", what, err)
		}
		if err == nil {
			_ = s.Close()
		}
	}
	opened := func(o postgres.Options) *postgres.Store {
		t.Helper()
		s, err := postgres.Open(t.Context(), db.URL, o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	closed := func(s *postgres.Store) {
		t.Helper()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	daemon := opened(postgres.Options{})
	fill(t, daemon, 1)
	refused("alone beside a daemon", postgres.Options{Alone: true})
	other := opened(postgres.Options{})
	closed(daemon)
	fill(t, other, 1)
	refused("alone beside the other daemon", postgres.Options{Alone: true})
	closed(other)
	reader, err := postgres.OpenReadOnly(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	alone := opened(postgres.Options{Alone: true})
	fill(t, alone, 2)
	refused("a daemon beside who is alone", postgres.Options{})
	refused("another that is alone", postgres.Options{Alone: true})
	if _, err := reader.Counts(t.Context()); err != nil {
		t.Errorf("reading beside who is alone: %v", err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	closed(alone)
	closed(opened(postgres.Options{}))
}
