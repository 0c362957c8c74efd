package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// flakyStore is the real store with a switch that makes it fail, and counts.
type flakyStore struct {
	*sqlite.Store
	begins, commits atomic.Int64
	refuse          atomic.Bool   // transactions are refused
	commitLies      atomic.Bool   // the next commit takes effect and reports an error
	commitFails     atomic.Bool   // the next commit does not take effect
	lag             time.Duration // of every transaction
}

var errDisk = errors.New("disk is full")

func (s *flakyStore) into(r *rig) {
	r.wrapStore = func(inner *sqlite.Store) deliver.Store { s.Store = inner; return s }
}

func (s *flakyStore) Begin(ctx context.Context) (state.Tx, error) {
	s.begins.Add(1)
	if s.refuse.Load() {
		return nil, errDisk
	}
	if s.lag > 0 {
		<-time.After(s.lag)
	}
	tx, err := s.Store.Begin(ctx)
	return &flakyTx{Tx: tx, store: s}, err
}

type flakyTx struct {
	state.Tx
	store *flakyStore
}

func (t *flakyTx) Commit(ctx context.Context) error {
	t.store.commits.Add(1)
	if t.store.commitFails.CompareAndSwap(true, false) {
		return errors.Join(errDisk, t.Rollback())
	}
	err := t.Tx.Commit(ctx)
	if err == nil && t.store.commitLies.CompareAndSwap(true, false) {
		return errDisk
	}
	return err
}

// 6: what a call came to is kept until the store takes it, and nothing new
// leaves before.
func TestStoreFailsWhileCallsAreInFlight(t *testing.T) {
	t.Parallel()
	store := &flakyStore{}
	sender := &heldSender{}
	sender.stop(false)
	r := newRig(t, store.into, sender.into)
	r.start()
	r.change(r.present("1", "Session A"), r.present("2", "Session A"), r.present("3", "Session A"))
	r.await("three calls are in flight", func() bool { return sender.held.Load() == 3 })
	store.refuse.Store(true)
	sender.release()
	r.await("their results wait", func() bool { s := r.d.Status(); return s.StoreFailing && s.Unrecorded == 3 && s.InFlight == 0 })
	r.change(r.present("4", "Session A"))
	r.never("a call leaves that is not durable", func() bool { return r.box.Stats().Requests > 3 })
	store.refuse.Store(false)
	r.awaitSettled("1", "2", "3", "4")
	r.await("the status follows", func() bool { return !r.d.Status().StoreFailing })
	r.stop()
	if r.logs.count(`"ERROR"`, "disk is full") != 1 || r.logs.count("can use the state again") != 1 {
		t.Errorf("want one line when the store fails and one when it works\n%s", r.logs)
	}
	for _, id := range []string{"1", "2", "3", "4"} {
		r.wantOperations(id, "created")
	}
	r.wantClean()
}

// 5: a claim whose commit failed does not leave. If the commit took effect all
// the same, the row is not leased for ever.
func TestCommitOfAClaimFails(t *testing.T) {
	t.Parallel()
	for name, arm := range map[string]func(*flakyStore){
		"and took no effect": func(s *flakyStore) { s.commitFails.Store(true) },
		"but took effect":    func(s *flakyStore) { s.commitLies.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &flakyStore{}
			r := newRig(t, store.into)
			r.change(r.present("1", "Session A"), r.present("2", "Session A"))
			arm(store)
			r.start()
			r.awaitSettled("1", "2")
			r.wantOperations("1", "created")
			r.wantOperations("2", "created")
			r.wantAudit("1", "create delivered 200")
			r.wantClean()
		})
	}
}

// The same for the commit that records results.
func TestCommitOfAResultFails(t *testing.T) {
	t.Parallel()
	for name, arm := range map[string]func(*flakyStore){
		"and took no effect": func(s *flakyStore) { s.commitFails.Store(true) },
		"but took effect":    func(s *flakyStore) { s.commitLies.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &flakyStore{}
			sender := &heldSender{}
			sender.stop(false)
			r := newRig(t, store.into, sender.into)
			r.start()
			r.change(r.present("1", "Session A"))
			r.await("the call is in flight", func() bool { return sender.held.Load() == 1 })
			arm(store)
			sender.release()
			r.awaitSettled("1")
			r.change(r.present("1", "Session B"))
			r.await("the edit is delivered", func() bool { m := r.row("1"); return m.Settled() && m.Revision == 2 })
			r.wantOperations("1", "created updated")
			r.wantAudit("1", "update delivered 200", "create delivered 200")
			r.wantClean()
		})
	}
}

// The commit that records a call and claims the event's next one takes effect and
// reports an error: the first result is not taken for that of the second call.
func TestResultIsNotTakenForTheNextCalls(t *testing.T) {
	t.Parallel()
	store, sender := &flakyStore{}, &heldSender{}
	sender.stop(false)
	r := newRig(t, store.into, sender.into)
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("the call is in flight", func() bool { return sender.held.Load() == 1 })
	r.change(r.present("1", "Session B"))
	store.commitLies.Store(true)
	sender.release()
	r.awaitSettled("1")
	r.wantOperations("1", "created updated")
	r.wantTitles("1", "Session B")
	r.wantClean()
}

