package deliver

import (
	"fmt"
	"testing"
	"time"

	"ghlsync/ghl"
)

var (
	delivered   = ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200}
	parked      = ghl.Result{Outcome: ghl.Permanent, HTTPStatus: 422, Code: "HTTP_422"}
	notFound    = ghl.Result{Outcome: ghl.NotFound, HTTPStatus: 200, Code: ghl.CodeAppointmentNotFound}
	serverError = ghl.Result{Outcome: ghl.Retry, HTTPStatus: 500, Code: "HTTP_500", MaybeActed: true}
	refused     = ghl.Result{Outcome: ghl.Retry, Code: ghl.CodeConnectionRefused}
	timedOut    = ghl.Result{Outcome: ghl.Unknown, Code: ghl.CodeTimeout, MaybeActed: true}
	cut         = ghl.Result{Outcome: ghl.Unknown, Code: ghl.CodeInterrupted, MaybeActed: true}
	onlyWaited  = ghl.Result{Outcome: ghl.Retry, Code: ghl.CodeRateWait}
	cutAnswer   = ghl.Result{Outcome: ghl.Unknown, HTTPStatus: 200, Code: ghl.CodeTimeout, MaybeActed: true}
	tooMany     = ghl.Result{Outcome: ghl.Retry, HTTPStatus: 429, Code: "HTTP_429"}
	askedToWait = ghl.Result{Outcome: ghl.Retry, HTTPStatus: 429, Code: "HTTP_429", RetryAfter: 7 * time.Second}
	lastOfRate  = ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200, RetryAfter: 10 * time.Second}
	inactive    = ghl.Result{Outcome: ghl.Paused, HTTPStatus: 200, Code: ghl.CodeWorkflowInactive}
	hookGone    = ghl.Result{Outcome: ghl.Paused, HTTPStatus: 410, Code: ghl.CodeHookGone}
)

// gateStep is something that happens to a gate at a time, in seconds since the
// beginning, and what is to be seen afterwards.
type gateStep struct {
	at    float64
	probe bool        // a call leaves through the gate first, and is the one that ends
	ends  *ghl.Result // nil: nothing ends

	changed bool
	allow   int // -1: without bound
	state   gateState
	opensAt float64 // 0: none
}

