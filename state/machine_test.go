package state_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ghlsync/state"
)

// machine plays one event against the book: every action that can happen to a
// row, in any order.
type machine struct {
	*rig
	t      chooser
	book   *book
	flight *sent
	last   state.Change // to be merged again
}

// chooser decides what is left open: at random, or one after the other.
type chooser interface {
	fataler
	// pick is one of several.
	pick(label string, of ...string) string
	// between is a number, both ends included.
	between(label string, least, most int) int
	// Skip is for an action that cannot happen now.
	Skip(why ...any)
}

// random leaves it to rapid.
type random struct{ *rapid.T }

func (r random) pick(label string, of ...string) string {
	return rapid.SampledFrom(of).Draw(r.T, label)
}

func (r random) between(label string, least, most int) int {
	return rapid.IntRange(least, most).Draw(r.T, label)
}

func newMachine(t chooser, dedup bool) *machine {
	return &machine{rig: newRig(t), t: t, book: newBook(dedup)}
}

// actions are what can happen, one after the other. A crash stands also for a
// lease that was lost: whoever lost it cannot record the end of its call.
func actions(dedup bool) map[string]func(*machine) {
	actions := map[string]func(*machine){
		"upsert":            func(k *machine) { k.change(present(k.content())) },
		"retract":           func(k *machine) { k.change(state.Change{Wanted: state.Absent}) },
		"cannot translate":  func(k *machine) { k.change(untranslatable("client_missing")) },
		"snapshot shows":    func(k *machine) { k.change(snapshot(present(k.content()))) },
		"snapshot does not": func(k *machine) { k.change(snapshot(state.Change{Wanted: state.Absent})) },
		"merge again":       (*machine).again,
		"stale change":      (*machine).stale,
		"time passes":       func(k *machine) { k.wait(time.Duration(k.t.between("seconds", 1, 90)) * time.Second) },
		"begin":             (*machine).begin,
		"end":               (*machine).end,
		"crash":             (*machine).crash,
		"callback":          (*machine).callback,
		"retry":             func(k *machine) { k.known(func() { k.m.Retry(k.now) }) },
		"hold":              func(k *machine) { k.known(func() { state.HoldRetraction(k.m, k.now) }) },
		"release":           func(k *machine) { k.known(func() { k.m.Release(k.now) }) },
		"drop":              func(k *machine) { k.known(func() { k.m.Drop(k.now) }) },
		"late failure":      (*machine).lateFailure,
		"drift":             func(k *machine) { k.known(func() { k.m.NoteDrift(k.now, state.DriftChanged, 0) }) },
		"restore":           func(k *machine) { k.known(func() { k.m.Restore(k.now) }) },
	}
	if !dedup {
		// A callback proves one create, not that a repetition of it is not to come.
		delete(actions, "callback")
	}
	return actions
}

func (k *machine) content() string {
	return k.t.pick("content", "a", "b")
}

func (k *machine) change(c state.Change) {
	k.pass(time.Millisecond)
	k.merge(c)
	c.ID, c.Version.LSN, c.CommittedAt = "event-1", k.lsn, k.now
	k.last = c
}

func (k *machine) again() {
	if k.last.ID == "" {
		k.t.Skip("nothing was merged yet")
	}
	revision := int64(0)
	if k.m != nil {
		revision = k.m.Revision
	}
	k.m, _ = state.Merge(k.m, k.last, k.now)
	if k.m != nil && k.m.Revision != revision {
		k.t.Fatalf("merging again makes revision %d of %d", k.m.Revision, revision)
	}
}

func (k *machine) stale() {
	if k.m == nil {
		k.t.Skip("not known yet")
	}
	if e := k.merge(at(present("stale"), 0, 1)); e != state.Ignored {
		k.t.Fatalf("a stale change has effect %d", e)
	}
}

func (k *machine) known(do func()) {
	if k.m == nil {
		k.t.Skip("not known yet")
	}
	k.pass(time.Millisecond)
	do()
}

