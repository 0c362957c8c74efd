package deliver

import (
	"math"
	"time"

	"ghlsync/ghl"
)

// breakerFailures is how many calls in a row may end without an answer that
// proves GHL up before the gate closes.
const breakerFailures = 5

// gateState says why calls may not leave. A later one outranks an earlier one:
// a paused gate does not become a tripped one.
type gateState uint8

const (
	gateOpen      gateState = iota
	gateThrottled           // GHL asked for a break (Retry-After, or its rate is used up)
	gateTripped             // the breaker: GHL does not answer
	gatePaused              // auth, hook gone, redirect, inactive workflow: a person must mend it
	gateDisabled            // switched off: never opens
)

// gate decides whether calls may leave. It is pure: no I/O, no clock, used by
// one goroutine. Once it closed by itself it lets one probing call through at
// probeAt, later and later while probes fail, and opens when one succeeds.
//
// A crash forgets it: the next start finds out again what is wrong, at the cost
// of as many calls as may be in flight.
type gate struct {
	base, most time.Duration                     // of the probe interval
	jitter     func(time.Duration) time.Duration // a little, so that daemons do not probe in step

	state    gateState
	code     string // of the result that closed it
	failures int    // calls in a row that prove nothing
	interval time.Duration
	probeAt  time.Time
	probe    string // delivery id of the probing call in flight

	// held: an operator paused delivery. It goes beside the state, which a call in
	// flight may still change.
	held bool
}

// allow is how many calls may leave now.
func (g *gate) allow(now time.Time) int {
	switch {
	case g.held:
		return 0
	case g.state == gateOpen:
		return math.MaxInt
	case g.state == gateDisabled, g.probe != "", now.Before(g.probeAt):
		return 0
	default:
		return 1
	}
}

// left tells the gate which call has just left. Through a closed gate only a
// probe does.
func (g *gate) left(deliveryID string) {
	if g.state != gateOpen {
		g.probe = deliveryID
	}
}

// ended takes the end of a call and reports whether the gate changed in a way
// that people should read about: it closed, opened, or closed for a graver
// reason.
func (g *gate) ended(now time.Time, deliveryID string, r ghl.Result) (changed bool) {
	probe := g.probe != "" && g.probe == deliveryID
	if probe {
		g.probe = ""
	}
	if g.state == gateDisabled || r.Code == ghl.CodeInterrupted || r.Code == ghl.CodeRateWait {
		return false // we cut it, or kept it waiting: that says nothing about GHL
	}
	g.count(r)
	if probe && succeeded(r) {
		g.state, g.code, changed = gateOpen, "", true
	} else if probe {
		g.interval = min(2*g.interval, g.most)
		g.probeAt = now.Add(g.jitter(g.interval))
	}
	switch {
	case r.Outcome == ghl.Paused:
		changed = g.close(now, gatePaused, r.Code)
	case g.failures >= breakerFailures:
		changed = g.close(now, gateTripped, r.Code)
	case r.RetryAfter > 0:
		changed = g.close(now, gateThrottled, r.Code)
	}
	if until := now.Add(r.RetryAfter); r.RetryAfter > 0 && until.After(g.probeAt) {
		g.probeAt = until
	}
	return changed
}

// close shuts the gate, or makes the reason graver. The probe interval of a
// gate that is closed already goes on growing.
func (g *gate) close(now time.Time, why gateState, code string) (changed bool) {
	if why < g.state || why == g.state && (why != gatePaused || code == g.code) {
		return false
	}
	if g.state == gateOpen {
		g.interval = g.base
		g.probeAt = now.Add(g.jitter(g.interval))
	}
	g.state, g.code = why, code
	return true
}

// count feeds the breaker: a complete answer with a status from 200 to 499 proves
// that GHL is up.
func (g *gate) count(r ghl.Result) {
	switch {
	case r.Outcome != ghl.Unknown && r.HTTPStatus >= 200 && r.HTTPStatus < 500:
		g.failures = 0
	case r.Outcome == ghl.Retry, r.Outcome == ghl.Unknown:
		g.failures++
	}
}

// succeeded reports whether a probe shows that GHL takes calls again.
func succeeded(r ghl.Result) bool {
	switch r.Outcome {
	case ghl.Delivered, ghl.NotFound, ghl.Permanent:
		return r.HTTPStatus != 0
	default:
		return false
	}
}

// opensAt is when the gate will next let a call through, if it is waiting for
// that alone; else zero.
func (g *gate) opensAt() time.Time {
	if g.held || g.state == gateOpen || g.state == gateDisabled || g.probe != "" {
		return time.Time{}
	}
	return g.probeAt
}
