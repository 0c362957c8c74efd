package state

import (
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
)

// EventID is Sentra's calendar_events.id as text, whatever the type of the
// column is. It is opaque: slashes, spaces and non-ASCII occur.
type EventID string

// Wanted says whether Sentra wants the event to have an appointment in GHL.
type Wanted string

// The two things that can be wanted.
const (
	Present Wanted = "present"
	Absent  Wanted = "absent"
)

// Presence is what is known of the event's appointment in GHL.
type Presence string

// What can be known. GHLUnknown means that a call may have been acted on.
const (
	GHLAbsent  Presence = "absent"
	GHLUnknown Presence = "unknown"
	GHLPresent Presence = "present"
)

// Status is the guide's sync_status. It is derived from the rest of a row by
// [Mapping.Status] and stored so that operators can query it.
type Status string

// The guide's three words. Pending is work that is due, retries and held
// retractions included; failed is parked until something new is wanted or
// somebody retries.
const (
	Synced  Status = "synced"
	Pending Status = "pending"
	Failed  Status = "failed"
)

// Hold is the delete fuse's word on a retraction. It belongs to one revision:
// whatever is wanted next clears it.
type Hold string

// A retraction is free, held by the fuse, released by an operator (the fuse
// lets it be), or kept: an operator decided that the appointment stays.
const (
	NotHeld  Hold = ""
	Held     Hold = "held"
	Released Hold = "released"
	Kept     Hold = "kept"
)

// Operation is what a call to GHL does.
type Operation string

// The three calls.
const (
	Create Operation = "create"
	Update Operation = "update"
	Delete Operation = "delete"
)

// CallState is how far a call is.
type CallState string

// A call is in flight (leased), of unknown outcome (GHL may have acted on one of
// its tries: it is repeated byte for byte, whatever is wanted by now, or, where
// absent is wanted, overtaken by a delete), or rejected (GHL surely took none of
// its tries: the same call is repeated under the same delivery id while the same
// revision is wanted).
const (
	InFlight CallState = "in_flight"
	Unknown  CallState = "unknown"
	Rejected CallState = "rejected"
)

// Version orders what is known of one event. LSNs compare only within one
// epoch; the epoch rises whenever the continuity of the stream is broken.
type Version struct {
	Epoch int64 `json:"epoch"`
	// LSN is a commit LSN for a change from the stream (the position of the
	// commit record, Commit message, 'Final LSN' in Begin) and the consistent
	// point for a row that a snapshot showed.
	LSN pglogrepl.LSN `json:"commit_lsn"`
}

// Before reports whether v is older than o.
func (v Version) Before(o Version) bool {
	if v.Epoch != o.Epoch {
		return v.Epoch < o.Epoch
	}
	return v.LSN < o.LSN
}

func (v Version) String() string { return fmt.Sprintf("%d@%s", v.Epoch, v.LSN) }

// Call is a call to GHL that has left or is about to.
type Call struct {
	Operation  Operation `json:"operation"`
	State      CallState `json:"state"`
	DeliveryID string    `json:"delivery_id"`
	// Body is the exact body, kept so that a repetition is the same to the byte.
	Body []byte `json:"body,omitzero"`
	// Hash and Revision are those of the mapping when the call was made.
	Hash     string `json:"hash,omitzero"`
	Revision int64  `json:"revision"`
	// Before is what was known of GHL before the call; GHLUnknown once a try of
	// the call may have been acted on.
	Before Presence `json:"before"`
	// Tries counts how often this very call was sent and not refused, the first
	// and the one in flight included.
	Tries     int       `json:"tries"`
	StartedAt time.Time `json:"started_at,omitzero"`
	// SettlesAt is when GHL is taken to have acted on a call of unknown outcome
	// if it ever will: the end of the request plus GHL_SETTLE.
	SettlesAt time.Time `json:"settles_at,omitzero"`
}