func TestGate(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]gateStep{
		"five failures in a row trip it": {
			{ends: &serverError, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &timedOut, allow: -1},
			{ends: &refused, allow: -1},
			{at: 1, ends: &timedOut, changed: true, state: gateTripped, opensAt: 2},
			{at: 1.9, state: gateTripped, opensAt: 2},
			{at: 2, allow: 1, state: gateTripped, opensAt: 2},
		},
		"an answer that begins and does not end proves nothing": {
			{ends: &cutAnswer, allow: -1},
			{ends: &cutAnswer, allow: -1},
			{ends: &cutAnswer, allow: -1},
			{ends: &cutAnswer, allow: -1},
			{ends: &cutAnswer, changed: true, state: gateTripped, opensAt: 1},
		},
		"an answer that proves GHL up resets the count": {
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &parked, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &tooMany, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, changed: true, state: gateTripped, opensAt: 1},
		},
		"a call that we cut says nothing": {
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &cut, allow: -1},
			{ends: &cut, allow: -1},
			{ends: &refused, changed: true, state: gateTripped, opensAt: 1},
		},
		"calls that only waited for their turn say nothing": {
			{ends: &onlyWaited, allow: -1},
			{ends: &onlyWaited, allow: -1},
			{ends: &onlyWaited, allow: -1},
			{ends: &onlyWaited, allow: -1},
			{ends: &onlyWaited, allow: -1},
			{ends: &onlyWaited, allow: -1},
		},
		"probes double their interval up to the cap, and one that is delivered opens": {
			{ends: &inactive, changed: true, state: gatePaused, opensAt: 1},
			{at: 1, probe: true, ends: &inactive, state: gatePaused, opensAt: 3},
			{at: 3, probe: true, ends: &timedOut, state: gatePaused, opensAt: 7},
			{at: 7, probe: true, ends: &inactive, state: gatePaused, opensAt: 15},
			{at: 15, probe: true, ends: &inactive, state: gatePaused, opensAt: 25},
			{at: 25, probe: true, ends: &inactive, state: gatePaused, opensAt: 35},
			{at: 35, probe: true, ends: &delivered, changed: true, allow: -1},
			{at: 36, ends: &inactive, changed: true, state: gatePaused, opensAt: 37},
		},
		"a parked probe opens": {
			{ends: &inactive, changed: true, state: gatePaused, opensAt: 1},
			{at: 1, probe: true, ends: &parked, changed: true, allow: -1},
		},
		"a probe that finds nothing opens": {
			{ends: &inactive, changed: true, state: gatePaused, opensAt: 1},
			{at: 1, probe: true, ends: &notFound, changed: true, allow: -1},
		},
		"a probe of unknown outcome keeps it closed": {
			{ends: &inactive, changed: true, state: gatePaused, opensAt: 1},
			{at: 1, probe: true, ends: &timedOut, state: gatePaused, opensAt: 3},
		},
		"a cut probe is probed again without a longer wait": {
			{ends: &inactive, changed: true, state: gatePaused, opensAt: 1},
			{at: 2, probe: true, ends: &cut, allow: 1, state: gatePaused, opensAt: 1},
		},
		"a call that was in flight when it closed neither opens it nor is reported": {
			{ends: &inactive, changed: true, state: gatePaused, opensAt: 1},
			{at: 0.1, ends: &inactive, state: gatePaused, opensAt: 1},
			{at: 0.2, ends: &delivered, state: gatePaused, opensAt: 1},
			{at: 1.1, ends: &delivered, allow: 1, state: gatePaused, opensAt: 1},
		},
		"another reason to pause is reported": {
			{ends: &inactive, changed: true, state: gatePaused, opensAt: 1},
			{at: 1, probe: true, ends: &hookGone, changed: true, state: gatePaused, opensAt: 3},
		},
		"a pause outranks the breaker, not the other way round": {
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, allow: -1},
			{ends: &refused, changed: true, state: gateTripped, opensAt: 1},
			{at: 1, probe: true, ends: &inactive, changed: true, state: gatePaused, opensAt: 3},
			{at: 3, probe: true, ends: &refused, state: gatePaused, opensAt: 7},
			{at: 3, ends: &refused, state: gatePaused, opensAt: 7},
			{at: 3, ends: &refused, state: gatePaused, opensAt: 7},
			{at: 3, ends: &refused, state: gatePaused, opensAt: 7},
			{at: 3, ends: &refused, state: gatePaused, opensAt: 7},
		},
		"Retry-After closes it for that long": {
			{ends: &askedToWait, changed: true, state: gateThrottled, opensAt: 7},
			{at: 6.9, state: gateThrottled, opensAt: 7},
			{at: 7, probe: true, ends: &delivered, changed: true, allow: -1},
		},
		"a delivered call that used up the rate closes it for as long": {
			{ends: &lastOfRate, changed: true, state: gateThrottled, opensAt: 10},
			{at: 10, probe: true, ends: &lastOfRate, changed: true, state: gateThrottled, opensAt: 20},
			{at: 20, probe: true, ends: &delivered, changed: true, allow: -1},
		},
		"Retry-After moves the probe of a closed gate back": {
			{ends: &inactive, changed: true, state: gatePaused, opensAt: 1},
			{at: 0.5, ends: &askedToWait, state: gatePaused, opensAt: 7.5},
		},
		"a Retry-After shorter than the base interval does not shorten it": {
			{ends: &ghl.Result{Outcome: ghl.Retry, HTTPStatus: 429, RetryAfter: time.Millisecond}, changed: true, state: gateThrottled, opensAt: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gate{base: time.Second, most: 10 * time.Second, jitter: func(d time.Duration) time.Duration { return d }}
			runGate(t, &g, steps)
		})
	}
}

