package statetest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"ghlsync/state"
)

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
		_, err := tx.Due(ctx, state.Due{Now: start, Limit: 1})
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
