package trend

import (
	"context"
	"sync"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/state"
)

// Step is how long a point lasts, and Points how many are kept: an hour.
const (
	Step   = 5 * time.Second
	Points = 720
)

// Point is what happened in one step.
type Point struct {
	At time.Time // its end
	// P50 and P99 are of the time from commit in Sentra to the answer of GHL, over
	// what was delivered; 0 where nothing was.
	P50, P99 time.Duration
	// Delivered and Failed are calls a second.
	Delivered, Failed float64
	Queue             int64  // events that wait, at its end; -1: not known
	Lag               *int64 // bytes of WAL behind what is confirmed; nil: not known
}

// Sampler tells how many events wait and how much WAL; see Point. It runs on the
// recorder's goroutine and ends when ctx does.
type Sampler func(ctx context.Context) (queue int64, lag *int64)

// Recorder keeps points. It is safe for concurrent use.
type Recorder struct {
	now func() time.Time

	mu                sync.Mutex
	began             time.Time // of the open point
	latency           histogram
	delivered, failed int
	ring              [Points]Point
	closed            int // points that were ever closed

	cancel context.CancelFunc
	done   chan struct{}
}

// New makes a recorder whose first point begins now.
func New(now func() time.Time) *Recorder { return &Recorder{now: now, began: now()} }

// Observe takes note of the end of a call.
func (r *Recorder) Observe(e deliver.Event) {
	done := e.Result.Outcome == ghl.Delivered || e.Result.Outcome == ghl.NotFound && e.Operation == state.Delete
	r.mu.Lock()
	defer r.mu.Unlock()
	if !done {
		r.failed++
		return
	}
	r.delivered++
	if e.Result.Outcome == ghl.Delivered && !e.CommittedAt.IsZero() {
		r.latency.add(e.Ended.Sub(e.CommittedAt))
	}
}

// Close ends the open point with what was sampled and begins the next one.
func (r *Recorder) Close(queue int64, lag *int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	seconds := max(now.Sub(r.began), time.Millisecond).Seconds()
	r.ring[r.closed%Points] = Point{
		At: now, P50: r.latency.quantile(0.5), P99: r.latency.quantile(0.99),
		Delivered: float64(r.delivered) / seconds, Failed: float64(r.failed) / seconds, Queue: queue, Lag: lag,
	}
	r.closed++
	r.began, r.latency, r.delivered, r.failed = now, histogram{}, 0, 0
}

// Since returns the points from number n on that are still kept, oldest first, and
// the number of the next one: 0 gives all.
func (r *Recorder) Since(n int) (points []Point, next int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n = max(n, r.closed-Points, 0); n < r.closed; n++ {
		points = append(points, r.ring[n%Points])
	}
	return points, r.closed
}

// Start closes a point every Step until Stop. It is called once at most.
func (r *Recorder) Start(sample Sampler) {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan struct{})
	go func() {
		defer close(r.done)
		tick := time.NewTicker(Step)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.Close(sample(ctx))
			}
		}
	}()
}

// Stop ends what Start began and waits for it. Without Start it does nothing.
func (r *Recorder) Stop() {
	if r.cancel != nil {
		r.cancel()
		<-r.done
	}
}
