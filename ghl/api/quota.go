package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"ghlsync/ghl"
)

func (c *Client) observe(h http.Header) {
	if at, err := http.ParseTime(h.Get("Date")); err == nil && c.o.Clock != nil {
		c.o.Clock(at)
	}
	if q := quotaOf(h); c.o.Observe != nil && (q.Remaining >= 0 || q.DailyRemaining >= 0) {
		c.o.Observe(q)
	}
}

// quotaOf reads GHL's rate headers. Of a limit and what is left of it the one says
// nothing without the other.
func quotaOf(h http.Header) ghl.Quota {
	var q ghl.Quota
	q.Max, q.Remaining = counts(h, "X-RateLimit-Max", "X-RateLimit-Remaining")
	q.DailyMax, q.DailyRemaining = counts(h, "X-RateLimit-Limit-Daily", "X-RateLimit-Daily-Remaining")
	if ms := count(h, "X-RateLimit-Interval-Milliseconds"); ms > 0 {
		q.Interval = time.Duration(ms) * time.Millisecond
	}
	return q
}

func counts(h http.Header, most, left string) (int, int) {
	m, l := count(h, most), count(h, left)
	if m < 0 || l < 0 {
		return -1, -1
	}
	return m, l
}

// maxCount is far above any limit, and as milliseconds still a duration.
const maxCount = 1_000_000_000

// count is -1 for a header that is missing or holds no such number.
func count(h http.Header, name string) int {
	n, err := strconv.Atoi(strings.TrimSpace(h.Get(name)))
	if err != nil || n < 0 || n > maxCount {
		return -1
	}
	return n
}

// windowOf is how long to wait after 'too many calls' without a Retry-After.
func windowOf(h http.Header) time.Duration {
	q := quotaOf(h)
	switch {
	case q.DailyRemaining == 0:
		return time.Hour
	case q.Interval > 0:
		return min(q.Interval, time.Hour)
	}
	return defaultWindow
}
