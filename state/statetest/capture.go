package statetest

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/state"
)

func testTaken(r *rig) {
	r.save(synced("a"), synced("é/1"), pending("none", start))
	r.change(func(ctx context.Context, tx state.Tx) error {
		return errors.Join(tx.Retire(ctx, "gone", "old-1", start), tx.Retire(ctx, "gone", "old-1", start.Add(time.Hour)),
			tx.Retire(ctx, "before", "ghl-a", start))
	})
	got := within(r, func(ctx context.Context, tx state.Tx) (map[string]state.EventID, error) {
		return tx.Taken(ctx, []string{"ghl-a", "ghl-é/1", "old-1", "free", "", "ghl-a"})
	})
	r.same("taken", map[string]state.EventID{"ghl-a": "a", "ghl-é/1": "é/1", "old-1": ""}, got)
	none := within(r, func(ctx context.Context, tx state.Tx) (map[string]state.EventID, error) { return tx.Taken(ctx, nil) })
	r.same("of none", 0, len(none))
}

func testFusible(r *rig) {
	count := func(since time.Time) int {
		return within(r, func(ctx context.Context, tx state.Tx) (int, error) { return tx.CountFusible(ctx, since) })
	}
	held, released, kept := retraction("held", start), retraction("released", start), retraction("kept", start)
	held.Hold, released.Hold, kept.Hold = state.Held, state.Released, state.Kept
	done := tombstone("done", start)
	done.Retracted, done.CommittedAt = true, start
	free := retraction("void", start)
	free.Retracted = false
	r.save(held, released, kept, done, free, retraction("early", ago(time.Minute)), retraction("late", start.Add(time.Second)), synced("present"))
	for since, want := range map[time.Time]int{start: 3, ago(time.Minute): 4, start.Add(time.Microsecond): 1, start.Add(time.Hour): 0} {
		if n := count(since); n != want {
			r.Errorf("since %s: %d, want %d", since, n, want)
		}
	}
	page := within(r, func(ctx context.Context, tx state.Tx) ([]*state.Mapping, error) {
		return tx.Page(ctx, state.Filter{Wanted: state.Absent, Fusible: start}, "", 10)
	})
	r.same("the same by a page", []state.EventID{"done", "held", "late"}, ids(page))
}

func (r *rig) checkpoint(slot string) *state.Checkpoint {
	r.Helper()
	cp, err := r.Checkpoint(r.Context(), slot)
	if err != nil {
		r.Fatal(err)
	}
	return cp
}

func testCheckpoint(r *rig) {
	if cp := r.checkpoint("ghlsync"); cp != nil {
		r.Errorf("an empty state has a checkpoint: %+v", cp)
	}
	first, other := checkpoint(1<<62, "me"), checkpoint(5, "you")
	other.Slot = "other"
	other.CommittedAt, other.Baseline, other.SnapshotLSN = time.Time{}, time.Time{}, 77
	r.change(func(ctx context.Context, tx state.Tx) error {
		return errors.Join(tx.SetCheckpoint(ctx, nil, first), tx.SetCheckpoint(ctx, nil, other))
	})
	r.same("first", &first, r.checkpoint("ghlsync"))
	r.same("other", &other, r.checkpoint("other"))
	next := checkpoint(7, "you") // a new epoch may begin lower
	next.Epoch, next.SystemID, next.Timeline, next.Database, next.Fingerprint = 4, "8", 9, "d", "f"
	next.SnapshotLSN, next.UpdatedAt = 12, start.Add(time.Hour)
	next.CommittedAt, next.Baseline = start.Add(time.Minute), time.Time{}
	r.change(func(ctx context.Context, tx state.Tx) error {
		between := checkpoint(1<<62+1, "me") // it may move more than once in a Tx
		return errors.Join(tx.SetCheckpoint(ctx, &first, between), tx.SetCheckpoint(ctx, &between, next))
	})
	r.same("next", &next, r.checkpoint("ghlsync"))
	r.same("other stays", &other, r.checkpoint("other"))
}