func (k *machine) wait(d time.Duration) {
	k.pass(d)
	k.book.catchUp(k.now)
}

func (k *machine) begin() {
	if k.m == nil || k.m.NextAttempt.IsZero() || k.m.NextAttempt.After(k.now) {
		k.t.Skip("nothing is due")
	}
	unknown := clone(k.m).Call
	if err := k.m.Begin(k.now, k.caller()); err != nil {
		k.t.Fatalf("a due row does not begin: %v", err)
	}
	c := k.m.Call
	if unknown != nil && unknown.State == state.Unknown && unknown.DeliveryID == c.DeliveryID {
		if string(unknown.Body) != string(c.Body) || k.now.Before(unknown.SettlesAt) {
			k.t.Fatalf("repeated otherwise, or too early")
		}
	}
	k.flight = &sent{op: c.Operation, id: c.DeliveryID, hash: c.Hash}
}

// end lets GHL act, or not, and ends the call by some answer to that.
func (k *machine) end() {
	if k.flight == nil {
		k.t.Skip("no call is in flight")
	}
	k.pass(time.Millisecond)
	c := *k.flight
	k.flight = nil
	ending := k.t.pick("ending", "answered", "lost", "refused", "may have acted", "impossible", "suspended")
	if ending == "impossible" && (c.op == state.Delete || k.book.dedup && k.book.acted[c.id]) {
		ending = "answered" // a receiver that knows the id repeats its answer
	}
	retryAt := k.now.Add(time.Second)
	switch ending {
	case "answered":
		k.finish(state.Result{Outcome: k.book.act(c), AppointmentID: k.answeredID(c), Code: ""})
	case "lost":
		settles := k.now.Add(settle)
		k.perhaps(c, settles)
		k.finish(state.Result{Outcome: state.Ambiguous, Code: "TIMEOUT", SettlesAt: settles})
	case "refused":
		k.finish(state.Result{Outcome: state.Refused, Code: "HTTP_503", RetryAt: retryAt})
	case "may have acted":
		k.perhaps(c, k.now)
		k.finish(state.Result{Outcome: state.Refused, Code: "HTTP_500", MaybeActed: true, RetryAt: retryAt})
	case "impossible":
		k.finish(state.Result{Outcome: state.Impossible, Code: "CONTACT_NOT_FOUND"})
	case "suspended":
		k.finish(state.Result{Outcome: state.Suspended, Code: "WORKFLOW_INACTIVE"})
	}
}

func (k *machine) answeredID(c sent) string {
	if c.op == state.Create && k.t.pick("answer", "with an id", "without an id") == "with an id" {
		return fmt.Sprintf("ghl_%d", k.book.made)
	}
	return ""
}

// finish checks that only what the call carried counts as known to GHL.
func (k *machine) finish(r state.Result) {
	carried, wanted := k.m.Call.Revision, k.m.Revision
	if id := k.m.Finish(k.now, r); id != "" {
		k.retired = append(k.retired, id)
	}
	if carried != wanted && r.Outcome == state.Delivered && k.m.GHLHash == k.m.Hash && k.m.Hash != "" && !slices.Contains(k.book.appts, k.m.Hash) {
		k.t.Fatalf("a call for revision %d marks revision %d", carried, wanted)
	}
}

// perhaps lets GHL act on the call now, within the time it has, or never.
func (k *machine) perhaps(c sent, until time.Time) {
	switch k.t.pick("GHL acts", "never", "now", "later") {
	case "now":
		k.book.act(c)
	case "later":
		if left := until.Sub(k.now); left > time.Second {
			wait := time.Duration(k.t.between("later by", 0, int(left/time.Second)-1)) * time.Second
			k.book.delayed = append(k.book.delayed, delayed{at: k.now.Add(wait), call: c})
		}
	}
}

func (k *machine) crash() {
	if k.flight == nil {
		k.t.Skip("no call is in flight")
	}
	c := *k.flight
	k.flight = nil
	k.perhaps(c, k.now.Add(settle))
	k.m.Abandon(k.now, settle)
}

