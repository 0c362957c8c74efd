package mappingtest

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// At is when everything happened, and Slot the slot of the checkpoint.
var At = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)

// What rows have in common. Payload stands for client data.
const (
	Slot    = "ghlsync"
	Payload = `{"client_email":"bait@example.com"}`
	LSN     = pglogrepl.LSN(0x16B3748)
)

// Path is where the state file of a test is to be.
func Path(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "state.db")
}

// Store makes a state file at path, with a checkpoint and the given rows, and
// keeps it open until the test ends.
func Store(t testing.TB, path string, rows ...*state.Mapping) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	Save(t, s, rows...)
	return s
}

// File is Store for a file that nobody has open afterwards.
func File(t testing.TB, path string, rows ...*state.Mapping) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	Save(t, s, rows...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// Save writes rows, and a checkpoint where there is none.
func Save(t testing.TB, s *sqlite.Store, rows ...*state.Mapping) {
	t.Helper()
	if err := save(t.Context(), s, rows); err != nil {
		t.Fatal(err)
	}
}

func save(ctx context.Context, s *sqlite.Store, rows []*state.Mapping) error {
	known, err := s.Checkpoint(ctx, Slot)
	if err != nil {
		return err
	}
	tx, err := s.Begin(ctx)
	if err != nil {
		return err
	}
	if known == nil {
		err = tx.SetCheckpoint(ctx, nil, state.Checkpoint{
			Slot: Slot, LSN: LSN, Epoch: 1, SystemID: "7", Timeline: 1, Database: "sentra",
			Fingerprint: "f", Capturer: "c", CommittedAt: At, UpdatedAt: At, Baseline: At,
		})
	}
	if err = errors.Join(err, tx.Save(ctx, rows...)); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit(ctx)
}

func change(id string, lsn pglogrepl.LSN) state.Change {
	return state.Change{
		ID: state.EventID(id), Version: state.Version{Epoch: 1, LSN: lsn}, CommittedAt: At,
		Wanted: state.Present, EventType: "onboarding", Payload: []byte(Payload), Hash: "0123456789abcdef0123456789abcdef", Inserted: true,
	}
}

// Pending waits for its first call.
func Pending(id string) *state.Mapping {
	m, _ := state.Merge(nil, change(id, LSN), At)
	return m
}

// Assumed is taken to be in GHL since before there was a state.
func Assumed(id string) *state.Mapping {
	c := change(id, LSN)
	c.Source, c.Inserted, c.Assume = state.Snapshot, false, true
	m, _ := state.Merge(nil, c, At)
	return m
}

// called is what becomes of a pending one with a call that ended so.
func called(id string, r state.Result) *state.Mapping {
	m := Pending(id)
	err := m.Begin(At, state.Caller{
		Owner: "o", Lease: time.Minute,
		NewID:  func() string { return "delivery-of-" + id },
		Encode: func(state.Operation, *state.Mapping) []byte { return []byte(`{}`) },
	})
	if err != nil {
		panic(err) // a pending mapping is due
	}
	m.Finish(At.Add(time.Second), r)
	return m
}

// Synced is in GHL.
func Synced(id string) *state.Mapping {
	return called(id, state.Result{Outcome: state.Delivered, AppointmentID: "ghl-" + id})
}

// Failed was refused by GHL for good.
func Failed(id string) *state.Mapping {
	return called(id, state.Result{Outcome: state.Impossible, Code: "CONTACT_NOT_FOUND"})
}

// Refused waits for the next attempt.
func Refused(id string) *state.Mapping {
	return called(id, state.Result{Outcome: state.Refused, Code: "HTTP_503"})
}

// Untranslatable is parked without anything to send.
func Untranslatable(id string) *state.Mapping {
	c := change(id, LSN)
	c.Payload, c.Hash, c.Parked = nil, "", "client_missing"
	m, _ := state.Merge(nil, c, At)
	return m
}

// Held is a deletion that the fuse holds.
func Held(id string) *state.Mapping {
	c := change(id, LSN+0x100)
	c.Wanted, c.Payload, c.Hash = state.Absent, nil, ""
	m, _ := state.Merge(Synced(id), c, At)
	m.Hold, m.NextAttempt = state.Held, time.Time{}
	return m
}
