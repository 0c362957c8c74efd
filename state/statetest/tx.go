package statetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ghlsync/state"
)

// writeAll writes something of every kind.
func writeAll(ctx context.Context, tx state.Tx) error {
	return errors.Join(
		tx.Save(ctx, synced("a")),
		tx.Record(ctx, attempt("a", 1)),
		tx.SetPaused(ctx, start),
		tx.Retire(ctx, "a", "retired", start),
		tx.SetCheckpoint(ctx, nil, checkpoint(10, "me")),
	)
}

// seen is what there is of it.
type seen struct {
	Rows        []*state.Mapping
	Counts      state.Counts
	Attempts    []state.Attempt
	LastAttempt time.Time
	PausedAt    time.Time
	Checkpoint  *state.Checkpoint
}

// written is what is to be seen when writeAll is committed.
func written() seen {
	cp := checkpoint(10, "me")
	return seen{
		Rows: []*state.Mapping{synced("a")}, Counts: state.Counts{Total: 1, Synced: 1},
		Attempts: []state.Attempt{attempt("a", 1)}, LastAttempt: attempt("a", 1).StartedAt,
		PausedAt: start, Checkpoint: &cp,
	}
}

func (r *rig) sees() seen {
	r.Helper()
	s := seen{Rows: r.list(state.Filter{}, "", 10), Counts: r.counts(), Checkpoint: r.checkpoint("ghlsync")}
	var errs [3]error
	s.Attempts, errs[0] = r.Attempts(r.Context(), "a", 10)
	s.LastAttempt, errs[1] = r.LastAttempt(r.Context())
	s.PausedAt, errs[2] = r.PausedAt(r.Context())
	if err := errors.Join(errs[:]...); err != nil {
		r.Fatal(err)
	}
	return s
}

// retired asks within a Tx, which is the only place to ask for it.
func (r *rig) retired() int {
	r.Helper()
	return len(within(r, func(ctx context.Context, tx state.Tx) (map[string]state.EventID, error) {
		return tx.Taken(ctx, []string{"retired"})
	}))
}

func testVisibility(r *rig) {
	r.same("of an empty state", seen{}, r.sees())
	tx := r.begin()
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := writeAll(r.Context(), tx); err != nil {
		r.Fatal(err)
	}
	inside, err := tx.Page(r.Context(), state.Filter{}, "", 10)
	if err != nil {
		r.Fatal(err)
	}
	r.same("the tx sees its own", written().Rows, inside)
	r.same("before the commit", seen{}, r.sees())
	if err := tx.Commit(r.Context()); err != nil {
		r.Fatal(err)
	}
	r.same("after the commit", written(), r.sees())
	r.reopen()
	r.same("after a restart", written(), r.sees())
	r.same("retired", 1, r.retired())
}

func testRollback(r *rig) {
	tx := r.begin()
	defer tx.Rollback() //nolint:errcheck // a second time it does nothing
	if err := writeAll(r.Context(), tx); err != nil {
		r.Fatal(err)
	}
	for range 2 {
		if err := tx.Rollback(); err != nil {
			r.Errorf("roll back: %v", err)
		}
	}
	r.same("after the rollback", seen{}, r.sees())
	r.same("retired", 0, r.retired())
	r.reopen()
	r.same("after a restart", seen{}, r.sees())
}

// testLargeTx is one transaction of the source that is larger than any batch: it
// is saved in parts, and paged through while it is changed, as a TRUNCATE does.
func testLargeTx(r *rig) {
	const parts, rows, page = 40, 500, 500
	r.change(func(ctx context.Context, tx state.Tx) error {
		for p := range parts {
			batch := make([]*state.Mapping, rows)
			for i := range batch {
				batch[i] = pending(fmt.Sprintf("%02d-%03d", p, i), start)
			}
			if err := tx.Save(ctx, batch...); err != nil {
				return err
			}
		}
		r.same("counts before the commit", state.Counts{}, r.counts())
		return nil
	})
	r.same("counts", state.Counts{Total: parts * rows, Pending: parts * rows}, r.counts())
	r.change(func(ctx context.Context, tx state.Tx) error {
		var after state.EventID
		for n := 0; ; n++ {
			batch, err := tx.Page(ctx, state.Filter{Wanted: state.Present}, after, page)
			if err != nil || len(batch) == 0 || n > parts*rows/page {
				r.same("pages", parts*rows/page, n)
				return err
			}
			after = batch[len(batch)-1].ID
			for _, m := range batch {
				m.Wanted, m.NextAttempt = state.Absent, time.Time{}
			}
			if err := tx.Save(ctx, batch...); err != nil {
				return err
			}
		}
	})
	r.same("counts of tombstones", state.Counts{}, r.counts())
	last := r.list(state.Filter{Wanted: state.Absent}, "39-497", 10)
	r.same("the last rows", []state.EventID{"39-498", "39-499"}, ids(last))
}

// testReadersBesideTx reads while a Tx is open, as status and lists do while
// capture writes. All rows of one Tx are seen, or none.
func testReadersBesideTx(r *rig) {
	stop, read := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			rows, err := r.List(r.Context(), state.Filter{}, "", 1000)
			c, countErr := r.Counts(r.Context())
			if err = errors.Join(err, countErr); err == nil && (len(rows)%10 != 0 || c.Total%10 != 0) {
				err = fmt.Errorf("a reader sees %d rows, and counts %d", len(rows), c.Total)
			}
			select {
			case <-stop:
				read <- err
				return
			default:
			}
			if err != nil {
				read <- err
				return
			}
		}
	}()
	for n := range 20 {
		batch := make([]*state.Mapping, 10)
		for i := range batch {
			batch[i] = synced(fmt.Sprintf("%03d", n*10+i))
		}
		r.save(batch...)
	}
	close(stop)
	if err := <-read; err != nil {
		r.Error(err)
	}
}

// testWriters: what a Tx has loaded does not change under it, so that no two
// calls begin for one event.
func testWriters(r *rig) {
	const writers, each = 4, 10
	r.save(synced("a"))
	raise := func(ctx context.Context) error {
		tx, err := r.Begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
		known, err := tx.Load(ctx, []state.EventID{"a"})
		if err != nil {
			return err
		}
		known["a"].Revision++
		if err := tx.Save(ctx, known["a"]); err != nil {
			return err
		}
		return tx.Commit(ctx)
	}
	failed := make(chan error, writers*each)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				failed <- raise(r.Context())
			}
		})
	}
	all.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			r.Error(err)
		}
	}
	m, err := r.Get(r.Context(), "a")
	if err != nil {
		r.Fatal(err)
	}
	r.same("revision", synced("a").Revision+writers*each, m.Revision)
}
