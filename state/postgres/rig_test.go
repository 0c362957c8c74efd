package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"ghlsync/state"
	"ghlsync/state/postgres"
)

// begin0 is when rows of the tests are due.
var begin0 = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)

func openAt(t *testing.T, url string, o postgres.Options) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, o)
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

// begin opens a Tx that is rolled back before its store is closed.
func begin(t *testing.T, s state.Store) state.Tx {
	t.Helper()
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	})
	return tx
}

// within runs work in a Tx of its own, and commits.
func within(ctx context.Context, s state.Store, work func(state.Tx) error) error {
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := work(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func must(t *testing.T, s state.Store, work func(state.Tx) error) {
	t.Helper()
	if err := within(t.Context(), s, work); err != nil {
		t.Fatal(err)
	}
}

// due is a row that is wanted and was never sent.
func due(id string) *state.Mapping {
	return &state.Mapping{
		ID: state.EventID(id), EventType: "onboarding", Wanted: state.Present, Payload: []byte("{}"), Hash: "h",
		Version: state.Version{Epoch: 1, LSN: 100}, Revision: 1, GHL: state.GHLAbsent, NextAttempt: begin0,
	}
}

func fill(t *testing.T, s state.Store, rows int) {
	t.Helper()
	must(t, s, func(tx state.Tx) error {
		for i := range rows {
			if err := tx.Save(t.Context(), due(fmt.Sprintf("event-%03d", i))); err != nil {
				return err
			}
		}
		return nil
	})
}

// caller claims for a worker.
func caller(owner string) state.Caller {
	return state.Caller{
		Owner: owner, Lease: time.Minute, NewID: func() string { return "delivery" },
		Encode: func(state.Operation, *state.Mapping) []byte { return []byte("{}") },
	}
}

// claim begins the calls of up to limit rows that are due.
func claim(ctx context.Context, tx state.Tx, owner string, now time.Time, limit int) ([]*state.Mapping, error) {
	rows, err := tx.Due(ctx, state.Due{Now: now, Limit: limit})
	if err != nil {
		return nil, err
	}
	for _, m := range rows {
		if err := m.Begin(now, caller(owner)); err != nil {
			return nil, err
		}
	}
	return rows, tx.Save(ctx, rows...)
}

func one(t *testing.T, s state.Store, id state.EventID) *state.Mapping {
	t.Helper()
	m, err := s.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// soon fails the test when something does not come in time.
func soon[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(15 * time.Second):
		t.Fatalf("%s does not come", what)
		panic("unreachable")
	}
}
