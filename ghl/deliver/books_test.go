package deliver

import (
	"testing"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/ghl"
)

func booksForTest(concurrency int) *books {
	return &books{
		Deliverer: &Deliverer{o: Options{Concurrency: concurrency}, stopping: make(chan struct{})},
		callTime:  slowCall, turnTime: 2 * time.Millisecond,
	}
}

// Calls are claimed ahead of a free worker only while they take less time than
// the commit that a worker would wait for.
func TestClaimsAheadOfQuickCallsOnly(t *testing.T) {
	t.Parallel()
	b := booksForTest(8)
	if got := b.capacity(); got != 8 {
		t.Errorf("at the start %d calls may be claimed", got)
	}
	quick := ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200, Duration: 500 * time.Microsecond}
	for range 100 {
		b.learn(quick)
	}
	if got := b.capacity(); got != 16 {
		t.Errorf("of quick calls %d may be claimed", got)
	}
	for name, r := range map[string]ghl.Result{
		"slow":    {Outcome: ghl.Delivered, HTTPStatus: 200, Duration: 100 * time.Millisecond},
		"refused": {Outcome: ghl.Retry, Code: ghl.CodeConnectionRefused, Duration: 100 * time.Microsecond},
	} {
		b := *b
		b.learn(r)
		if got := b.capacity(); got != 8 {
			t.Errorf("after a %s call %d may be claimed", name, got)
		}
	}
}

// Results wait for others only while all workers are busy, and not for long.
func TestResultsAreGathered(t *testing.T) {
	t.Parallel()
	at := time.Now()
	for name, c := range map[string]struct {
		ended, inFlight int
		waits           bool
	}{
		"one of eight":                {1, 7, true},
		"three of eight":              {3, 5, true},
		"half of them":                {4, 4, false},
		"all of them":                 {8, 0, false},
		"one, with workers to spare":  {1, 3, false},
		"the only one":                {1, 0, false},
		"one of eight, when stopping": {1, 7, false},
	} {
		b := booksForTest(8)
		b.inFlight = c.inFlight
		for range c.ended {
			b.unrecorded = append(b.unrecorded, ended{at: at})
		}
		if name == "one of eight, when stopping" {
			close(b.stopping)
		}
		if got := b.mustTurn(at); got == c.waits {
			t.Errorf("%s: recorded at once: %v", name, got)
		}
		if !b.mustTurn(at.Add(gatherTime)) {
			t.Errorf("%s: not recorded after %s", name, gatherTime)
		}
	}
}

// Calls that leave pay for it also where requests of other calls took the tokens
// between the look at them and the commit.
func TestLeavingPaysForItself(t *testing.T) {
	t.Parallel()
	b := booksForTest(8)
	b.limiter = rate.NewLimiter(8, 3)
	b.calls = make(chan *call, 3)
	b.status.init(Status{})
	now := time.Now()
	if got := b.room(now); got != 3 {
		t.Fatalf("there is room for %d calls, want 3", got)
	}
	b.limiter.AllowN(now, 2)
	b.leave(now, []*call{{}, {}, {}})
	if got := b.limiter.TokensAt(now); got != -2 {
		t.Errorf("%v tokens are left, want 2 less than none", got)
	}
}

// While nothing may leave, the store is not asked when the next event is due: of a
// large backlog that takes long, and with each call that ends.
func TestDueIsNotAskedForWithoutRoom(t *testing.T) {
	t.Parallel()
	b := booksForTest(8)
	b.inFlight = b.capacity()
	now := time.Now()
	c, err := b.claim(t.Context(), nil, now) // there is no transaction to ask
	if err != nil || !c.due.Equal(now) {
		t.Errorf("it looks again at %s (%v), want as soon as there is room", c.due, err)
	}
}
