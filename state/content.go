package state

import (
	"context"
	"time"
)

// Content is one thing that a state is made of: one field of it is set. What a
// state is made of is one for each slot, mapping, call of the audit and appointment
// that is gone, and one [Delivery]; the counts follow from the mappings.
type Content struct {
	Checkpoint *Checkpoint `json:"checkpoint,omitempty"`
	Delivery   *Delivery   `json:"delivery,omitempty"`
	Retired    *Retired    `json:"retired,omitempty"`
	Mapping    *Mapping    `json:"mapping,omitempty"`
	Attempt    *Attempt    `json:"attempt,omitempty"`
}

// Delivery is what is kept of delivery as a whole.
type Delivery struct {
	PausedAt    time.Time `json:"paused_at,omitzero"`
	LastAttempt time.Time `json:"last_attempt_at,omitzero"`
}

// Retired is an appointment that is gone from GHL.
type Retired struct {
	AppointmentID string    `json:"ghl_appointment_id"`
	EventID       EventID   `json:"sentra_event_id"`
	At            time.Time `json:"retired_at"`
}

// Exporter shows all of a state as it was at one moment, whoever writes meanwhile.
type Exporter interface {
	// Export gives the contents to each, one at a time, in the order of the fields of
	// [Content] and within a kind in that of its key; audit lines in the order in
	// which they were recorded. It holds few of them at once. An error of each ends
	// it and is returned.
	Export(ctx context.Context, each func(Content) error) error
}