func (k *machine) callback() {
	if k.m == nil || len(k.book.appts) == 0 {
		k.t.Skip("there is no appointment")
	}
	k.m.Learn(k.now, fmt.Sprintf("ghl_%d", k.book.made))
}

// lateFailure is a workflow's report that what it had taken came to nothing. The
// book has what was there before it, so it is no report of a create.
func (k *machine) lateFailure() {
	if k.m == nil || k.m.Call != nil || k.m.Wanted == state.Absent {
		k.t.Skip("there is nothing that a workflow could have failed to update")
	}
	k.m.Fail(k.now, state.Failure{Operation: state.Update, Code: "NO_SLOT"})
}

// check is what holds after every action. 6: a row is settled, leased, parked or
// held, or else it is scheduled. And what counts as synced is so.
func (k *machine) check() {
	k.book.catchUp(k.now)
	m := k.m
	if m == nil {
		return
	}
	leased := !m.LeaseUntil.IsZero()
	if leased != (m.Call != nil && m.Call.State == state.InFlight) || leased != (m.LeaseOwner != "") || leased != (k.flight != nil) {
		k.t.Fatalf("lease and call in flight differ: %+v, call %+v", *m, m.Call)
	}
	rests := leased || m.Parked != "" || m.Hold == state.Held || m.Settled()
	if rests == !m.NextAttempt.IsZero() {
		k.t.Fatalf("at rest %v, scheduled at %s: %+v, call %+v", rests, m.NextAttempt, *m, m.Call)
	}
	if k.book.dedup && len(k.book.appts) > 1 {
		k.t.Fatalf("%d appointments", len(k.book.appts))
	}
	if m.Settled() && m.Parked == "" && m.Hold != state.Kept && !k.book.equals(m) {
		k.t.Fatalf("settled, but GHL has %q, more is to come: %+v; row %+v", k.book.appts, k.book.delayed, *m)
	}
}

// quiesce is what happens once everything works again and operators have
// decided. It must end, with GHL having what is wanted.
func (k *machine) quiesce() {
	if k.m == nil {
		return
	}
	for range 100 {
		k.check()
		switch m := k.m; {
		case k.flight != nil:
			c := *k.flight
			k.flight = nil
			k.pass(time.Millisecond)
			k.finish(state.Result{Outcome: k.book.act(c)})
		case m.Hold == state.Held:
			m.Release(k.now)
		case m.Parked != "":
			if !m.Retry(k.now) {
				k.merge(present("c")) // the client turns up
			}
		case m.NextAttempt.IsZero():
			k.wait(2 * settle)
			k.check()
			return
		default:
			if m.NextAttempt.After(k.now) {
				k.wait(m.NextAttempt.Sub(k.now))
			}
			k.begin()
		}
	}
	k.t.Fatalf("does not come to rest: %+v, call %+v", *k.m, k.m.Call)
}

func TestEverythingThatCanHappenToAnEvent(t *testing.T) {
	t.Parallel()
	for name, dedup := range map[string]bool{"receiver knows delivery ids": true, "receiver ignores delivery ids": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				k := newMachine(random{t}, dedup)
				steps := map[string]func(*rapid.T){"": func(*rapid.T) { k.check() }}
				for name, do := range actions(dedup) {
					steps[name] = func(*rapid.T) { do(k) }
				}
				t.Repeat(steps)
				k.quiesce()
			})
		})
	}
}

// A row with nothing due refuses to begin, whatever the reason.
func TestBeginNeedsSomethingDue(t *testing.T) {
	t.Parallel()
	r := testRig(t)
	r.synced("a")
	if err := r.m.Begin(r.now, r.caller()); !errors.Is(err, state.ErrNothingDue) {
		t.Fatalf("a settled row begins: %v", err)
	}
	r.upsert("b")
	r.begins(state.Update)
	if err := r.m.Begin(r.now, r.caller()); !errors.Is(err, state.ErrNothingDue) {
		t.Fatalf("a leased row begins: %v", err)
	}
}
