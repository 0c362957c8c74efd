package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ghlsync/cdc"
	"ghlsync/state"
)

// missed makes one event of each kind differ.
func (r *rig) missed() {
	r.t.Helper()
	r.insert("extra", "same", "stale")
	r.blind(func() {
		r.insert("missing")
		r.db.Exec(r.t, "UPDATE calendar_events SET title = 'Another' WHERE id = 'stale'")
		r.db.Exec(r.t, "DELETE FROM calendar_events WHERE id = 'extra'")
	})
}

func TestReconcileMendsWhatDiffers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.missed()
	r.unchanged(func() {
		got := r.reconcile(true, nil)
		r.differs(got, "missing", "extra", "stale")
		if !got.DryRun || !got.Streaming || got.Events != 3 || got.Snapshots != 1 || got.Epoch != 1 {
			t.Errorf("got %+v", got)
		}
	})
	same := r.get("same")
	r.differs(r.reconcile(false, nil), "missing", "extra", "stale")
	r.same()
	if m := r.get("same"); m.Version != same.Version || m.Revision != same.Revision {
		t.Errorf("a row that does not differ was written: %+v", m)
	}
	r.differs(r.reconcile(false, nil), "", "", "")
	// What comes behind it is newer, and what it wrote is not held for newer.
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Later'")
	r.captured()
	r.same()
}

func TestReconcileWithoutADaemon(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.missed()
	r.halt()
	r.insert("late") // is in the slot: to be captured, and found as well
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Late' WHERE id = 'same'")
	alone := New(r.opts)
	r.unchanged(func() {
		got, err := alone.ReconcileAlone(t.Context(), ReconcileOptions{DryRun: true})
		if err != nil || got.Streaming {
			t.Fatalf("%+v, %v", got, err)
		}
		r.differs(got, "late missing", "extra", "same stale")
	})
	if _, err := alone.ReconcileAlone(t.Context(), ReconcileOptions{}); err != nil {
		t.Fatal(err)
	}
	r.same()
	before := r.get("late").Revision
	r.start()
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'missing'")
	r.captured()
	r.same()
	if m := r.get("late"); m.Revision != before {
		t.Errorf("the stream changed what was mended already: revision %d, then %d", before, m.Revision)
	}
}

// TestReconcileAloneRefusesAHole: positions of another history say nothing.
func TestReconcileAloneRefusesAHole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if _, err := New(r.opts).ReconcileAlone(t.Context(), ReconcileOptions{}); !errors.Is(err, cdc.ErrSlotActive) {
		t.Errorf("beside another session: %v", err)
	}
	r.halt()
	r.db.Exec(t, "SELECT pg_drop_replication_slot($1)", r.opts.Source.Slot)
	if _, err := New(r.opts).ReconcileAlone(t.Context(), ReconcileOptions{}); err == nil || !strings.Contains(err.Error(), "ghlsync run") {
		t.Errorf("without the slot: %v", err)
	}
	opts := r.opts
	opts.Source.Slot += "_other"
	if _, err := New(opts).ReconcileAlone(t.Context(), ReconcileOptions{}); !errors.Is(err, ErrNothingCaptured) {
		t.Errorf("without a baseline: %v", err)
	}
}

func TestFuseHoldsWhatAReconcileRetracts(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Fuse = 3 })
	r.insert("a", "b", "c", "d", "e")
	r.captured()
	r.inGHL()
	r.blind(func() { r.db.Exec(t, "DELETE FROM calendar_events WHERE id < 'e'") })
	r.unchanged(func() {
		if got := r.reconcile(true, nil); got.Held != 4 {
			t.Errorf("a dry run: %d would be held", got.Held)
		}
	})
	got := r.reconcile(false, nil)
	if r.differs(got, "", "a b c d", ""); got.Held != 4 {
		t.Errorf("%d are held", got.Held)
	}
	if n := len(r.rows(state.Filter{Held: true})); n != 4 {
		t.Errorf("%d rows are held", n)
	}
	r.same()
	r.differs(r.reconcile(false, nil), "", "", "")
}

