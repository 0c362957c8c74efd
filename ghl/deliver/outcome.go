package deliver

import (
	"time"

	"ghlsync/ghl"
	"ghlsync/state"
)

// unsentResult stands for a call that never left this process. It is Unknown so
// that a doubt about an earlier try of the same call survives; there is nothing
// to settle, so the call is made at once.
var unsentResult = ghl.Result{Outcome: ghl.Unknown, Code: ghl.CodeInterrupted}

// resultFor says what the end of a call means for the state. All times are
// reckoned from the end of the call, not from when it gets recorded.
func (b *books) resultFor(m *state.Mapping, e ended) state.Result {
	r := state.Result{Code: e.result.Code, MaybeActed: e.result.MaybeActed}
	switch e.result.Outcome {
	case ghl.Delivered:
		r.Outcome, r.AppointmentID = state.Delivered, e.result.AppointmentID
	case ghl.NotFound:
		r.Outcome = state.NotFound
	case ghl.Retry:
		r.Outcome, r.RetryAt = state.Refused, b.retryAt(m.Attempts, e)
		if b.o.LooksUp && e.result.MaybeActed && e.operation == state.Create {
			r.RetryAt = later(r.RetryAt, e.at.Add(b.o.Settle))
		}
	case ghl.Permanent:
		r.Outcome = state.Impossible
	case ghl.Paused:
		// The gate holds everything back; nothing is wrong with this event.
		r.Outcome = state.Suspended
	default:
		r.Outcome, r.SettlesAt = state.Ambiguous, e.at
		if !e.unsent {
			r.SettlesAt = e.at.Add(b.o.Settle)
		}
	}
	return r
}

// retryAt is when a refused call is made again: after its backoff, and not
// before GHL wants it. A call that we cut ourselves does not wait.
func (b *books) retryAt(attempts int, e ended) time.Time {
	if e.result.Code == ghl.CodeInterrupted {
		return e.at
	}
	wait := max(b.dice.backoff(attempts, b.o.RetryBase, b.o.RetryCap), e.result.RetryAfter)
	return e.at.Add(wait).Truncate(time.Microsecond)
}
