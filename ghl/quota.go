package ghl

import "time"

// Quota is what GHL said in the headers of an answer about how many requests it
// still takes (X-RateLimit-*, documented with the API's limits: 100 requests in
// 10 s and 200,000 a day for each location). What it did not say is -1.
type Quota struct {
	Max       int           // in one interval
	Remaining int           // of them
	Interval  time.Duration // 0 if GHL did not say

	DailyMax       int
	DailyRemaining int
}
