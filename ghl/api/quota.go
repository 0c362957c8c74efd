package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Quota is what an answer says of GHL's limits: so many calls an interval, and so
// many a day, of one location.
type Quota struct {
	Known     bool // Max and Remaining were told
	Max       int
	Remaining int
	Interval  time.Duration // 0: not told

	DailyKnown     bool // DailyLimit and DailyRemaining were told
	DailyLimit     int
	DailyRemaining int
}

func (c *Client) observe(h http.Header) {
	if q := quotaOf(h); c.o.Observe != nil && (q.Known || q.DailyKnown) {
		c.o.Observe(q)
	}
}

// quotaOf reads GHL's rate headers.
func quotaOf(h http.Header) Quota {
	var q Quota
	var most, left bool
	q.Max, most = count(h, "X-RateLimit-Max")
	q.Remaining, left = count(h, "X-RateLimit-Remaining")
	q.Known = most && left
	if ms, ok := count(h, "X-RateLimit-Interval-Milliseconds"); ok {
		q.Interval = time.Duration(ms) * time.Millisecond
	}
	q.DailyLimit, most = count(h, "X-RateLimit-Limit-Daily")
	q.DailyRemaining, left = count(h, "X-RateLimit-Daily-Remaining")
	q.DailyKnown = most && left
	return q
}

// maxCount is far above any limit, and as milliseconds still a duration.
const maxCount = 1_000_000_000

func count(h http.Header, name string) (n int, ok bool) {
	n, err := strconv.Atoi(strings.TrimSpace(h.Get(name)))
	if err != nil || n < 0 || n > maxCount {
		return 0, false
	}
	return n, true
}

// windowOf is how long to wait after 'too many calls' without a Retry-After.
func windowOf(h http.Header) time.Duration {
	q := quotaOf(h)
	switch {
	case q.DailyKnown && q.DailyRemaining == 0:
		return time.Hour
	case q.Interval > 0:
		return min(q.Interval, time.Hour)
	}
	return defaultWindow
}
