package deliver_test

import (
	"fmt"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
)

// Deleted and inserted again under the same id.
func TestReinsertedUnderTheSameID(t *testing.T) {
	t.Parallel()
	t.Run("before the delete went out it is an update", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.start()
		r.change(r.present("1", "Session A"))
		r.awaitSettled("1")
		r.change(r.absent("1"), r.present("1", "Session B"))
		r.awaitSettled("1")
		r.wantOperations("1", "created updated")
		r.wantTitles("1", "Session B")
		r.wantClean()
	})
	t.Run("while the delete is in flight it is a create", func(t *testing.T) {
		t.Parallel()
		sender := &heldSender{}
		r := newRig(t, sender.into)
		r.start()
		r.change(r.present("1", "Session A"))
		r.awaitSettled("1")
		sender.stop(false)
		r.change(r.absent("1"))
		r.await("the delete is in flight", func() bool { return sender.held.Load() == 1 })
		r.change(r.present("1", "Session B"))
		sender.release()
		r.awaitSettled("1")
		r.wantOperations("1", "created deleted created")
		r.wantTitles("1", "Session B")
		r.wantClean()
	})
	t.Run("after the delete it is a create", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.start()
		r.change(r.present("1", "Session A"))
		r.awaitSettled("1")
		r.change(r.absent("1"))
		r.awaitSettled("1")
		r.change(r.present("1", "Session B"))
		r.awaitSettled("1")
		r.wantOperations("1", "created deleted created")
		r.wantTitles("1", "Session B")
		r.wantClean()
	})
}

func TestCreatedAndDeletedDuringAnOutageIsNoCall(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.change(r.present("1", "Session A"))
	r.change(r.absent("1"))
	r.change(r.present("2", "Session A"))
	r.start()
	r.awaitSettled("1", "2")
	r.wantOperations("1", "")
	r.wantOperations("2", "created")
}

// Out of scope and back while a call is in flight.
func TestOutOfScopeAndBackWhileACallIsInFlight(t *testing.T) {
	t.Parallel()
	sender := &heldSender{}
	sender.stop(false)
	r := newRig(t, sender.into)
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("the create is in flight", func() bool { return sender.held.Load() == 1 })
	r.change(r.absent("1"))
	r.change(r.present("1", "Session B"))
	sender.release()
	r.awaitSettled("1")
	r.wantOperations("1", "created updated")
	r.wantTitles("1", "Session B")
	r.wantClean()
}

func TestDeletedWhileItsCreateIsInFlight(t *testing.T) {
	t.Parallel()
	sender := &heldSender{}
	sender.stop(false)
	r := newRig(t, sender.into)
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("the create is in flight", func() bool { return sender.held.Load() == 1 })
	r.change(r.absent("1"))
	sender.release()
	r.awaitSettled("1")
	r.wantOperations("1", "created deleted")
	r.wantTitles("1")
	if got := r.requests("1")[1].AppointmentID; got != "ghl_000001" {
		t.Errorf("the delete named appointment %q", got)
	}
	r.wantClean()
}

// 'Appointment not found' makes a delete done and an update a create.
func TestAppointmentIsNotThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.change(r.present("1", "Session A"), r.present("2", "Session A"))
	r.awaitSettled("1", "2")
	for _, id := range []string{"1", "2"} {
		if !r.box.Remove(r.row(id).AppointmentID) {
			t.Fatalf("event %s has no appointment", id)
		}
	}
	gone := r.row("1").AppointmentID
	r.faults(sandbox.Rule{Operation: ghl.Updated, Code: ghl.CodeAppointmentNotFound, Count: 1},
		sandbox.Rule{Operation: ghl.Deleted, Code: ghl.CodeAppointmentNotFound, Count: 1})
	r.change(r.present("1", "Session B"), r.absent("2"))
	r.awaitSettled("1", "2")
	r.wantOperations("1", "created updated created")
	r.wantOperations("2", "created deleted")
	r.wantTitles("1", "Session B")
	r.wantRetired(gone)
	if m := r.row("2"); m.SyncError != "" || m.GHL != state.GHLAbsent {
		t.Errorf("the delete is not done: %+v", m)
	}
	r.wantClean()
}

// What the delete fuse holds does not go out; it falls when the row comes back,
// goes when it is released, and stays when it is dropped.
func TestHeldRetractions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	ids := []string{"back", "released", "dropped"}
	for _, id := range ids {
		r.change(r.present(id, "Session A"))
	}
	r.awaitSettled(ids...)
	r.retractUnderFuse(1, ids...)
	r.change(r.present("other", "Session A"))
	r.awaitSettled("other")
	r.never("a held retraction goes out", func() bool { return r.box.Stats().Deleted > 0 })
	r.change(r.present("back", "Session B"))
	r.edit([]state.EventID{"released", "dropped"}, func(rows map[state.EventID]*state.Mapping, now time.Time) {
		if !rows["released"].Release(now) || !rows["dropped"].Drop(now) {
			t.Error("they were not held")
		}
	})
	r.awaitSettled(ids...)
	r.wantOperations("back", "created updated")
	r.wantOperations("released", "created deleted")
	r.wantOperations("dropped", "created")
	r.wantTitles("dropped", "Session A")
	r.wantClean()
}

// retractUnderFuse retracts events in one transaction, all of which the fuse holds.
func (r *rig) retractUnderFuse(limit int, ids ...string) {
	r.t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	if held := r.commit(now, limit, ids, nil); held != len(ids) {
		r.t.Fatalf("the fuse holds %d, want %d", held, len(ids))
	}
	r.d.Wake()
}