func runGate(t *testing.T, g *gate, steps []gateStep) {
	t.Helper()
	epoch := time.Date(2024, 1, 15, 9, 0, 0, 0, time.UTC)
	for i, s := range steps {
		now := epoch.Add(time.Duration(s.at * float64(time.Second)))
		id := fmt.Sprintf("call-%d", i)
		if s.probe {
			if got := g.allow(now); got != 1 {
				t.Fatalf("step %d: %d calls may leave before the probe, want 1", i, got)
			}
			g.left(id)
			if got := g.allow(now.Add(time.Hour)); got != 0 {
				t.Fatalf("step %d: %d calls may leave beside the probe, want none", i, got)
			}
		}
		if s.ends != nil {
			if got := g.ended(now, id, *s.ends); got != s.changed {
				t.Fatalf("step %d: changed is %v, want %v", i, got, s.changed)
			}
		}
		if g.state != s.state {
			t.Fatalf("step %d: state is %d, want %d", i, g.state, s.state)
		}
		if got := g.allow(now); got != s.allow && (s.allow >= 0 || got < 1000) {
			t.Fatalf("step %d: %d calls may leave, want %d", i, got, s.allow)
		}
		want := time.Time{}
		if s.opensAt != 0 {
			want = epoch.Add(time.Duration(s.opensAt * float64(time.Second)))
		}
		if got := g.opensAt(); !got.Equal(want) {
			t.Fatalf("step %d: opens at %s, want %s", i, got, want)
		}
	}
}

func TestDisabledGateNeverOpens(t *testing.T) {
	t.Parallel()
	g := gate{base: time.Second, most: time.Second, jitter: func(d time.Duration) time.Duration { return d }, state: gateDisabled}
	now := time.Now()
	if g.ended(now, "x", delivered) || g.ended(now, "x", inactive) {
		t.Error("a disabled gate reports a change")
	}
	if n := g.allow(now.AddDate(10, 0, 0)); n != 0 {
		t.Errorf("%d calls may leave through a disabled gate", n)
	}
	if s := g.status(false); s.Enabled || s.Detail != "Webhook disabled" {
		t.Errorf("status is %+v", s)
	}
}

func TestBackoffIsFullJitter(t *testing.T) {
	t.Parallel()
	const base, most = time.Second, 5 * time.Minute
	d := newDice(1)
	for n, bound := range map[int]time.Duration{
		0: base, 1: base, 2: 2 * base, 3: 4 * base, 9: 256 * base, 10: most, 11: most, 1000: most,
	} {
		low, high := most, time.Duration(0)
		for range 2000 {
			wait := d.backoff(n, base, most)
			low, high = min(low, wait), max(high, wait)
		}
		if high > bound || high < bound*95/100 || low > bound*5/100 {
			t.Errorf("waits after %d calls go from %s to %s, want evenly 0 to %s", n, low, high, bound)
		}
	}
}

func TestBackoffFollowsTheSeed(t *testing.T) {
	t.Parallel()
	one, same, other := newDice(7), newDice(7), newDice(8)
	differs := false
	for n := range 20 {
		wait := one.backoff(n, time.Second, time.Minute)
		if got := same.backoff(n, time.Second, time.Minute); got != wait {
			t.Fatalf("the same seed gives %s and %s", wait, got)
		}
		differs = differs || other.backoff(n, time.Second, time.Minute) != wait
	}
	if !differs {
		t.Error("another seed gives the same waits")
	}
}

func TestProbesAreJitteredALittle(t *testing.T) {
	t.Parallel()
	d := newDice(3)
	low, high := time.Hour, time.Duration(0)
	for range 2000 {
		wait := d.jitter(10 * time.Second)
		low, high = min(low, wait), max(high, wait)
	}
	if low < 9*time.Second || high > 11*time.Second || high-low < time.Second {
		t.Errorf("10 s become %s to %s, want 9 s to 11 s", low, high)
	}
	if got := d.jitter(5); got != 5 {
		t.Errorf("5 ns become %s", got)
	}
}
