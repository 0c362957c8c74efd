package pipeline

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"ghlsync/cdc"
	"ghlsync/state"
)

// once makes a hook that acts on the first call.
func once(act func()) func(int64) {
	var o sync.Once
	return func(int64) { o.Do(act) }
}

// TestDeletedWhileCompared: an event that the state does not know is deleted
// behind the consistent point, and the stream has said so before the snapshot
// shows the event.
func TestDeletedWhileCompared(t *testing.T) {
	t.Parallel()
	for name, gone := range map[string]string{
		"deleted":      "DELETE FROM calendar_events WHERE id = 'missing'",
		"out of scope": "UPDATE calendar_events SET type = 'firstdraft' WHERE id = 'missing'",
		"renamed":      "UPDATE calendar_events SET id = 'renamed' WHERE id = 'missing'",
		"cascaded":     "DELETE FROM clients WHERE id = 1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.blind(func() { r.insert("missing", "other") })
			r.reconcile(false, once(func() {
				r.db.Exec(t, gone)
				r.captured()
			}))
			r.captured()
			r.same()
			if m := r.get("missing"); m == nil || m.Revision != 0 {
				t.Errorf("it came to life: %+v", m)
			}
		})
	}
}

// TestTombstonesAreLeftOnlyWhileCompared: retractions of what is not known leave
// nothing behind otherwise.
func TestTombstonesAreLeftOnlyWhileCompared(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.blind(func() { r.insert("before", "during", "dry", "after") })
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'before'")
	r.captured()
	r.reconcile(true, once(func() {
		r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'dry'")
		r.captured()
	}))
	r.reconcile(false, once(func() {
		r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'during'")
		r.db.Exec(t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
			VALUES ('draft', 1, 't', '2030-05-01', '2030-05-01', '10:00', '11:00', 'firstdraft')`)
		r.captured()
	}))
	for id, known := range map[string]bool{"before": false, "dry": false, "during": true, "after": true, "draft": false} {
		if (r.get(id) != nil) != known {
			t.Errorf("%s: known is %v, want %v", id, !known, known)
		}
	}
	r.blind(func() { r.insert("later") })
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'later'")
	r.captured()
	if m := r.get("later"); m != nil {
		t.Errorf("a tombstone was left: %+v", m)
	}
}

// TestTruncatedWhileCompared: what the snapshot showed before is gone.
func TestTruncatedWhileCompared(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.insert("known")
	r.blind(func() { r.insert("missing") })
	got := r.reconcile(false, once(func() {
		r.db.Exec(t, "TRUNCATE calendar_events")
		r.insert("new")
		r.captured()
	}))
	r.captured()
	r.same()
	if m := r.get("missing"); m != nil {
		t.Errorf("it came to life: %+v", m)
	}
	if r.differs(got, "", "", ""); got.Snapshots != 2 || got.Events != 1 {
		t.Errorf("got %+v", got)
	}
}

// TestTableChangedWhileCompared: nothing is retracted by a snapshot that is not
// true to its end.
func TestTableChangedWhileCompared(t *testing.T) {
	t.Parallel()
	for _, dry := range []bool{true, false} {
		t.Run(fmt.Sprintf("dry %v", dry), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.missed()
			rewrite := func() { r.db.Exec(t, "VACUUM FULL calendar_events") }
			if _, err := r.try(true, func(int64) { rewrite() }); !errors.Is(err, cdc.ErrTableChanged) {
				t.Errorf("rewritten each time: %v", err)
			}
			if m := r.get("extra"); m.Wanted != state.Present {
				t.Errorf("it was retracted: %+v", m)
			}
			got := r.reconcile(dry, once(rewrite))
			if r.differs(got, "missing", "extra", "stale"); got.Snapshots != 2 {
				t.Errorf("%d snapshots", got.Snapshots)
			}
			if !dry {
				r.same()
			}
		})
	}
}

// TestStreamIsWaitedFor: what the stream has yet to bring is no difference.
func TestStreamIsWaitedFor(t *testing.T) {
	t.Parallel()
	stuck, release := make(chan struct{}), make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	defer free()
	var o sync.Once
	var armed atomic.Bool
	r := newRig(t, func(opts *Options) {
		opts.Changed = func() { // on the stream's goroutine
			if armed.Load() {
				o.Do(func() { close(stuck); <-release })
			}
		}
	})
	r.captured()
	armed.Store(true) // the next commit is what the test causes
	r.insert("first")
	<-stuck
	r.insert("second")
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'first'")
	var got Reconciliation
	done := make(chan error, 1)
	go func() {
		var err error
		got, err = r.capture.Reconcile(t.Context(), ReconcileOptions{DryRun: true})
		done <- err
	}()
	r.until("the reconcile waits for the stream", func() bool {
		if len(done) > 0 {
			t.Fatal("it did not wait")
		}
		j := r.capture.live.beside
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.moved != nil
	})
	free()
	if err := <-done; err != nil {
		t.Error(err)
	}
	r.differs(got, "", "", "")
}
