package deliver

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/state"
)

// books is what the book-keeping goroutine owns. Nobody else touches it while
// the goroutine runs.
type books struct {
	*Deliverer
	gate   gate
	dice   dice
	caller state.Caller

	inFlight   int     // calls claimed and not ended
	unrecorded []ended // ended, and not yet durable
	budget     allowance
	dueAt      time.Time
	pruneAt    time.Time
	abandonAt  time.Time     // zero: never
	callTime   time.Duration // of late: of a call, and of a turn
	turnTime   time.Duration

	storeErr   error     // of the last turn
	storeAt    time.Time // not to be tried before
	storeRetry *backoff.ExponentialBackOff
}

func newBooks(d *Deliverer) *books {
	b := &books{Deliverer: d, dice: newDice(d.o.Seed), storeRetry: backoff.NewExponentialBackOff()}
	b.callTime = slowCall
	b.gate = gate{base: d.o.RetryBase, most: d.o.RetryCap, jitter: b.dice.jitter}
	if d.o.Disabled {
		b.gate.state = gateDisabled
	}
	b.storeRetry.InitialInterval = 50 * time.Millisecond
	b.storeRetry.MaxInterval = 5 * time.Second
	b.caller = state.Caller{
		Owner:  d.o.Owner,
		Lease:  aheadFactor*d.o.Timeout + leaseMargin,
		NewID:  rand.Text,
		Encode: b.encode,
	}
	return b
}

// run keeps the books until Stop, and returns when nothing is in flight and
// everything is recorded. An error says what could not be recorded.
func (b *books) run(ctx context.Context) error {
	b.dueAt, b.pruneAt = b.now(), b.now()
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		b.takeEnded()
		b.answer()
		now := b.now()
		switch {
		case b.finished(ctx):
			return b.leftOver()
		case b.mustAbandon(now): // seldom, and not to be kept waiting by a busy store
			b.settleStore(b.abandon(ctx))
		case b.mustTurn(now):
			b.settleStore(b.turn(ctx))
		case b.mustPrune(now):
			b.settleStore(b.prune(ctx))
		default:
			b.publish()
			b.sleep(now, alarm)
		}
	}
}

// finished reports whether a stop is complete, or was cut.
func (b *books) finished(ctx context.Context) bool {
	return b.isStopping() && b.inFlight == 0 && (len(b.unrecorded) == 0 || ctx.Err() != nil)
}

func (b *books) leftOver() error {
	n := len(b.unrecorded)
	if n == 0 {
		return nil
	}
	return fmt.Errorf("record the outcome of %d calls: %w", n, b.storeErr)
}

// takeEnded takes the results that are there, and tells the gate at once: it
// must not wait for a slow store to close.
func (b *books) takeEnded() {
	for {
		select {
		case e := <-b.ended:
			b.take(e)
		default:
			return
		}
	}
}

// answer is for a busy loop, which does not sleep.
func (b *books) answer() {
	select {
	case answer := <-b.pings:
		close(answer)
	case told := <-b.holds:
		b.hold(told)
	default:
	}
}

// hold closes the gate, or opens it as far as GHL does.
func (b *books) hold(told decision) {
	defer close(told.done)
	if b.gate.held == told.hold {
		return
	}
	b.gate.held = told.hold
	b.dueAt = b.now()
	if told.hold {
		b.log.Warn(msgHeld)
	} else {
		b.log.Info(msgResumed)
	}
	b.publish()
}

func (b *books) take(e ended) {
	b.inFlight--
	b.learn(e.result)
	b.unrecorded = append(b.unrecorded, e)
	if b.gate.ended(e.at, e.request.DeliveryID, e.result) {
		b.logGate()
		b.publish()
	}
}

// room is how many calls may be claimed now. Tokens are looked at, not taken:
// a claim never waits for one, so it carries what is newest when it leaves.
func (b *books) room(now time.Time) int {
	free := min(b.capacity()-b.inFlight, b.gate.allow(now))
	if free <= 0 || b.isStopping() || now.Before(b.budget.nextAt) {
		return 0
	}
	return int(min(float64(free), b.tokens(now)))
}

// tokens is how many calls the rate lets leave now. It goes below zero for none,
// and is +Inf without a limit.
func (d *Deliverer) tokens(now time.Time) float64 {
	if d.limiter.Limit() == rate.Inf {
		return math.Inf(1)
	}
	return d.limiter.TokensAt(now)
}

// capacity is how many calls may be claimed in all. Where a call takes less time
// than a turn, workers would wait for the books: then there is a second call for
// each, which leaves within about a turn. Once a call is slow, or fails, there is
// not: what waits for long gets stale.
func (b *books) capacity() int {
	if b.callTime < b.turnTime {
		return aheadFactor * b.o.Concurrency
	}
	return b.o.Concurrency
}

