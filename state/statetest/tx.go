package statetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
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

// methods are all of a Tx but its ends.
var methods = map[string]func(ctx context.Context, tx state.Tx) error{
	"load": func(ctx context.Context, tx state.Tx) error {
		_, err := tx.Load(ctx, []state.EventID{"a"})
		return err
	},
	"page": func(ctx context.Context, tx state.Tx) error {
		_, err := tx.Page(ctx, state.Filter{}, "", 1)
		return err
	},
	"save": func(ctx context.Context, tx state.Tx) error { return tx.Save(ctx, synced("b")) },
	"due": func(ctx context.Context, tx state.Tx) error {
		_, err := tx.Due(ctx, start, 1)
		return err
	},
	"next due": func(ctx context.Context, tx state.Tx) error {
		_, err := tx.NextDue(ctx)
		return err
	},
	"leased": func(ctx context.Context, tx state.Tx) error {
		_, err := tx.Leased(ctx, start, 1)
		return err
	},
	"record":     func(ctx context.Context, tx state.Tx) error { return tx.Record(ctx, attempt("a", 2)) },
	"set paused": func(ctx context.Context, tx state.Tx) error { return tx.SetPaused(ctx, time.Time{}) },
	"retire":     func(ctx context.Context, tx state.Tx) error { return tx.Retire(ctx, "a", "more", start) },
	"prune": func(ctx context.Context, tx state.Tx) error {
		_, err := tx.Prune(ctx, start, start.Add(time.Hour), 10)
		return err
	},
	"taken": func(ctx context.Context, tx state.Tx) error {
		_, err := tx.Taken(ctx, []string{"retired"})
		return err
	},
	"count fusible": func(ctx context.Context, tx state.Tx) error {
		_, err := tx.CountFusible(ctx, start)
		return err
	},
	"set checkpoint": func(ctx context.Context, tx state.Tx) error {
		cp := checkpoint(10, "me")
		return tx.SetCheckpoint(ctx, &cp, checkpoint(11, "me"))
	},
}

func testEnded(r *rig) {
	r.change(writeAll)
	for name, end := range map[string]func(tx state.Tx) error{
		"commit":   func(tx state.Tx) error { return tx.Commit(r.Context()) },
		"rollback": func(tx state.Tx) error { return tx.Rollback() },
		"failed commit": func(tx state.Tx) error {
			canceled, cancel := context.WithCancel(r.Context())
			cancel()
			if err := tx.Commit(canceled); err == nil {
				return errors.New("it commits under a canceled context")
			}
			return nil
		},
	} {
		tx := r.begin()
		if err := end(tx); err != nil {
			r.Errorf("%s: %v", name, err)
		}
		for what, method := range methods {
			if err := method(r.Context(), tx); err == nil {
				r.Errorf("%s goes on after a %s", what, name)
			}
		}
		if err := tx.Commit(r.Context()); err == nil {
			r.Errorf("a tx commits after a %s", name)
		}
		if err := tx.Rollback(); err != nil {
			r.Errorf("rollback after a %s: %v", name, err)
		}
	}
	r.same("what is left", written(), r.sees())
}

// testCanceled: nothing is done under a context that has ended, and the store is
// none the worse. Whether the Tx can still be committed is the backend's affair:
// if so, then without what was refused.
func testCanceled(r *rig) {
	r.change(writeAll)
	canceled, cancel := context.WithCancel(r.Context())
	cancel()
	for what, method := range methods {
		tx := r.begin()
		if err := method(canceled, tx); !errors.Is(err, context.Canceled) {
			r.Errorf("%s under a canceled context: %v", what, err)
		}
		if err := errors.Join(tx.Commit(r.Context()), tx.Rollback()); err != nil {
			r.Logf("%s under a canceled context spoils its tx: %v", what, err)
		}
	}
	tx := r.begin()
	if err := tx.Save(r.Context(), synced("c")); err != nil {
		r.Error(err)
	}
	if err := tx.Commit(canceled); !errors.Is(err, context.Canceled) {
		r.Errorf("commit under a canceled context: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		r.Error(err)
	}
	if _, err := r.Begin(canceled); !errors.Is(err, context.Canceled) {
		r.Errorf("begin under a canceled context: %v", err)
	}
	if _, err := r.Get(canceled, "a"); !errors.Is(err, context.Canceled) {
		r.Errorf("get under a canceled context: %v", err)
	}
	r.same("what is left", written(), r.sees())
	r.save(synced("d"))
}

// testCanceledBegin: whoever gives up waiting, at whatever moment, keeps nobody
// else from the store.
func testCanceledBegin(r *rig) {
	for n := range 300 {
		ctx, cancel := context.WithCancel(r.Context())
		var giving sync.WaitGroup
		giving.Go(func() {
			for range n % 30 {
				runtime.Gosched()
			}
			cancel()
		})
		if tx, err := r.Begin(ctx); err == nil {
			err = tx.Rollback()
			if err != nil {
				r.Error(err)
			}
		} else if !errors.Is(err, context.Canceled) {
			r.Errorf("begin: %v", err)
		}
		giving.Wait()
		if err := r.begin().Rollback(); err != nil {
			r.Error(err)
		}
	}
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