// An answer's appointment id is taken over only if no other event has it, in the
// state or among what is recorded with it.
func TestAppointmentOfAnotherEventIsNotTakenOver(t *testing.T) {
	t.Parallel()
	store, sender := &flakyStore{}, &heldSender{}
	sender.stop(false)
	r := newRig(t, store.into, sender.into)
	r.faults(sandbox.Rule{Operation: ghl.Created, Effect: sandbox.EffectMalformed, Body: `{"success":true,"appointment_id":"same"}`})
	ids := []string{"1", "2", "3", "4"}
	r.change(r.present("1", "Session A"), r.present("2", "Session A"), r.present("3", "Session A"))
	r.start()
	r.await("three calls are in flight", func() bool { return sender.held.Load() == 3 })
	store.refuse.Store(true)
	sender.release()
	r.await("their results wait", func() bool { return r.d.Status().Unrecorded == 3 })
	store.refuse.Store(false) // and are recorded together
	r.awaitSettled("1", "2", "3")
	r.change(r.present("4", "Session A"))
	r.awaitSettled("4")
	holders := 0
	for _, id := range ids {
		if r.row(id).AppointmentID == "same" {
			holders++
		}
	}
	if holders != 1 {
		t.Errorf("%d events have the one appointment", holders)
	}
	if n := r.logs.count(`"WARN"`, "appointment of another event"); n != 3 {
		t.Errorf("%d messages, want one for each of the other events", n)
	}
	for _, id := range ids {
		r.change(r.present(id, "Session B"))
		r.awaitSettled(id)
		r.wantTitles(id, "Session B")
	}
	r.wantClean()
}

// A stop does not wait for ever for a store that fails: it says what it could not
// record, and the next start takes the call over.
func TestStopWhileTheStoreFails(t *testing.T) {
	t.Parallel()
	store := &flakyStore{}
	sender := &heldSender{}
	sender.stop(false)
	r := newRig(t, store.into, sender.into)
	r.d.SetRecordGrace(50 * time.Millisecond)
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("the call is in flight", func() bool { return sender.held.Load() == 1 })
	store.refuse.Store(true)
	sender.release()
	r.await("its result waits", func() bool { return r.d.Status().Unrecorded == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := r.d.Stop(ctx)
	if !errors.Is(err, errDisk) && !errors.Is(err, context.Canceled) {
		t.Errorf("the stop's error is %v", err)
	}
	store.refuse.Store(false)
	r.d = nil
	r.restart()
	r.awaitSettled("1")
	r.wantOperations("1", "created created")
	r.wantRepeated(0, 1)
	r.wantClean()
}

// What one bite leaves is not left for the next hour.
func TestPruningOfMany(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.Now = func() time.Time { return time.Now().Add(25 * time.Hour) } })
	var all []state.Change
	for i := range 1200 {
		id := fmt.Sprint(i)
		all = append(all, r.present(id, "Session A"), r.absent(id))
	}
	r.change(all...)
	r.start()
	r.await("all tombstones are gone", func() bool {
		rows, err := r.store.List(t.Context(), state.Filter{Wanted: state.Absent}, "", 1)
		return err == nil && len(rows) == 0
	})
}

func TestPruning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	ids := []string{"gone", "released", "dropped", "held", "stays"}
	for _, id := range ids {
		r.change(r.present(id, "Session A"))
	}
	r.awaitSettled(ids...)
	r.change(r.absent("gone"))
	r.awaitSettled("gone")
	r.retractUnderFuse(1, "released", "dropped", "held")
	r.edit([]state.EventID{"released", "dropped"}, func(rows map[state.EventID]*state.Mapping, now time.Time) {
		if !rows["released"].Release(now) || !rows["dropped"].Drop(now) {
			t.Error("they were not held")
		}
	})
	r.awaitSettled("released", "dropped")
	for _, c := range []struct {
		later                 time.Duration
		tombstone, auditLines bool
	}{
		{23 * time.Hour, true, true},
		{25 * time.Hour, false, true},
		{31 * 24 * time.Hour, false, false},
	} {
		r.o.Now = func() time.Time { return time.Now().Add(c.later) }
		r.restart()
		r.await(fmt.Sprintf("after %s what is old is gone", c.later), func() bool {
			lines, err := r.store.Attempts(t.Context(), "stays", 10)
			if err != nil {
				t.Fatal(err)
			}
			return (r.row("gone") != nil) == c.tombstone && (r.row("released") != nil) == c.tombstone && (len(lines) > 0) == c.auditLines
		})
		for _, id := range []string{"stays", "dropped", "held"} {
			if r.row(id) == nil {
				t.Errorf("after %s the row of event %q is gone", c.later, id)
			}
		}
	}
}