// Mapping is all that is known of one Sentra event. Times are UTC with
// microseconds; a zero time is NULL in a store.
type Mapping struct {
	ID EventID `json:"sentra_event_id"`

	// The guide's columns; Status is derived.
	AppointmentID string    `json:"ghl_appointment_id,omitzero"`
	LastAttempt   time.Time `json:"last_sync_attempt,omitzero"` // last_sync_attempt
	SyncError     string    `json:"sync_error,omitzero"`        // a code, never text from GHL or a row's value
	CreatedAt     time.Time `json:"created_at,omitzero"`
	UpdatedAt     time.Time `json:"updated_at,omitzero"`

	// What is wanted.
	EventType   string    `json:"event_type,omitzero"` // onboarding or handover; the last known one of an absent event
	Wanted      Wanted    `json:"wanted"`
	Payload     []byte    `json:"payload,omitzero"`      // the guide's event_data; nil when absent or not translatable
	Hash        string    `json:"payload_hash,omitzero"` // of the payload without updated_at; "" with no payload
	Version     Version   `json:"version"`
	CommittedAt time.Time `json:"committed_at,omitzero"` // commit time of the change that set what is wanted
	Revision    int64     `json:"revision"`              // rises with every change of what is wanted
	StartsAt    time.Time `json:"starts_at,omitzero"`    // of the event, the last known; zero if not known. Delivery goes by it.

	// What GHL has.
	GHL     Presence  `json:"ghl_state"`
	GHLHash string    `json:"ghl_hash,omitzero"` // of the payload GHL has; "" if not known
	GHLAt   time.Time `json:"ghl_at,omitzero"`   // when that became known
	Assumed bool      `json:"assumed,omitzero"`  // recorded by the baseline as already in GHL, untouched since
	Drift   Drift     `json:"drift,omitzero"`    // what somebody else did to it since; a delivered call ends it
	DriftAt time.Time `json:"drift_at,omitzero"`
	// Known is what GHL has, or may have, of the event, while its appointment's id
	// is not known and neither the call nor Payload says it: the body of an earlier
	// call, or an event_data object. It tells where to look the appointment up.
	Known []byte `json:"known,omitzero"`

	// Delivery.
	Attempts    int       `json:"attempts,omitzero"`        // calls since the last success or change
	NextAttempt time.Time `json:"next_attempt_at,omitzero"` // zero: nothing is scheduled
	LeaseOwner  string    `json:"lease_owner,omitzero"`
	LeaseUntil  time.Time `json:"lease_until,omitzero"`   // zero: no call in flight
	Parked      string    `json:"parked_reason,omitzero"` // reason code; "" if not parked
	Hold        Hold      `json:"hold,omitzero"`
	Retracted   bool      `json:"retracted,omitzero"` // the present retraction takes an appointment from GHL: it counts for the fuse
	// UnsettledUntil is set while a call of unknown outcome was overtaken by a
	// delete: GHL may act on that call until then, so the delete is sent once more
	// after it.
	UnsettledUntil time.Time `json:"unsettled_until,omitzero"`
	Call           *Call     `json:"call,omitzero"`

	stored Class
}

// Codes that this package writes into [Mapping.Parked].
const (
	// CodeOutcomeUnknown parks a create that was repeated in vain.
	CodeOutcomeUnknown = "OUTCOME_UNKNOWN"
	// CodeInterrupted is the error of a call that a crash or a lost lease cut.
	CodeInterrupted = "INTERRUPTED"
	// CodeRejected parks what GHL will not take, where no code says why.
	CodeRejected = "REJECTED"
)

// Settled reports whether GHL has what is wanted and no call is open, or an
// operator decided that the appointment of an absent event stays.
func (m *Mapping) Settled() bool {
	if m.Hold == Kept {
		return true
	}
	if m.Call != nil && m.Call.State != Rejected || !m.UnsettledUntil.IsZero() {
		return false
	}
	if m.Wanted == Absent {
		return m.GHL == GHLAbsent
	}
	return m.GHL == GHLPresent && (m.Assumed || m.Hash != "" && m.GHLHash == m.Hash)
}

// Status derives the guide's sync_status.
func (m *Mapping) Status() Status {
	switch {
	case m.Parked != "":
		return Failed
	case m.Settled():
		return Synced
	default:
		return Pending
	}
}

// Class is where a mapping is counted.
type Class struct {
	// Status is empty for what is counted nowhere: delivered or kept tombstones.
	Status  Status
	Assumed bool // counted as assumed, not in the total
	Held    bool // a pending one that the fuse holds
}

// Class tells where the mapping counts now.
func (m *Mapping) Class() Class {
	switch {
	case m.Wanted == Absent && m.Parked == "" && m.Settled():
		return Class{}
	case m.Assumed:
		return Class{Assumed: true}
	default:
		return Class{Status: m.Status(), Held: m.Hold == Held}
	}
}

// Stored is the class under which the store counts the row now. Stores set it
// after loading and after saving, and count the difference.
func (m *Mapping) Stored() Class { return m.stored }

// SetStored is for stores: c is the class the row has in the store.
func (m *Mapping) SetStored(c Class) { m.stored = c }

// Counts are the numbers that operators see. Total is synced, pending and
// failed together; held ones are pending; assumed ones and tombstones are not
// in total.
type Counts struct {
	Total   int64 `json:"total"`
	Synced  int64 `json:"synced"`
	Pending int64 `json:"pending"`
	Failed  int64 `json:"failed"`
	Held    int64 `json:"held"`
	Assumed int64 `json:"assumed"`
}

// Move changes the counts for a row that goes from one class to another.
func (c *Counts) Move(from, to Class) {
	c.add(from, -1)
	c.add(to, 1)
}

func (c *Counts) add(k Class, n int64) {
	if k.Assumed {
		c.Assumed += n
		return
	}
	switch k.Status {
	case Synced:
		c.Synced += n
	case Pending:
		c.Pending += n
	case Failed:
		c.Failed += n
	default:
		return
	}
	c.Total += n
	if k.Held {
		c.Held += n
	}
}
