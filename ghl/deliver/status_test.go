package deliver_test

import (
	"math"
	"testing"

	"golang.org/x/time/rate"
)

// Status tells how many calls the rate lets leave at once: each that left is one
// less, and without a rate there is no bound.
func TestStatusTellsHeadroom(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.Rate, r.o.Burst = rate.Limit(1e-6), 3 })
	if tokens := r.d.Status().Tokens; tokens != 3 {
		t.Errorf("%v tokens before a call, want the burst of 3", tokens)
	}
	r.start()
	r.change(r.present("1", "Session A"))
	r.awaitSettled("1")
	if tokens := r.d.Status().Tokens; tokens < 2 || tokens > 2.1 {
		t.Errorf("%v tokens after a call, want 2", tokens)
	}
	if tokens := newRig(t).d.Status().Tokens; !math.IsInf(tokens, 1) {
		t.Errorf("%v tokens without a rate", tokens)
	}
}
