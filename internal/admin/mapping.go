package admin

import (
	"encoding/json"
	"time"

	"ghlsync/state"
)

// WebhookDisabled is the sync_error of what waits while delivery is switched
// off. It is derived when read and stands in no row.
const WebhookDisabled = "Webhook disabled"

// Mapping is the guide's mapping object, with a few words on the work. Names are
// those of the state's columns.
type Mapping struct {
	SentraEventID    string     `json:"sentra_event_id"`
	GHLAppointmentID *string    `json:"ghl_appointment_id"`
	SyncStatus       string     `json:"sync_status"`
	LastSyncAttempt  *time.Time `json:"last_sync_attempt"`
	SyncError        *string    `json:"sync_error"`
	CreatedAt        *time.Time `json:"created_at"`
	UpdatedAt        *time.Time `json:"updated_at"`
	EventType        string     `json:"event_type"`
	Wanted           string     `json:"wanted"`
	Hold             *string    `json:"hold"`
	Attempts         int        `json:"attempts"` // since the last success or change
	NextAttemptAt    *time.Time `json:"next_attempt_at"`
	CommitLSN        string     `json:"commit_lsn"`
}

// Detail is everything that is known of an event.
type Detail struct {
	Mapping
	Epoch       int64      `json:"epoch"`
	CommittedAt *time.Time `json:"committed_at"`
	Revision    int64      `json:"revision"`
	PayloadHash *string    `json:"payload_hash"`
	GHLState    string     `json:"ghl_state"`
	GHLHash     *string    `json:"ghl_hash"`
	GHLAt       *time.Time `json:"ghl_at"`
	Assumed     bool       `json:"assumed"`
	// Drift is what somebody else did to the appointment: changed or deleted it.
	Drift          *string    `json:"drift"`
	DriftAt        *time.Time `json:"drift_at"`
	ParkedReason   *string    `json:"parked_reason"`
	LeaseUntil     *time.Time `json:"lease_until"`
	UnsettledUntil *time.Time `json:"unsettled_until"`
	Call           *Call      `json:"call"`
	// Payload is client data: it comes only on request.
	Payload json.RawMessage `json:"payload,omitempty"`
	// LastAttempts are the latest calls, newest first; never null.
	LastAttempts []Attempt `json:"last_attempts"`
}

// Call is a call to GHL that has left or is about to. Its body is not shown.
type Call struct {
	Operation  string     `json:"operation"`
	State      string     `json:"state"`
	DeliveryID string     `json:"delivery_id"`
	Revision   int64      `json:"revision"`
	Tries      int        `json:"tries"`
	StartedAt  *time.Time `json:"started_at"`
	SettlesAt  *time.Time `json:"settles_at"`
}

// Attempt is the audit line of a call.
type Attempt struct {
	Operation  string    `json:"operation"`
	DeliveryID string    `json:"delivery_id"`
	StartedAt  time.Time `json:"started_at"`
	DurationMS float64   `json:"duration_ms"`
	HTTPStatus *int      `json:"http_status"`
	Outcome    string    `json:"outcome"`
	ErrorCode  *string   `json:"error_code"`
}

// Page is a part of a list, in the order of ids (bytewise).
type Page struct {
	Mappings []Mapping `json:"mappings"` // never null
	// Next is the id to ask on from; null: there is nothing more.
	Next *string `json:"next"`
}

func describe(m *state.Mapping, enabled bool) Mapping {
	d := Mapping{
		SentraEventID:    string(m.ID),
		GHLAppointmentID: null(m.AppointmentID),
		SyncStatus:       string(m.Status()),
		LastSyncAttempt:  moment(m.LastAttempt),
		SyncError:        null(m.SyncError),
		CreatedAt:        moment(m.CreatedAt),
		UpdatedAt:        moment(m.UpdatedAt),
		EventType:        m.EventType,
		Wanted:           string(m.Wanted),
		Hold:             null(string(m.Hold)),
		Attempts:         m.Attempts,
		NextAttemptAt:    moment(m.NextAttempt),
		CommitLSN:        m.Version.LSN.String(),
	}
	if !enabled && m.Status() == state.Pending && m.SyncError == "" {
		d.SyncError = null(WebhookDisabled)
	}
	return d
}

func detail(m *state.Mapping, attempts []state.Attempt, payload, enabled bool) Detail {
	d := Detail{
		Mapping:        describe(m, enabled),
		Epoch:          m.Version.Epoch,
		CommittedAt:    moment(m.CommittedAt),
		Revision:       m.Revision,
		PayloadHash:    null(m.Hash),
		GHLState:       string(m.GHL),
		GHLHash:        null(m.GHLHash),
		GHLAt:          moment(m.GHLAt),
		Assumed:        m.Assumed,
		Drift:          null(string(m.Drift)),
		DriftAt:        moment(m.DriftAt),
		ParkedReason:   null(m.Parked),
		LeaseUntil:     moment(m.LeaseUntil),
		UnsettledUntil: moment(m.UnsettledUntil),
		Call:           describeCall(m.Call),
		LastAttempts:   make([]Attempt, len(attempts)),
	}
	if payload && len(m.Payload) > 0 {
		d.Payload = json.RawMessage(m.Payload)
	}
	for i, a := range attempts {
		d.LastAttempts[i] = Attempt{
			Operation: string(a.Operation), DeliveryID: a.DeliveryID, StartedAt: a.StartedAt.UTC(),
			DurationMS: float64(a.Duration.Microseconds()) / 1000, HTTPStatus: null(a.HTTPStatus),
			Outcome: a.Outcome, ErrorCode: null(a.Code),
		}
	}
	return d
}

func describeCall(c *state.Call) *Call {
	if c == nil {
		return nil
	}
	return &Call{
		Operation: string(c.Operation), State: string(c.State), DeliveryID: c.DeliveryID, Revision: c.Revision,
		Tries: c.Tries, StartedAt: moment(c.StartedAt), SettlesAt: moment(c.SettlesAt),
	}
}
