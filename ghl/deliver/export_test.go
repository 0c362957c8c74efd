package deliver

import (
	"time"

	"golang.org/x/time/rate"
)

// SetRecordGrace shortens how long a cut Stop waits for the store.
func (d *Deliverer) SetRecordGrace(t time.Duration) { d.grace = t }

// Limit is the rate in force.
func (d *Deliverer) Limit() rate.Limit { return d.limiter.Limit() }
