package state_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/state"
)

const (
	settle = time.Minute
	lease  = 30 * time.Second
)

var begin = time.Date(2024, 1, 15, 9, 0, 0, 0, time.UTC)

// fataler is what a test and a rapid test have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rig is one event on its way through the rules, with a clock and an LSN that
// rise as it is told.
type rig struct {
	fataler
	m       *state.Mapping
	now     time.Time
	lsn     pglogrepl.LSN
	calls   int
	bodies  []string
	retired []string
}

func newRig(t fataler) *rig { return &rig{fataler: t, now: begin, lsn: 100} }

func hashOf(content string) string { return "hash of " + content }

func (r *rig) pass(d time.Duration) { r.now = r.now.Add(d) }

func (r *rig) merge(c state.Change) state.Effect {
	c.ID = "event-1"
	if c.Version == (state.Version{}) {
		r.lsn += 8
		c.Version.LSN = r.lsn
	}
	c.CommittedAt = r.now
	var e state.Effect
	r.m, e = state.Merge(r.m, c, r.now)
	return e
}

func present(content string) state.Change {
	return state.Change{Wanted: state.Present, EventType: "onboarding", Payload: []byte(content), Hash: hashOf(content)}
}

func untranslatable(reason string) state.Change {
	return state.Change{Wanted: state.Present, Parked: reason}
}

func (r *rig) upsert(content string) state.Effect { return r.merge(present(content)) }

func (r *rig) retract() state.Effect { return r.merge(state.Change{Wanted: state.Absent}) }

func (r *rig) caller() state.Caller {
	return state.Caller{
		Owner: "test", Lease: lease,
		NewID: func() string { r.calls++; return fmt.Sprintf("delivery-%d", r.calls) },
		Encode: func(op state.Operation, m *state.Mapping) []byte {
			return fmt.Appendf(nil, "%s %s %s", op, m.Payload, m.AppointmentID)
		},
	}
}

// begins expects that the operation is due now, and begins it.
func (r *rig) begins(want state.Operation) *state.Call {
	r.Helper()
	if r.m.NextAttempt.IsZero() || r.m.NextAttempt.After(r.now) {
		r.Fatalf("nothing is due at %s: next attempt at %s, %s", r.now, r.m.NextAttempt, r.m.Status())
	}
	if err := r.m.Begin(r.now, r.caller()); err != nil {
		r.Fatalf("begin: %v", err)
	}
	if got := r.m.Call.Operation; got != want {
		r.Fatalf("the call is a %s, want a %s", got, want)
	}
	r.bodies = append(r.bodies, r.m.Call.DeliveryID+" "+string(r.m.Call.Body))
	return r.m.Call
}

// ends ends the call in flight a moment later.
func (r *rig) ends(res state.Result) {
	r.pass(time.Millisecond)
	if id := r.m.Finish(r.now, res); id != "" {
		r.retired = append(r.retired, id)
	}
}

func (r *rig) delivered(id string) { r.ends(state.Result{Outcome: state.Delivered, AppointmentID: id}) }

func (r *rig) lost() {
	r.ends(state.Result{Outcome: state.Ambiguous, Code: "TIMEOUT", SettlesAt: r.now.Add(settle)})
}

func (r *rig) refused(maybeActed bool) {
	r.ends(state.Result{Outcome: state.Refused, Code: "HTTP_5XX", MaybeActed: maybeActed, RetryAt: r.now.Add(time.Second)})
}

func (r *rig) impossible() {
	r.ends(state.Result{Outcome: state.Impossible, Code: "CONTACT_NOT_FOUND"})
}

// synced brings the event into GHL with the content.
func (r *rig) synced(content string) {
	r.Helper()
	r.upsert(content)
	r.begins(state.Create)
	r.delivered("ghl_1")
	r.settles()
}

// settles expects that nothing is left to do.
func (r *rig) settles() {
	r.Helper()
	if !r.m.Settled() || !r.m.NextAttempt.IsZero() || r.m.Parked != "" {
		r.Fatalf("not settled: %+v, call %+v", *r.m, r.m.Call)
	}
}

// waits expects the next attempt after exactly d.
func (r *rig) waits(d time.Duration) {
	r.Helper()
	if got := r.m.NextAttempt.Sub(r.now); r.m.NextAttempt.IsZero() || got != d {
		r.Fatalf("the next attempt is at %s, in %s, want in %s", r.m.NextAttempt, got, d)
	}
	r.pass(d)
}

// rests expects that nothing is scheduled.
func (r *rig) rests(status state.Status) {
	r.Helper()
	if !r.m.NextAttempt.IsZero() || r.m.Status() != status {
		r.Fatalf("status %s with next attempt at %q, want %s and none", r.m.Status(), r.m.NextAttempt, status)
	}
}

func (r *rig) repeated(a, b int) {
	r.Helper()
	if r.bodies[a] != r.bodies[b] {
		r.Fatalf("call %d is %q, call %d is %q: want the same to the byte", a, r.bodies[a], b, r.bodies[b])
	}
}

func testRig(t *testing.T) *rig {
	t.Helper()
	return newRig(t)
}
