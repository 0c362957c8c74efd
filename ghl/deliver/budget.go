package deliver

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/time/rate"
)

// Budget is a bucket of tokens that several Deliverers take from, so that GHL's rate
// is for all of them together. Each keeps to the rate by itself as well.
type Budget interface {
	// TakeTokens takes up to n tokens of the bucket, which fills with perSecond and
	// holds burst at most. wait is how long it takes until the next is there.
	TakeTokens(ctx context.Context, n int, perSecond float64, burst int) (taken int, wait time.Duration, err error)
}

// A Deliverer takes what it has a use for at once. Where the rate is so high that to
// ask for each turn would cost speed, it takes what flows in within blockTime, and
// lets go what it has not used then: one that idles must not keep others from
// sending, and what was kept would add to what may leave at once.
const blockTime = 50 * time.Millisecond

// allowance is what was taken of the Budget. The book-keeping goroutine has it.
type allowance struct {
	tokens int
	until  time.Time // when they lapse
	nextAt time.Time // no more are there before
}

// spend takes tokens for up to n calls, and returns for how many.
func (b *books) spend(ctx context.Context, now time.Time, n int) (int, error) {
	limit := b.limiter.Limit()
	if b.o.Budget == nil || limit == rate.Inf || n == 0 {
		return n, nil
	}
	a := &b.budget
	if !now.Before(a.until) {
		a.tokens = 0
	}
	if missing := n - a.tokens; missing > 0 {
		block := int(float64(limit) * blockTime.Seconds())
		taken, wait, err := b.o.Budget.TakeTokens(ctx, max(missing, block), float64(limit), b.o.Burst)
		if err != nil {
			return 0, fmt.Errorf("take of the rate that is shared: %w", err)
		}
		now := b.now() // which is later: the tokens are of that time
		a.tokens, a.until = a.tokens+taken, now.Add(blockTime)
		if taken < missing {
			a.nextAt = now.Add(wait)
		}
	}
	n = min(n, a.tokens)
	a.tokens -= n
	return n, nil
}

// waitForToken takes one token as soon as there is one.
func (d *Deliverer) waitForToken(ctx context.Context) error {
	for d.o.Budget != nil && d.limiter.Limit() != rate.Inf {
		taken, wait, err := d.o.Budget.TakeTokens(ctx, 1, float64(d.limiter.Limit()), d.o.Burst)
		if err != nil || taken > 0 {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
	return nil
}