// GHL is down while 300 events change, many times over. Afterwards there is at
// most one delivered call for each.
func TestOutageCoalesces(t *testing.T) {
	t.Parallel()
	const events = 300
	r := newRig(t)
	addr := r.box.Addr()
	r.start()
	r.change(r.present("before", "Session A"))
	r.awaitSettled("before")
	r.box.Stop()
	for edit := range 5 {
		var all []state.Change
		for i := range events {
			all = append(all, r.present(fmt.Sprint(i), fmt.Sprintf("Session %d", edit)))
		}
		r.change(all...)
	}
	r.await("the breaker is open", func() bool { return r.d.Status().Breaker != "closed" })
	if err := r.box.Start(t.Context(), addr); err != nil {
		t.Fatal(err)
	}
	r.awaitIdle()
	for i := range events {
		id := fmt.Sprint(i)
		if got := r.operations(id); got != "created" {
			t.Errorf("event %s was %q, want one create", id, got)
		}
		r.wantTitles(id, "Session 4")
	}
	if n := r.logs.count("GHL does not answer"); n != 1 {
		t.Errorf("%d messages that GHL does not answer, want one", n)
	}
	if s := r.d.Status(); s.Breaker != "closed" {
		t.Errorf("status afterwards is %+v", s)
	}
	r.wantClean()
}

// The breaker stops calls for all events, not only for those that failed.
func TestBreakerHoldsEverythingBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.RetryBase, r.o.RetryCap = time.Hour, time.Hour })
	r.faults(sandbox.Rule{Status: 500})
	var all []state.Change
	for i := range 100 {
		all = append(all, r.present(fmt.Sprint(i), "Session A"))
	}
	r.change(all...)
	r.start()
	r.await("the breaker is open and nothing is in flight", func() bool {
		s := r.d.Status()
		return s.Breaker == "open" && s.InFlight == 0 && s.Unrecorded == 0
	})
	n := r.box.Stats().Requests
	if n < 5 || n > 5+8 {
		t.Errorf("%d calls left before the breaker opened", n)
	}
	if s := r.d.Status(); s.NextProbe.Before(time.Now().Add(50 * time.Minute)) {
		t.Errorf("the next probe is at %s, want in an hour", s.NextProbe)
	}
	r.never("a call leaves through an open breaker", func() bool { return r.box.Stats().Requests > n })
	counts, err := r.store.Counts(t.Context())
	if err != nil || counts.Pending != 100 || counts.Failed != 0 {
		t.Errorf("counts are %+v (%v), want 100 pending", counts, err)
	}
}

func TestRetryAfterHoldsEverythingBack(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) { r.o.Concurrency = 1 })
			r.faults(sandbox.Rule{Status: status, RetryAfter: "1", Count: 1})
			r.change(r.present("1", "Session A"), r.present("2", "Session A"), r.present("3", "Session A"))
			r.start()
			r.await("GHL has asked for a break", func() bool { return !r.d.Status().ThrottledUntil.IsZero() })
			r.awaitSettled("1", "2", "3")
			got := r.box.Requests()
			if gap := got[1].Time.Sub(got[0].Time); gap < time.Second {
				t.Errorf("the next call came after %s, want a second", gap)
			}
			if len(got) != 4 {
				t.Errorf("%d calls, want 4", len(got))
			}
			r.wantClean()
		})
	}
}

// 8: no fault of the receiver makes a log line tell a secret.
func TestNoSecretInLogsUnderAnyFault(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.Timeout, r.o.Settle = 60*time.Millisecond, time.Millisecond })
	r.start()
	for i, rule := range []sandbox.Rule{
		{},
		{Effect: sandbox.EffectOlder},
		{Effect: sandbox.EffectReal},
		{Effect: sandbox.EffectDraft},
		{Effect: sandbox.EffectFailure, Code: "Contact " + secretName + " not found"},
		{Status: 500, Body: secretEmail},
		{Status: 422, Body: `{"error_code":"` + secretPhone + `"}`},
		{Status: 401},
		{Status: 404},
		{Status: 429, RetryAfter: "0"},
		{Effect: sandbox.EffectRedirect, Location: r.url},
		{Effect: sandbox.EffectMalformed, Body: secretName},
		{Effect: sandbox.EffectCut},
		{Effect: sandbox.EffectDropBefore},
		{Effect: sandbox.EffectDropAfter},
		{Effect: sandbox.EffectDropAfter, Reset: true},
		{Effect: sandbox.EffectHangBefore},
		{Effect: sandbox.EffectHangAfter},
	} {
		rule.Count = 1
		r.faults(rule)
		id := fmt.Sprintf("event-%d", i)
		r.change(r.present(id, "Session A"))
		r.await("the call is over", func() bool { return r.row(id).Status() != state.Pending })
		if r.logs.count(`"sentra_event_id":"`+id+`"`) == 0 {
			t.Errorf("fault %d left no log line", i)
		}
	}
	addr := r.box.Addr()
	r.box.Stop()
	r.change(r.present("down", "Session A"))
	r.await("GHL is seen to be down", func() bool { return r.row("down").SyncError == ghl.CodeConnectionRefused })
	if err := r.box.Start(t.Context(), addr); err != nil {
		t.Fatal(err)
	}
	r.awaitSettled("down")
	r.stop()
	r.wantClean()
}
