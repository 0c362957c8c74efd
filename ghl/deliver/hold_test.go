package deliver_test

import (
	"testing"
	"time"

	"ghlsync/ghl/deliver"
	"ghlsync/state"
)

// pause writes the operator's word into the state.
func (r *rig) pause(at time.Time) {
	r.t.Helper()
	tx, err := r.store.Begin(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := tx.SetPaused(r.t.Context(), at); err != nil {
		r.t.Fatal(err)
	}
	if err := tx.Commit(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) hold(hold bool) {
	r.t.Helper()
	if err := r.d.Hold(r.t.Context(), hold); err != nil {
		r.t.Fatal(err)
	}
}

// A pause lets calls in flight end and no other leave, and what is wanted
// gathers.
func TestHoldKeepsEverythingBack(t *testing.T) {
	t.Parallel()
	sender := &heldSender{}
	sender.stop(false)
	r := newRig(t, sender.into)
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("a call is in flight", func() bool { return sender.held.Load() == 1 })
	r.hold(true)
	if s := r.d.Status(); !s.Paused || s.PauseReason != deliver.CodeOperator {
		t.Errorf("status is %+v", s)
	}
	r.change(r.present("2", "Session A"))
	sender.release()
	r.await("the call in flight is recorded", func() bool { return r.row("1").Settled() })
	r.change(r.present("2", "Session B"))
	r.d.Wake()
	r.never("a paused deliverer sends", func() bool { return len(r.requests("2")) > 0 })
	if m := r.row("2"); m.Status() != state.Pending || m.Attempts != 0 {
		t.Errorf("what waits was touched: %+v", m)
	}
	r.hold(false)
	r.await("what waited goes out", func() bool { return r.row("2").Settled() })
	r.wantTitles("2", "Session B")
	r.wantOperations("2", "created")
	if s := r.d.Status(); s.Paused {
		t.Errorf("status is %+v", s)
	}
}

func TestHoldSurvivesARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pause(time.Now())
	r.change(r.present("1", "Session A"))
	r.start()
	r.d.Wake()
	r.never("a paused deliverer sends", func() bool { return r.box.Stats().Requests > 0 })
	r.pause(time.Time{})
	r.hold(false)
	r.await("what waited goes out", func() bool { return r.row("1").Settled() })
}