// aheadFactor bounds how many calls may be claimed for each worker.
const aheadFactor = 2

// slowCall stands for the duration of a call that failed.
const slowCall = time.Second

// learn keeps up a moving mean of how long calls take.
func (b *books) learn(r ghl.Result) {
	d := slowCall
	if r.Outcome == ghl.Delivered {
		d = min(r.Duration, slowCall)
	}
	b.callTime += (d - b.callTime) / 8
}

func (b *books) mustTurn(now time.Time) bool {
	if now.Before(b.storeAt) {
		return false
	}
	if n := len(b.unrecorded); n > 0 {
		return !now.Before(b.gatheredAt())
	}
	return reached(now, b.dueAt) && b.room(now) > 0
}

// gatherTime is how long results may wait for others to share a commit with.
const gatherTime = time.Millisecond

// gatheredAt is when the results that are there are to be recorded. While every
// worker is busy a turn for one result alone would cost as much as one for half
// of the calls in flight; with workers to spare, or once half of the calls have
// ended, nothing is waited for.
func (b *books) gatheredAt() time.Time {
	n := len(b.unrecorded)
	if capacity := b.capacity(); b.isStopping() || n+b.inFlight < capacity || 2*n >= capacity {
		return time.Time{}
	}
	return b.unrecorded[0].at.Add(gatherTime)
}

func (b *books) mustPrune(now time.Time) bool {
	return !now.Before(b.storeAt) && !b.isStopping() && reached(now, b.pruneAt)
}

func (b *books) mustAbandon(now time.Time) bool {
	return b.o.Living != nil && !now.Before(b.storeAt) && !b.isStopping() && reached(now, b.abandonAt)
}

// reached reports whether a time that may be none has come.
func reached(now, at time.Time) bool { return !at.IsZero() && !now.Before(at) }

// maxSleep bounds a sleep by the monotonic clock, so that a step of the wall
// clock, by which events are due, is noticed.
const maxSleep = time.Minute

// sleep waits for whatever comes first: a call that ends, a wake-up, the stop,
// or the next time at which there is something to do.
func (b *books) sleep(now time.Time, alarm *time.Timer) {
	alarm.Reset(min(b.nextLook(now).Sub(now), maxSleep))
	stopping, cut := b.stopping, b.storeCtx.Done()
	if b.isStopping() {
		stopping = nil // known already; what is left are results and the store
	}
	if b.storeCtx.Err() != nil {
		cut = nil // known as well; what is left are calls that end late
	}
	select {
	case e := <-b.ended:
		b.take(e)
	case <-b.wake:
		b.dueAt = b.now()
	case answer := <-b.pings:
		close(answer)
	case told := <-b.holds:
		b.hold(told)
	case <-stopping:
	case <-cut:
	case <-alarm.C:
	}
}

// nextLook is when to look again if nothing happens.
func (b *books) nextLook(now time.Time) time.Time {
	next := now.Add(maxSleep)
	sooner := func(t time.Time) {
		if t.Before(next) {
			next = t
		}
	}
	if !b.isStopping() {
		sooner(later(b.pruneAt, b.storeAt))
		if b.o.Living != nil {
			sooner(later(b.abandonAt, b.storeAt))
		}
		if !b.dueAt.IsZero() && b.inFlight < b.capacity() {
			sooner(b.nextClaim(now))
		}
	}
	if len(b.unrecorded) > 0 {
		sooner(later(b.storeAt, b.gatheredAt()))
	}
	return next
}

// nextClaim is when the next event may be claimed: it is due, the gate lets it
// through, there is a token for it, and the store is to be tried.
func (b *books) nextClaim(now time.Time) time.Time {
	at := later(later(b.dueAt, b.storeAt), b.budget.nextAt)
	if opens := b.gate.opensAt(); !opens.IsZero() {
		at = later(at, opens)
	} else if b.gate.allow(now) == 0 {
		return now.Add(maxSleep) // a probe is in flight, or delivery is off
	}
	if limit, missing := b.limiter.Limit(), 1-b.limiter.TokensAt(now); limit != rate.Inf && missing > 0 {
		at = later(at, now.Add(time.Duration(missing/float64(limit)*float64(time.Second))+time.Microsecond))
	}
	return at
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// settleStore takes note of how a turn went. While the store fails, turns are
// tried again with backoff and nothing new leaves; people read of it twice, when
// it begins and when it is over.
func (b *books) settleStore(err error) {
	before := b.storeErr
	b.storeErr = err
	if err == nil {
		b.storeAt = time.Time{}
		if before != nil {
			b.storeRetry.Reset()
			b.log.Info(msgStoreWorks)
			b.publish()
		}
		return
	}
	b.storeAt = b.now().Add(b.storeRetry.NextBackOff())
	if before == nil {
		b.log.Error(msgStoreFails, keyError, err)
		b.publish()
	}
}
