package deliver

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/ghl"
)

const (
	// reserveShare is the part of a day's requests that is kept for what cannot
	// wait: a twentieth.
	reserveShare = 20
	// quotaAge is how long GHL's word on the day's rest holds. Nobody knows when a
	// day ends for GHL: calls are let through after this time to find out, and after
	// a step of the clock.
	quotaAge = 15 * time.Minute
)

// quota is what GHL said last about how much it still takes.
type quota struct {
	mu   sync.Mutex
	last ghl.Quota
	at   time.Time // zero: nothing was said yet
}

// Pace waits until one more request may leave: for those that a call takes
// beyond its first, which was paced when it was claimed.
func (d *Deliverer) Pace(ctx context.Context) error {
	if err := d.limiter.Wait(ctx); err != nil {
		return err
	}
	return d.waitForToken(ctx)
}

// Observe takes what GHL says about its limits, and slows down as they come
// near: with less than half of the interval's requests left, the rate is what is
// left over the interval. Others may spend of the same limits.
func (d *Deliverer) Observe(q ghl.Quota) {
	d.quota.mu.Lock()
	defer d.quota.mu.Unlock()
	d.quota.last, d.quota.at = q, d.now()
	limit := d.o.Rate
	if q.Remaining >= 0 && q.Interval > 0 && q.Remaining < q.Max/2 {
		limit = min(limit, rate.Limit(float64(max(q.Remaining, 1))/q.Interval.Seconds()))
	}
	if limit != d.limiter.Limit() {
		d.limiter.SetLimit(limit)
	}
}

// quotaSaid is what GHL said last, and when; a zero time if nothing.
func (d *Deliverer) quotaSaid() (ghl.Quota, time.Time) {
	d.quota.mu.Lock()
	defer d.quota.mu.Unlock()
	return d.quota.last, d.quota.at
}

// reserved is the time before which an event must start to be called while the
// day's requests are nearly used up; zero while all may be called.
func (d *Deliverer) reserved(now time.Time) time.Time {
	q, at := d.quotaSaid()
	if at.IsZero() || q.DailyMax <= 0 || q.DailyRemaining < 0 || now.Sub(at).Abs() > quotaAge {
		return time.Time{}
	}
	if q.DailyRemaining > q.DailyMax/reserveShare {
		return time.Time{}
	}
	return d.today(now).AddDate(0, 0, 1)
}

// today is when the present day began.
func (d *Deliverer) today(now time.Time) time.Time {
	year, month, day := now.In(d.o.Zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, d.o.Zone).UTC()
}
