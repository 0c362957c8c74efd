package deliver_test

import (
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
)

// 5: a call of unknown outcome is made again byte for byte, under its delivery
// id, and not before the settling time is over. Only then does what is newer go.
func TestUnknownOutcomeIsRepeatedAfterSettling(t *testing.T) {
	t.Parallel()
	const timeout, settle = 150 * time.Millisecond, 300 * time.Millisecond
	for name, rule := range map[string]sandbox.Rule{
		"dropped before GHL acted": {Effect: sandbox.EffectDropBefore, Count: 1},
		"dropped after GHL acted":  {Effect: sandbox.EffectDropAfter, Count: 1},
		"reset after GHL acted":    {Effect: sandbox.EffectDropAfter, Reset: true, Count: 1},
		"cut answer":               {Effect: sandbox.EffectCut, Count: 1},
		"timed out, not acted":     {Effect: sandbox.EffectHangBefore, Count: 1},
		"timed out, acted":         {Effect: sandbox.EffectHangAfter, Count: 1},
		"timed out, acted later":   {Effect: sandbox.EffectHangThenAct, ActAfter: timeout + settle/3, Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) { r.o.Timeout, r.o.Settle = timeout, settle })
			r.faults(rule)
			r.start()
			r.change(r.present("1", "Session A"))
			r.await("the outcome is unknown", func() bool { c := r.row("1").Call; return c != nil && c.State == state.Unknown })
			var unknown []deliver.Event
			r.await("it is told", func() bool { unknown, _ = r.seen(); return len(unknown) > 0 })
			r.change(r.present("1", "Session B"))
			r.awaitSettled("1")
			r.wantOperations("1", "created created updated")
			r.wantTitles("1", "Session B")
			r.wantRepeated(0, 1)
			got := r.requests("1")
			if gap := got[1].Time.Sub(unknown[0].Ended); gap < settle {
				t.Errorf("repeated %s after its end, want at least %s", gap, settle)
			}
			if got[2].DeliveryID == got[0].DeliveryID {
				t.Error("the newer state went out under the old delivery id")
			}
			r.wantClean()
		})
	}
}

// wantRepeated checks that two requests for event 1 are the same to the byte.
func (r *rig) wantRepeated(first, second int) {
	r.t.Helper()
	got := r.requests("1")
	if len(got) <= second {
		r.t.Fatalf("only %d requests", len(got))
	}
	a, b := got[first], got[second]
	if a.DeliveryID != b.DeliveryID || a.Body != b.Body || a.DeliveryID == "" {
		r.t.Errorf("request %d is not request %d again", second, first)
	}
}

func TestCreateOfUnknownOutcomeIsGivenUpAfterFiveRepetitions(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.Settle = time.Millisecond })
	r.faults(sandbox.Rule{Effect: sandbox.EffectDropBefore})
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("it is parked", func() bool { return r.row("1").Parked == ghl.CodeOutcomeUnknown })
	if n := len(r.requests("1")); n != state.MaxCreateTries {
		t.Errorf("%d requests, want %d", n, state.MaxCreateTries)
	}
	r.wantRepeated(0, 5)
	r.wantClean()
}

// Deleted while its create's outcome is unknown: the delete overtakes at once,
// and goes once more when GHL can no longer act on the create.
func TestDeleteOvertakesACreateOfUnknownOutcome(t *testing.T) {
	t.Parallel()
	const timeout, settle = 150 * time.Millisecond, 1200 * time.Millisecond
	for name, rule := range map[string]sandbox.Rule{
		"never acted": {Effect: sandbox.EffectDropBefore, Count: 1},
		"acted":       {Effect: sandbox.EffectDropAfter, Count: 1},
		"acts later":  {Effect: sandbox.EffectHangThenAct, ActAfter: timeout + settle*2/3, Count: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) { r.o.Timeout, r.o.Settle = timeout, settle })
			r.faults(rule)
			r.start()
			r.change(r.present("1", "Session A"))
			r.await("the outcome is unknown", func() bool { c := r.row("1").Call; return c != nil && c.State == state.Unknown })
			settles := r.row("1").Call.SettlesAt
			r.change(r.absent("1"))
			r.await("the delete has left", func() bool { return len(r.requests("1")) == 2 })
			r.awaitSettled("1")
			r.wantOperations("1", "created deleted deleted")
			r.wantTitles("1")
			got := r.requests("1")
			if !got[1].Time.Before(settles) || got[2].Time.Before(settles) {
				t.Errorf("deletes at %s and %s, want one before and one after %s", got[1].Time, got[2].Time, settles)
			}
			r.wantClean()
		})
	}
}

// An unresolved delete is resolved before a re-inserted event is created.
func TestDeleteOfUnknownOutcomeIsResolvedBeforeTheCreate(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]sandbox.Effect{
		"GHL had acted":     sandbox.EffectDropAfter,
		"GHL had not acted": sandbox.EffectDropBefore,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(r *rig) { r.o.Settle = 100 * time.Millisecond })
			r.start()
			r.change(r.present("1", "Session A"))
			r.awaitSettled("1")
			r.faults(sandbox.Rule{Effect: effect, Count: 1})
			r.change(r.absent("1"))
			r.await("the outcome is unknown", func() bool { c := r.row("1").Call; return c != nil && c.State == state.Unknown })
			r.change(r.present("1", "Session B"))
			r.awaitSettled("1")
			r.wantOperations("1", "created deleted deleted created")
			r.wantRepeated(1, 2)
			r.wantTitles("1", "Session B")
			r.wantClean()
		})
	}
}