// testFenced: a capturer that was overtaken cannot move the checkpoint, and
// nothing that it brings is stored.
func testFenced(r *rig) {
	stored := checkpoint(100, "me")
	r.change(func(ctx context.Context, tx state.Tx) error { return tx.SetCheckpoint(ctx, nil, stored) })
	other := func(change func(*state.Checkpoint)) *state.Checkpoint {
		cp := stored
		change(&cp)
		return &cp
	}
	for name, prev := range map[string]*state.Checkpoint{
		"none expected":    nil,
		"another position": other(func(c *state.Checkpoint) { c.LSN = 99 }),
		"another epoch":    other(func(c *state.Checkpoint) { c.Epoch++ }),
		"another capturer": other(func(c *state.Checkpoint) { c.Capturer = "you" }),
		"another slot":     other(func(c *state.Checkpoint) { c.Slot = "nothing" }),
	} {
		tx := r.begin()
		defer tx.Rollback() //nolint:errcheck // a second time it does nothing
		second := checkpoint(1, "me")
		second.Slot = "other"
		if err := errors.Join(tx.Save(r.Context(), synced("row of "+name)), tx.SetCheckpoint(r.Context(), nil, second)); err != nil {
			r.Fatal(err)
		}
		next := stored
		next.LSN = 200
		if prev != nil {
			next.Slot = prev.Slot
		}
		if err := tx.SetCheckpoint(r.Context(), prev, next); !errors.Is(err, state.ErrFenced) {
			r.Errorf("%s: %v, want ErrFenced", name, err)
		}
		// Whoever overlooks the error gets no further.
		if err := tx.Save(r.Context(), synced("later row of "+name)); err == nil {
			r.Errorf("%s: a fenced tx saves", name)
		}
		if err := tx.Commit(r.Context()); !errors.Is(err, state.ErrFenced) {
			r.Errorf("%s: commit: %v, want ErrFenced", name, err)
		}
		if err := tx.Rollback(); err != nil {
			r.Error(err)
		}
	}
	r.same("rows", 0, len(r.list(state.Filter{}, "", 10)))
	r.same("counts", state.Counts{}, r.counts())
	r.same("checkpoint", &stored, r.checkpoint("ghlsync"))
	if cp := r.checkpoint("other"); cp != nil {
		r.Errorf("the checkpoint of another slot is stored: %+v", cp)
	}
}

// testCheckpointWithRows: whoever sees the checkpoint sees what it covers.
func testCheckpointWithRows(r *rig) {
	var prev *state.Checkpoint
	for n := 1; n <= 20; n++ {
		next := checkpoint(pglogrepl.LSN(n), "me")
		if r.moveWithRow(prev, next, n%3 != 0) {
			prev = &next
		}
		got, err := r.Get(r.Context(), "row")
		if err != nil {
			r.Fatal(err)
		}
		r.same("checkpoint", prev, r.checkpoint("ghlsync"))
		r.same("the row's revision", int64(prev.LSN), got.Revision)
	}
	r.same("counts", state.Counts{Total: 1, Synced: 1}, r.counts())
}

// moveWithRow moves the checkpoint, and a row with it, and commits or gives up.
func (r *rig) moveWithRow(prev *state.Checkpoint, next state.Checkpoint, commits bool) bool {
	r.Helper()
	m := synced("row")
	m.Revision = int64(next.LSN)
	tx := r.begin()
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	known, err := tx.Load(r.Context(), []state.EventID{"row"})
	if err != nil {
		r.Fatal(err)
	}
	if old := known["row"]; old != nil {
		m.SetStored(old.Stored())
	}
	if err := errors.Join(tx.Save(r.Context(), m), tx.SetCheckpoint(r.Context(), prev, next)); err != nil {
		r.Fatal(err)
	}
	if !commits {
		return false
	}
	if err := tx.Commit(r.Context()); err != nil {
		r.Fatal(err)
	}
	return true
}
