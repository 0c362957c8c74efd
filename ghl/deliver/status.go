package deliver

import (
	"strings"
	"sync"
	"time"

	"ghlsync/ghl"
)

// The states of a breaker, in the usual words: closed lets calls through.
const (
	BreakerClosed   = "closed"
	BreakerOpen     = "open"
	BreakerHalfOpen = "half-open" // a probing call is in flight
)

// Disabled is the word of Status for delivery that is switched off.
const Disabled = "Webhook disabled"

// CodeOperator is Status.PauseReason where an operator paused delivery.
const CodeOperator = "OPERATOR"

// Status is how delivery stands.
type Status struct {
	Enabled bool
	// Paused: GHL does not let us in or the workflow is inactive, and PauseReason is
	// the code, see ghl.Explain; or an operator paused delivery (CodeOperator).
	Paused      bool
	PauseReason string
	// Breaker is one of the Breaker constants. ThrottledUntil is set while GHL
	// asked for a break.
	Breaker        string
	ThrottledUntil time.Time
	// NextProbe is when the next probing call may leave; zero while one is in
	// flight, and while nothing is wrong.
	NextProbe time.Time
	InFlight  int
	// Tokens is how many calls Options.Rate lets leave at once; +Inf where it sets no
	// limit.
	Tokens float64
	// StoreFailing: results cannot be recorded, so nothing leaves.
	StoreFailing bool
	// Unrecorded counts the results that wait for the store.
	Unrecorded int
	// Quota is what GHL said last about its limits, at QuotaAt; that is zero if it
	// said nothing. Reserved: a day's requests are nearly used up, and only what
	// cannot wait for another day is sent.
	Quota    ghl.Quota
	QuotaAt  time.Time
	Reserved bool
	// PerSecond is how many calls ended in a second of late, of the last minute.
	PerSecond float64
	// Detail is a sentence for people; empty while nothing is wrong.
	Detail string
}

// Status tells how delivery stands. InFlight may lag by a moment.
func (d *Deliverer) Status() Status {
	s, _ := d.status.read()
	now := d.now()
	s.Quota, s.QuotaAt = d.quotaSaid()
	s.Reserved = !d.reserved(now).IsZero()
	if s.Reserved && s.Detail == "" {
		s.Detail = "GHL takes few more requests today; deletions and events of today go first, the rest waits."
	}
	s.Tokens, s.PerSecond = d.tokens(now), d.tempo.perSecond(now)
	return s
}

// Changed returns a channel that is closed when the status next changes in
// anything but numbers. Take it before Status, so that no change is missed.
func (d *Deliverer) Changed() <-chan struct{} {
	_, changed := d.status.read()
	return changed
}

// board holds the published status.
type board struct {
	mu      sync.Mutex
	status  Status
	changed chan struct{}
}

func (b *board) init(s Status) {
	b.status, b.changed = s, make(chan struct{})
}

func (b *board) read() (Status, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status, b.changed
}

func (b *board) write(s Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.status
	before.InFlight, before.Unrecorded = s.InFlight, s.Unrecorded
	b.status = s
	if before != s {
		close(b.changed)
		b.changed = make(chan struct{})
	}
}

// publish makes the present state of the books the status.
func (b *books) publish() {
	s := b.gate.status(!b.o.Disabled)
	s.InFlight, s.Unrecorded = b.inFlight, len(b.unrecorded)
	if b.storeErr != nil {
		s.StoreFailing = true
		s.Detail = "The state cannot be written; nothing is sent until it can."
	}
	b.status.write(s)
}

// status is the gate's part of the status.
func (g *gate) status(enabled bool) Status {
	s := Status{Enabled: enabled, Breaker: BreakerClosed, NextProbe: g.opensAt()}
	switch g.state {
	case gateDisabled:
		s.Detail = Disabled
	case gatePaused:
		s.Paused, s.PauseReason = true, g.code
		s.Detail = ghl.Explain(g.code)
	case gateTripped:
		s.Breaker = BreakerOpen
		if g.probe != "" {
			s.Breaker = BreakerHalfOpen
		}
		s.Detail = "GHL does not answer; it is probed until it does. " + ghl.Explain(g.code)
	case gateThrottled:
		s.ThrottledUntil = g.probeAt
		s.Detail = strings.TrimSpace("GHL asked for a break. " + ghl.Explain(g.code))
	}
	if g.held {
		s.Paused, s.PauseReason = true, CodeOperator
		s.Detail = "An operator paused delivery; 'ghlsync resume' lets it go on."
	}
	return s
}
