package ghl

import (
	"fmt"
	"log/slog"
	"time"
)

// Operation is what a call does to an appointment. Its value is the event_type
// of the webhook body.
type Operation string

// The three operations of the webhook contract.
const (
	Created Operation = "calendar_event_created"
	Updated Operation = "calendar_event_updated"
	Deleted Operation = "calendar_event_deleted"
)

// ParseOperation reads an event_type, as stored or as received.
func ParseOperation(s string) (Operation, error) {
	switch op := Operation(s); op {
	case Created, Updated, Deleted:
		return op, nil
	}
	return "", fmt.Errorf("unknown operation %q: want %s, %s or %s", s, Created, Updated, Deleted)
}

// String gives the event_type.
func (o Operation) String() string { return string(o) }

// Request is one call to GHL.
type Request struct {
	Operation Operation
	EventID   string // Sentra's event id

	// DeliveryID names this call for good: a repetition of an unresolved call
	// carries the same id and the same Body, anything newer carries a new id.
	// Visible ASCII, 1 to 128 bytes; it travels in headers.
	DeliveryID string

	// Body is sent byte for byte; see Envelope. It holds client data.
	Body []byte

	// What is known of the event's appointment, for a client that looks it up
	// before it acts. The webhook's client has no use for it.

	// AppointmentID is GHL's id; empty while it is not known.
	AppointmentID string
	// Tried tells that GHL may have acted on an earlier try of this call, or on a
	// create that this call overtook.
	Tried bool
	// Exists tells that GHL is taken to have the appointment.
	Exists bool
	// Known is what GHL has, or may have, of the event where Body does not say so:
	// the body of an earlier call, or a bare event_data object. Nil if nothing is
	// known. It holds client data.
	Known []byte
}

// LogValue keeps the body, which holds client data, out of logs.
func (r Request) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("operation", string(r.Operation)),
		slog.String("event", r.EventID),
		slog.String("delivery", r.DeliveryID),
	)
}

// String keeps the body out of formatted errors and messages.
func (r Request) String() string {
	return fmt.Sprintf("%s of event %q, delivery %s", r.Operation, r.EventID, r.DeliveryID)
}

// Outcome is how a call ended, as far as the caller must act on it.
type Outcome uint8

// The outcomes. The zero value is the one that claims least.
const (
	Unknown   Outcome = iota // timed out or cut: GHL may have acted
	Delivered                // GHL has it
	NotFound                 // the appointment does not exist in GHL
	Retry                    // not received, or refused for now
	Permanent                // refused for good: park the event under Code
	Paused                   // the way to GHL is shut: auth, hook gone, redirect, inactive workflow
)

var outcomeNames = [...]string{
	Unknown: "unknown", Delivered: "delivered", NotFound: "not_found",
	Retry: "retry", Permanent: "permanent", Paused: "paused",
}

// String gives the outcome in lower snake case, for logs and audit rows.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// ParseOutcome is the inverse of Outcome.String.
func ParseOutcome(s string) (Outcome, error) {
	for o, name := range outcomeNames {
		if name == s {
			return Outcome(o), nil
		}
	}
	return Unknown, fmt.Errorf("unknown outcome %q", s)
}

// Result is what became of one call. All of it may be stored and logged.
type Result struct {
	Outcome Outcome

	// AppointmentID is GHL's id, set only with Delivered and only if the
	// answer held one. Empty never means that an id known before is void.
	AppointmentID string

	// HTTPStatus is the answer's status, 0 when no answer came.
	HTTPStatus int

	// Code says why, in upper snake case; empty with Delivered. Explain gives
	// a sentence for each.
	Code string

	// RetryAfter is the break that GHL asked for, whatever the outcome: from now, 0
	// when none, at most an hour.
	RetryAfter time.Duration

	// MaybeActed tells that GHL may have done what was asked although it did
	// not say so. Always set with Unknown, never with Permanent or Paused.
	MaybeActed bool

	// Duration is the wall time of the call, from Send to the end of the answer.
	Duration time.Duration
}

// LogValue groups what a log line needs of a result.
func (r Result) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("outcome", r.Outcome.String()),
		slog.Int("http_status", r.HTTPStatus),
		slog.Duration("duration", r.Duration),
	}
	if r.Code != "" {
		attrs = append(attrs, slog.String("code", r.Code))
	}
	if r.AppointmentID != "" {
		attrs = append(attrs, slog.String("appointment", r.AppointmentID))
	}
	return slog.GroupValue(attrs...)
}
