package demo

import (
	"sync"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
)

// delivery is one finished call as both of its ends saw it.
type delivery struct {
	event     string
	kind      string // the event's type, such as onboarding
	operation state.Operation
	result    ghl.Result
	committed time.Time // in Sentra; zero where it is not known
	arrived   time.Time // at the sandbox; zero if the request never got there
	answered  time.Time // the daemon had the answer
}

// done reports whether GHL now has what the call was for.
func (d delivery) done() bool {
	return d.result.Outcome == ghl.Delivered ||
		d.result.Outcome == ghl.NotFound && d.operation == state.Delete
}

// toGHL is commit-to-GHL time, and toAnswer the time until the answer; ok is
// false where an end is missing.
func (d delivery) toGHL() (took time.Duration, ok bool) {
	return d.arrived.Sub(d.committed), !d.committed.IsZero() && !d.arrived.IsZero()
}

func (d delivery) toAnswer() (took time.Duration, ok bool) {
	return d.answered.Sub(d.committed), !d.committed.IsZero()
}

// journal joins what the sandbox saw arrive with what the daemon saw end. Both
// report on goroutines of their own; the delivery id joins them.
type journal struct {
	mu       sync.Mutex
	arrivals map[string]time.Time
	finished []delivery
	changed  chan struct{} // closed when something finishes
}

func newJournal() *journal {
	return &journal{arrivals: make(map[string]time.Time), changed: make(chan struct{})}
}

// arrive is the sandbox's hook. A request always arrives before its call ends,
// so a finished call finds its arrival here.
func (j *journal) arrive(a sandbox.Arrival) {
	if a.DeliveryID == "" {
		return // somebody's curl
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.arrivals[a.DeliveryID] = a.Time
}

// finish is the daemon's hook.
func (j *journal) finish(e deliver.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.finished = append(j.finished, delivery{
		event: string(e.ID), kind: e.Type, operation: e.Operation, result: e.Result,
		committed: e.CommittedAt, arrived: j.arrivals[e.DeliveryID], answered: e.Ended,
	})
	delete(j.arrivals, e.DeliveryID)
	close(j.changed)
	j.changed = make(chan struct{})
}

// take hands over what has finished since the last time, and a channel that
// closes when there is more.
func (j *journal) take() ([]delivery, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	taken := j.finished
	j.finished = nil
	return taken, j.changed
}
