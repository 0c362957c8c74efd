package statetest

import (
	"context"
	"fmt"

	"ghlsync/state"
)

func testVisibility(r *rig) {
	r.save(synced("before"))
	tx := r.begin()
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	changed := pending("before", start)
	loaded, err := tx.Load(r.Context(), []state.EventID{"before"})
	if err != nil {
		r.Fatal(err)
	}
	changed.SetStored(loaded["before"].Stored())
	if err := tx.Save(r.Context(), changed, synced("new")); err != nil {
		r.Fatal(err)
	}
	inside, err := tx.Page(r.Context(), state.Filter{}, "", 10)
	if err != nil {
		r.Fatal(err)
	}
	r.same("the tx sees its own", []state.EventID{"before", "new"}, ids(inside))
	r.same("others see", []*state.Mapping{synced("before")}, r.list(state.Filter{}, "", 10))
	r.same("others count", state.Counts{Total: 1, Synced: 1}, r.counts())
	if err := tx.Commit(r.Context()); err != nil {
		r.Fatal(err)
	}
	r.same("after the commit", []*state.Mapping{pending("before", start), synced("new")}, r.list(state.Filter{}, "", 10))
	r.same("after the commit", state.Counts{Total: 2, Synced: 1, Pending: 1}, r.counts())
}

func testRollback(r *rig) {
	tx := r.begin()
	if err := tx.Save(r.Context(), synced("a")); err != nil {
		r.Fatal(err)
	}
	if err := tx.Record(r.Context(), state.Attempt{EventID: "a", Operation: state.Create, StartedAt: start, Outcome: "delivered"}); err != nil {
		r.Fatal(err)
	}
	if err := tx.SetCheckpoint(r.Context(), nil, checkpoint(10, "me")); err != nil {
		r.Fatal(err)
	}
	for range 2 {
		if err := tx.Rollback(); err != nil {
			r.Errorf("roll back: %v", err)
		}
	}
	r.same("rows", 0, len(r.list(state.Filter{}, "", 10)))
	r.same("counts", state.Counts{}, r.counts())
	if cp, err := r.Checkpoint(r.Context(), "ghlsync"); err != nil || cp != nil {
		r.Errorf("checkpoint %+v, %v", cp, err)
	}
	if at, err := r.LastAttempt(r.Context()); err != nil || !at.IsZero() {
		r.Errorf("last attempt %s, %v", at, err)
	}
}

func testEnded(r *rig) {
	tx := r.begin()
	if err := tx.Save(r.Context(), synced("a")); err != nil {
		r.Fatal(err)
	}
	if err := tx.Commit(r.Context()); err != nil {
		r.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		r.Errorf("rollback after commit: %v", err)
	}
	if err := tx.Save(r.Context(), synced("b")); err == nil {
		r.Error("an ended tx saves")
	}
	if _, err := tx.Load(r.Context(), []state.EventID{"a"}); err == nil {
		r.Error("an ended tx loads")
	}
	if err := tx.Commit(r.Context()); err == nil {
		r.Error("an ended tx commits")
	}
	r.same("rows", []state.EventID{"a"}, ids(r.list(state.Filter{}, "", 10)))
}

func testCanceled(r *rig) {
	tx := r.begin()
	if err := tx.Save(r.Context(), synced("a")); err != nil {
		r.Fatal(err)
	}
	canceled, cancel := context.WithCancel(r.Context())
	cancel()
	if err := tx.Save(canceled, synced("b")); err == nil {
		r.Error("saves under a canceled context")
	}
	if err := tx.Commit(canceled); err == nil {
		r.Error("commits under a canceled context")
	}
	if err := tx.Rollback(); err != nil {
		r.Error(err)
	}
	r.same("rows", 0, len(r.list(state.Filter{}, "", 10)))
	r.save(synced("c")) // the store is none the worse
}

// testLargeTx is one transaction of the source that is larger than any batch.
func testLargeTx(r *rig) {
	const parts, rows = 40, 500
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
		return nil
	})
	r.same("counts", state.Counts{Total: parts * rows, Pending: parts * rows}, r.counts())
	last := r.list(state.Filter{}, "39-497", 10)
	r.same("the last rows", []state.EventID{"39-498", "39-499"}, ids(last))
}

// testReadersBesideTx reads while a Tx is open, as status and lists do while
// capture writes. All rows of one Tx are seen, or none.
func testReadersBesideTx(r *rig) {
	stop, read := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			rows, err := r.List(r.Context(), state.Filter{}, "", 1000)
			if err == nil && len(rows)%10 != 0 {
				err = fmt.Errorf("a reader sees %d rows", len(rows))
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