// TestFuseCountsTheLastMinute: what the stream retracted while a long reconcile
// ran does not add up with what the reconcile retracts at its end.
func TestFuseCountsTheLastMinute(t *testing.T) {
	t.Parallel()
	var later atomic.Int64
	r := newRig(t, func(o *Options) {
		o.Fuse = 3
		o.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	})
	r.insert("a", "b", "c", "extra", "stays")
	r.captured()
	r.inGHL()
	r.blind(func() { r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'extra'") })
	got := r.reconcile(false, once(func() {
		r.db.Exec(t, "DELETE FROM calendar_events WHERE id < 'd'")
		r.captured()
		later.Store(int64(2 * state.FuseWindow))
	}))
	if r.differs(got, "", "extra", ""); got.Held != 0 {
		t.Errorf("%d are held", got.Held)
	}
}

// inGHL marks all that is wanted as delivered.
func (r *rig) inGHL() {
	r.t.Helper()
	rows := r.rows(state.Filter{Wanted: state.Present})
	for _, m := range rows {
		m.GHL, m.GHLHash, m.NextAttempt = state.GHLPresent, m.Hash, m.LeaseUntil
	}
	r.tx(func(tx state.Tx) error { return tx.Save(r.t.Context(), rows...) })
}

// TestChangedClient: the one thing that the stream does not tell.
func TestChangedClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Backfill = BackfillNone })
	r.captured()
	r.halt()
	r.db.Exec(t, "SELECT pg_drop_replication_slot($1)", r.opts.Source.Slot)
	r.opts.Source.Slot += "_2" // a first start, with events
	r.insert("a", "b")
	r.db.Exec(t, "UPDATE calendar_events SET client_id = 2 WHERE id = 'b'")
	r.start()
	r.differs(r.reconcile(false, nil), "", "", "")
	if a, b := r.get("a"), r.get("b"); !a.Assumed || !b.Assumed {
		t.Fatalf("what is as it was is not assumed any more: %+v, %+v", a, b)
	}
	r.db.Exec(t, "UPDATE clients SET email = 'new@example.com' WHERE id = 1")
	r.differs(r.reconcile(false, nil), "", "", "a")
	if a := r.get("a"); a.Assumed || a.Status() != state.Pending || !strings.Contains(string(a.Payload), "new@example.com") {
		t.Errorf("got %+v", a)
	}
	// A client that changes behind the consistent point counts as it is now, as it
	// does in the stream.
	got := r.reconcile(false, once(func() { r.db.Exec(t, "UPDATE clients SET email = 'newer@example.com' WHERE id = 1") }))
	if r.differs(got, "", "", "a"); !strings.Contains(string(r.get("a").Payload), "newer@example.com") {
		t.Errorf("got %+v", r.get("a"))
	}
}

// TestAdoptionByAReconcile: a row that names its appointment is not created.
func TestAdoptionByAReconcile(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Source.Slot += "_a" })
	r.db.Exec(t, "ALTER TABLE calendar_events ADD COLUMN ghl_appointment_id TEXT")
	r.blind(func() {
		r.insert("missing")
		r.db.Exec(t, "UPDATE calendar_events SET ghl_appointment_id = 'ghl-1'")
	})
	r.differs(r.reconcile(false, nil), "missing", "", "")
	if m := r.get("missing"); m.AppointmentID != "ghl-1" || m.Status() != state.Synced {
		t.Errorf("got %+v", m)
	}
}

func TestOneAtATime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.insert("a")
	r.captured()
	r.reconcile(true, once(func() {
		if _, err := r.try(true, nil); !errors.Is(err, ErrBusy) {
			t.Errorf("a second reconcile: %v", err)
		}
		if _, err := r.capture.Backfill(t.Context(), BackfillOptions{Which: BackfillAll}); !errors.Is(err, ErrBusy) {
			t.Errorf("a backfill: %v", err)
		}
	}))
	r.reconcile(true, nil)
	r.halt()
	if _, err := r.try(true, nil); !errors.Is(err, ErrNotStreaming) {
		t.Errorf("without a session: %v", err)
	}
}

// TestBrokenOff: the end of the session, or of whoever asked, leaves what was
// mended, retracts nothing, and is no obstacle to the next.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(r *rig, cancel func()){
		"by the session's end": func(r *rig, _ func()) {
			r.db.Exec(r.t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ghlsync stream'")
			r.until("the session has ended", func() bool { return !r.streams() })
		},
		"by who asked": func(_ *rig, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.insert("extra")
			r.blind(func() {
				r.db.Exec(t, "DELETE FROM calendar_events")
				for i := range 2 * reconcileChunk {
					r.insert(fmt.Sprintf("missing-%04d", i))
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			_, err := r.capture.Reconcile(ctx, ReconcileOptions{Progress: func(done, _ int64) {
				if done > reconcileChunk {
					end(r, cancel)
				}
			}})
			if err == nil || errors.Is(err, errSessionEnded) != strings.Contains(name, "session") {
				t.Errorf("it ended with %v", err)
			}
			if n := len(r.rows(state.Filter{Wanted: state.Present})); n != reconcileChunk+1 {
				t.Errorf("%d rows are wanted", n)
			}
			r.until("it streams again", r.streams)
			got := r.reconcile(false, nil)
			if got.Missing.Count != reconcileChunk || got.Extra.Count != 1 {
				t.Errorf("then %d missing, %d extra", got.Missing.Count, got.Extra.Count)
			}
			r.same()
			if slots := r.db.QueryString(t, "SELECT count(*) FROM pg_replication_slots WHERE temporary AND database = current_database()"); slots != "0" {
				t.Errorf("%s temporary slots are left", slots)
			}
		})
	}
}
