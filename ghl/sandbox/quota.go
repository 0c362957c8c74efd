package sandbox

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Quota limits the calls to the calendar API; zero is no limit. A call beyond
// one is answered 429 and does nothing.
type Quota struct {
	Burst    int           // calls in an interval
	Interval time.Duration // 0: ten seconds
	Daily    int           // calls in a day of UTC
}

// quotaJSON is a Quota on the wire.
type quotaJSON struct {
	Burst    int      `json:"burst"`
	Interval duration `json:"interval"`
	Daily    int      `json:"daily"`
}

// MarshalJSON writes the form that UnmarshalJSON reads.
func (q Quota) MarshalJSON() ([]byte, error) {
	return json.Marshal(quotaJSON{q.Burst, duration(q.Interval), q.Daily})
}

// UnmarshalJSON reads a quota as a whole; what is not named has no limit.
func (q *Quota) UnmarshalJSON(data []byte) error {
	var in quotaJSON
	if err := strict(data, &in); err != nil {
		return err
	}
	*q = Quota{in.Burst, time.Duration(in.Interval), in.Daily}
	return nil
}

// GHLQuota is what GHL documents for a location.
var GHLQuota = Quota{Burst: 100, Interval: 10 * time.Second, Daily: 200_000}

// quota counts calls. Its owner holds the lock.
type quota struct {
	began, day     time.Time // of the interval, and of the day
	burst, already int       // calls in each
}

// allowance is what a call found of its quota.
type allowance struct {
	Quota
	burst, daily int // left after it
	over         bool
}

// take counts a call in. Intervals begin with the first call after the last
// one ended. Whether a call beyond the limit counts itself is not documented;
// here it does not.
func (q *quota) take(limit Quota, now time.Time) allowance {
	if limit.Interval == 0 {
		limit.Interval = GHLQuota.Interval
	}
	if now.Sub(q.began) >= limit.Interval {
		q.began, q.burst = now, 0
	}
	if day := now.UTC().Truncate(24 * time.Hour); !day.Equal(q.day) {
		q.day, q.already = day, 0
	}
	over := limit.Burst > 0 && q.burst >= limit.Burst || limit.Daily > 0 && q.already >= limit.Daily
	if !over {
		q.burst++
		q.already++
	}
	return allowance{Quota: limit, burst: max(limit.Burst-q.burst, 0), daily: max(limit.Daily-q.already, 0), over: over}
}

// setHeaders tells the caller, as documented. Without a limit there is nothing
// to tell.
func (a allowance) setHeaders(h http.Header) {
	if a.Burst > 0 {
		h.Set("X-RateLimit-Max", strconv.Itoa(a.Burst))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(a.burst))
		h.Set("X-RateLimit-Interval-Milliseconds", strconv.FormatInt(a.Interval.Milliseconds(), 10))
	}
	if a.Daily > 0 {
		h.Set("X-RateLimit-Limit-Daily", strconv.Itoa(a.Daily))
		h.Set("X-RateLimit-Daily-Remaining", strconv.Itoa(a.daily))
	}
}
