package deliver

import (
	"sync"
	"time"
)

// tempoSpan is the time over which calls are counted.
const tempoSpan = time.Minute

// tempo tells how many calls end in a second, of late. It counts in spans and
// takes of the last full one the part that is younger than a span.
type tempo struct {
	mu           sync.Mutex
	began        time.Time // of the present span
	last, latest int       // calls of the span before, and of the present one
}

func (t *tempo) count(now time.Time, calls int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roll(now)
	t.latest += calls
}

func (t *tempo) perSecond(now time.Time) float64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.roll(now)
	rest := 1 - float64(now.Sub(t.began))/float64(tempoSpan)
	return (float64(t.last)*rest + float64(t.latest)) / tempoSpan.Seconds()
}

// roll begins a new span where the present one is over, or the clock went back.
func (t *tempo) roll(now time.Time) {
	switch passed := now.Sub(t.began); {
	case passed < 0, passed >= 2*tempoSpan:
		t.began, t.last, t.latest = now, 0, 0
	case passed >= tempoSpan:
		t.began, t.last, t.latest = t.began.Add(tempoSpan), t.latest, 0
	}
}
