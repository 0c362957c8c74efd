package deliver

import (
	"math/rand/v2"
	"time"
)

// dice gives the random parts of waiting times. It is used by one goroutine.
type dice struct{ rand *rand.Rand }

func newDice(seed uint64) dice {
	return dice{rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15))}
}

// backoff is how long an event waits after its n-th failed call in a row: full
// jitter, evenly spread from 0 to base doubled n-1 times, at most most. Full
// jitter spreads the events that one outage stopped over the whole time.
func (d dice) backoff(n int, base, most time.Duration) time.Duration {
	bound := base
	for i := 1; i < n && bound < most; i++ {
		bound *= 2
	}
	bound = min(bound, most)
	if bound <= 0 {
		return 0
	}
	return time.Duration(d.rand.Int64N(int64(bound) + 1))
}

// jitter moves a probe by up to a tenth either way.
func (d dice) jitter(interval time.Duration) time.Duration {
	tenth := int64(interval / 10)
	if tenth <= 0 {
		return interval
	}
	return interval + time.Duration(d.rand.Int64N(2*tenth+1)-tenth)
}
