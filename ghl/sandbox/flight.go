package sandbox

import (
	"context"
	"slices"
	"time"
)

// flight is a request between its arrival and its end.
type flight struct {
	client context.Context // done when the client has gone, or the handler has returned
	ended  chan struct{}   // closed when the sandbox has ended it, before the client can see that
}

// goneGrace is how long a disconnect may take to be noticed. A client that
// gave up on one request and began the next is not waited for longer.
const goneGrace = 250 * time.Millisecond

// takeOff adds a flight and gives those already in the air for the event, none
// where the event could not be read. The caller holds the lock.
func (s *Sandbox) takeOff(eventID string, f *flight) (others []*flight) {
	if eventID != "" {
		others = slices.Clone(s.flights[eventID])
	}
	s.flights[eventID] = append(s.flights[eventID], f)
	s.airborne++
	s.stats.MaxInFlight = max(s.stats.MaxInFlight, s.airborne)
	s.stats.MaxInFlightPerEvent = max(s.stats.MaxInFlightPerEvent, 1)
	return others
}

// land takes a flight out. The caller holds the lock.
func (s *Sandbox) land(eventID string, f *flight) {
	close(f.ended)
	s.airborne--
	rest := slices.DeleteFunc(s.flights[eventID], func(other *flight) bool { return other == f })
	if len(rest) == 0 {
		delete(s.flights, eventID)
		return
	}
	s.flights[eventID] = rest
}

// countOverlap counts the flights that were truly in the air when a newer one
// arrived: those that go on, or that the sandbox itself ends, and not those
// whose client turns out to have left.
func (s *Sandbox) countOverlap(others []*flight) {
	if len(others) == 0 {
		return
	}
	grace, cancel := context.WithTimeout(context.Background(), goneGrace)
	defer cancel()
	at := 1
	for _, f := range others {
		if f.stillAwaited(grace.Done()) {
			at++
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.MaxInFlightPerEvent = max(s.stats.MaxInFlightPerEvent, at)
}

func (f *flight) stillAwaited(grace <-chan struct{}) bool {
	select {
	case <-f.ended:
		return true
	case <-grace:
		return true
	case <-f.client.Done():
	}
	// A handler that returns ends its client's context, too: what came first
	// was ended.
	select {
	case <-f.ended:
		return true
	default:
		return false
	}
}
