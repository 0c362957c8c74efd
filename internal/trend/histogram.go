package trend

import (
	"math"
	"time"
)

// An octave has perOctave bins, so that a bin's middle is within 5 % of all in it.
// The bins reach from a millisecond to three days; what is outside is in the first
// or the last one.
const (
	perOctave = 8
	bins      = 28 * perOctave
)

// histogram counts durations.
type histogram struct {
	counts [bins]uint32
	total  int
}

func (h *histogram) add(d time.Duration) {
	bin := 0
	if ms := float64(d) / float64(time.Millisecond); ms > 1 {
		bin = min(int(math.Log2(ms)*perOctave), bins-1)
	}
	h.counts[bin]++
	h.total++
}

// quantile is the middle of the bin below which a part q of all lies; 0 without
// any.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rest := int(math.Ceil(q * float64(h.total)))
	for bin, n := range h.counts {
		if rest -= int(n); rest <= 0 {
			return time.Duration(math.Exp2((float64(bin)+0.5)/perOctave) * float64(time.Millisecond))
		}
	}
	return 0
}
