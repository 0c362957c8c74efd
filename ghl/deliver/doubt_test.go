package deliver_test

import (
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
)

// 5: a refusal says nothing of what an earlier try of the same call did. GHL acts
// on the create and the answer is lost; the repetition is refused; meanwhile the
// event is edited or deleted.
func TestRefusalDoesNotEndADoubt(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]sandbox.Rule{
		"not now":        {Status: 503},
		"server error":   {Status: 500},
		"workflow draft": {Effect: sandbox.EffectDraft},
	} {
		for _, then := range []string{"edited", "deleted"} {
			t.Run(name+", "+then, func(t *testing.T) {
				t.Parallel()
				testDoubt(t, refusal, then)
			})
		}
	}
}

func testDoubt(t *testing.T, refusal sandbox.Rule, then string) {
	t.Helper()
	r := newRig(t, func(r *rig) { r.o.Settle = time.Millisecond })
	refusal.Operation = ghl.Created
	r.faults(sandbox.Rule{Effect: sandbox.EffectDropAfter, Count: 1}, refusal)
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("the repetition was refused", func() bool { return len(r.requests("1")) >= 2+state.MaxCreateTries })
	if then == "edited" {
		r.change(r.present("1", "Session B"))
		n := len(r.requests("1"))
		r.await("it was refused again", func() bool { return len(r.requests("1")) > n })
		r.faults()
		r.awaitSettled("1")
		r.wantTitles("1", "Session B")
	} else {
		r.change(r.absent("1"))
		r.faults()
		r.awaitSettled("1")
		r.wantTitles("1")
	}
	r.wantRepeated(0, 1)
	r.wantClean()
}

// A server error after acting is such a doubt by itself.
func TestServerErrorMayHaveActed(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"create", "delete"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			sender := &heldSender{}
			r := newRig(t, sender.into)
			r.start()
			want := "created created updated"
			if first == "delete" {
				want = "created deleted deleted created"
				r.change(r.present("1", "Session A"))
				r.awaitSettled("1")
			}
			sender.stop(false)
			r.faults(sandbox.Rule{Status: 500, Act: sandbox.ActYes, Count: 1})
			if first == "delete" {
				r.change(r.absent("1"))
			} else {
				r.change(r.present("1", "Session A"))
			}
			r.await("the call is answered", func() bool { return sender.held.Load() == 1 })
			r.change(r.present("1", "Session B"))
			sender.release()
			r.awaitSettled("1")
			r.wantOperations("1", want)
			r.wantTitles("1", "Session B")
			r.wantClean()
		})
	}
}

// A long outage does not use up the tries of unknown outcome.
func TestRefusalsDoNotGiveACreateUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.Settle = time.Millisecond })
	r.faults(sandbox.Rule{Status: 503, Count: 3 * state.MaxCreateTries}, sandbox.Rule{Effect: sandbox.EffectDropAfter, Count: 1})
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("the call is over", func() bool { return r.row("1").Status() != state.Pending })
	if m := r.row("1"); m.Status() != state.Synced {
		t.Errorf("it is %s, parked %q", m.Status(), m.Parked)
	}
	if got, want := len(r.requests("1")), 3*state.MaxCreateTries+2; got != want {
		t.Errorf("%d requests, want %d", got, want)
	}
	r.wantClean()
}
