package deliver

import (
	"context"
	"log/slog"

	"ghlsync/ghl"
	"ghlsync/state"
)

// The five lines of the guide, as operators search for them. Between the two
// parts of the first stands the event's type.
const (
	msgTriggerBefore = "🔄 Triggering GHL webhook for "
	msgTriggerAfter  = " event:"
	msgDelivered     = "✅ GHL webhook triggered successfully:"
	msgFailed        = "⚠️ GHL webhook failed:"
	msgCreated       = "✅ Mapping reference created:"
	msgUpdated       = "✅ Mapping reference updated:"
)

// Changes of delivery's own state.
const (
	msgDisabled    = "Webhook disabled: nothing is sent, what is wanted is kept"
	msgAbandoned   = "calls of an earlier run have an unknown outcome and are repeated when it is settled"
	msgPaused      = "delivery is paused until this is mended; it is probed meanwhile"
	msgTripped     = "GHL does not answer; delivery waits and probes"
	msgThrottled   = "GHL asked for a break; delivery waits"
	msgHeld        = "delivery is paused by an operator; what is wanted is kept"
	msgResumed     = "delivery goes on: an operator resumed it"
	msgOpened      = "delivery goes on"
	msgStoreFails  = "delivery cannot use the state; nothing is sent until it works again"
	msgStoreWorks  = "delivery can use the state again"
	msgDisbelieved = "GHL names the appointment of another event; its id is not taken over"
)

// The attributes' keys. No value of a row and no text from GHL is ever one.
const (
	keyEvent       = "sentra_event_id"
	keyOperation   = "operation"
	keyDelivery    = "delivery_id"
	keyAppointment = "ghl_appointment_id"
	keyHTTPStatus  = "http_status"
	keyDuration    = "duration"
	keyCode        = "code"
	keyExplanation = "explanation"
	keyNextAttempt = "next_attempt"
	keyParked      = "parked"
	keyNextProbe   = "next_probe"
	keyCalls       = "calls"
	keySettle      = "settle"
	keyError       = "error"
)

func (d *Deliverer) logStart() {
	if d.o.Disabled {
		d.log.Warn(msgDisabled)
	}
	if d.books.gate.held {
		d.log.Warn(msgHeld)
	}
}

// attrs name a call. There is room for what its end adds.
func (c *call) attrs() []slog.Attr {
	attrs := make([]slog.Attr, 0, 9)
	attrs = append(attrs,
		slog.String(keyEvent, string(c.id)),
		slog.String(keyOperation, string(c.operation)),
		slog.String(keyDelivery, c.request.DeliveryID))
	if c.appointmentID != "" {
		attrs = append(attrs, slog.String(keyAppointment, c.appointmentID))
	}
	return attrs
}

func (d *Deliverer) logTrigger(c *call) {
	ctx := context.Background()
	if !d.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	//nolint:sloglint // the guide's line has the type in its text
	d.log.LogAttrs(ctx, slog.LevelInfo, msgTriggerBefore+c.eventType+msgTriggerAfter, c.attrs()...)
}

// report tells people and the hook about calls whose end is recorded.
func (b *books) report(reports []report) {
	for i := range reports {
		r := &reports[i]
		if r.unsent {
			continue
		}
		b.logEnd(r)
		if b.o.Hook != nil {
			b.o.Hook(Event{
				ID: r.id, Type: r.eventType, Operation: r.operation, DeliveryID: r.request.DeliveryID,
				Result: r.result, Started: r.started, Ended: r.at, CommittedAt: r.committedAt,
			})
		}
	}
}

func (b *books) logEnd(r *report) {
	ctx := context.Background()
	if !r.done() {
		b.log.LogAttrs(ctx, slog.LevelWarn, msgFailed, r.failure()...)
		return
	}
	if !b.log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	names := r.attrs()
	b.log.LogAttrs(ctx, slog.LevelInfo, msgDelivered, r.withResult(names)...)
	if r.operation == state.Create {
		b.log.LogAttrs(ctx, slog.LevelInfo, msgCreated, names...)
	} else {
		b.log.LogAttrs(ctx, slog.LevelInfo, msgUpdated, names...)
	}
}

func (r *report) withResult(attrs []slog.Attr) []slog.Attr {
	return append(attrs, slog.Int(keyHTTPStatus, r.result.HTTPStatus), slog.Duration(keyDuration, r.result.Duration))
}

func (r *report) failure() []slog.Attr {
	attrs := append(r.withResult(r.attrs()), slog.String(keyCode, r.result.Code))
	switch {
	case r.parked != "":
		return append(attrs, slog.String(keyParked, r.parked))
	case !r.next.IsZero():
		return append(attrs, slog.Time(keyNextAttempt, r.next))
	default:
		return attrs
	}
}

// done reports whether the call did what it was for. A delete of what is not
// there has.
func (r *report) done() bool {
	return r.result.Outcome == ghl.Delivered || r.result.Outcome == ghl.NotFound && r.operation == state.Delete
}

// logGate tells of a gate that closed, opened, or closed for a graver reason.
func (b *books) logGate() {
	probe, code := slog.Time(keyNextProbe, b.gate.probeAt), slog.Attr{} // which handlers leave out
	if b.gate.code != "" {
		code = slog.String(keyCode, b.gate.code)
	}
	why := slog.String(keyExplanation, ghl.Explain(b.gate.code))
	ctx := context.Background()
	switch b.gate.state {
	case gatePaused:
		b.log.LogAttrs(ctx, slog.LevelError, msgPaused, code, why, probe)
	case gateTripped:
		b.log.LogAttrs(ctx, slog.LevelWarn, msgTripped, code, why, probe)
	case gateThrottled:
		b.log.LogAttrs(ctx, slog.LevelWarn, msgThrottled, code, probe)
	case gateOpen:
		b.log.LogAttrs(ctx, slog.LevelInfo, msgOpened)
	case gateDisabled: // never closes by itself
	}
}
