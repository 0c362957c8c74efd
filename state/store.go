package state

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pglogrepl"
)

// Errors that callers branch on. Stores wrap them.
var (
	// ErrLocked: another daemon works on this state.
	ErrLocked = errors.New("state is in use by another process")
	// ErrCorrupt: the store cannot be read as what it should be.
	ErrCorrupt = errors.New("state is damaged")
	// ErrNewerSchema: a newer ghlsync wrote this state.
	ErrNewerSchema = errors.New("state was written by a newer ghlsync")
	// ErrOlderSchema: an older ghlsync wrote this state, and who only reads cannot
	// bring it up to date.
	ErrOlderSchema = errors.New("state was written by an older ghlsync")
	// ErrFenced: the checkpoint is not what this capturer wrote last; somebody
	// else captures. Nothing of the transaction is stored.
	ErrFenced = errors.New("another capturer has taken over")
	// ErrNotFound: no such mapping.
	ErrNotFound = errors.New("no mapping for this event")
)

// Checkpoint is how far one slot's stream is durable here. It is written in the
// same transaction as what it covers.
type Checkpoint struct {
	Slot string `json:"slot"`
	// LSN is an end LSN: every transaction whose commit LSN lies below it is in
	// the state.
	LSN         pglogrepl.LSN `json:"end_lsn"`
	Epoch       int64         `json:"epoch"`
	SystemID    string        `json:"system_id"`
	Timeline    int32         `json:"timeline"`
	Database    string        `json:"database_name"`
	Fingerprint string        `json:"fingerprint"`           // of publication and table, see package cdc
	Capturer    string        `json:"capturer"`              // token of the process that may move the checkpoint
	CommittedAt time.Time     `json:"committed_at,omitzero"` // commit time of the last transaction; zero if none yet
	UpdatedAt   time.Time     `json:"updated_at,omitzero"`
	// SnapshotLSN is the consistent point of the snapshot that is being taken; 0
	// when none is. Found set at a start, the snapshot was interrupted and starts
	// over.
	SnapshotLSN pglogrepl.LSN `json:"snapshot_lsn,omitzero"`
	// Baseline is when the first snapshot was complete; zero before. Rows that a
	// later snapshot finds without a record are new, not assumed.
	Baseline time.Time `json:"baseline_at,omitzero"`
}

// Attempt is the audit line of one call. It never holds a body.
type Attempt struct {
	EventID    EventID       `json:"sentra_event_id"`
	Operation  Operation     `json:"operation"`
	DeliveryID string        `json:"call_delivery_id"`
	StartedAt  time.Time     `json:"started_at"`
	Duration   time.Duration `json:"duration_ns,omitzero"` // 0 if not known: a crash came before the answer
	HTTPStatus int           `json:"http_status,omitzero"` // 0 without an answer
	Outcome    string        `json:"outcome"`              // delivered, not_found, retry, permanent, unknown, paused
	Code       string        `json:"error_code,omitzero"`  // "" when delivered
}

// Filter selects mappings. Zero fields select all; set ones are joined by 'and'.
type Filter struct {
	// Listed leaves out what is counted nowhere (delivered and kept tombstones)
	// and what is only assumed, as 'mappings list' does.
	Listed bool
	Status Status
	Held   bool
	// Drifted selects rows whose appointment somebody else changed or deleted.
	Drifted bool
	// Query matches a part of the event id or of the appointment id, literally.
	Query string
	// WantedBefore selects rows wanted present whose version is older.
	WantedBefore *Version
	// Wanted selects by what is wanted.
	Wanted Wanted
	// Fusible selects retractions that count for the fuse and were committed at
	// or after this time: Retracted, and neither released nor kept.
	Fusible time.Time
}

// Due selects the rows that are scheduled at or before Now. Those whose event
// starts at or after From come first, the soonest before the others; then the
// rest by their start, and those of which none is known, the longest waiting
// before the others.
type Due struct {
	Now   time.Time
	Limit int
	// From is the start of the present day, or zero.
	From time.Time
	// Before, if set, leaves out what can wait for another day: only retractions
	// come, and events that start at or after From and before it.
	Before time.Time
}

// Reader reads the state as it was last committed. It may be used while a Tx is
// open elsewhere.
type Reader interface {
	// Checkpoint returns nil if the slot has none.
	Checkpoint(ctx context.Context, slot string) (*Checkpoint, error)
	// Get returns ErrNotFound for an unknown event.
	Get(ctx context.Context, id EventID) (*Mapping, error)
	// List returns up to limit mappings with an id above after, in the order of
	// their ids (bytewise).
	List(ctx context.Context, f Filter, after EventID, limit int) ([]*Mapping, error)
	Counts(ctx context.Context) (Counts, error)
	// LastAttempt is the start of the latest call; zero if there was none.
	LastAttempt(ctx context.Context) (time.Time, error)
	// PausedAt is when an operator paused delivery; zero while it is not paused.
	PausedAt(ctx context.Context) (time.Time, error)
	// Attempts returns the audit lines of one event, latest first.
	Attempts(ctx context.Context, id EventID, limit int) ([]Attempt, error)
}

// Searcher is a Reader that can do with a part of the mappings, so that a question
// about a million is answered in time.
type Searcher interface {
	// Search is Reader.List among the next rows mappings above after, whatever the
	// filter says of those. It returns the last id of them; "" if there are no more.
	Search(ctx context.Context, f Filter, after EventID, limit, rows int) (found []*Mapping, upTo EventID, err error)
	// HasAppointment returns the event with this appointment; ErrNotFound if none
	// has it.
	HasAppointment(ctx context.Context, appointmentID string) (EventID, error)
}

// Store keeps mappings and checkpoints durably.
type Store interface {
	Reader
	// Begin opens a transaction. It waits for another one to end, where the
	// backend has one writer.
	Begin(ctx context.Context) (Tx, error)
	Close() error
}

// Tx is one durable change. It is used by one goroutine. Nothing is visible to
// others before Commit returns without error; then it survives a crash.
type Tx interface {
	// Load returns the rows of the events that are known, and locks them.
	Load(ctx context.Context, ids []EventID) (map[EventID]*Mapping, error)
	// Page is Reader.List within the transaction.
	Page(ctx context.Context, f Filter, after EventID, limit int) ([]*Mapping, error)
	// Taken returns which of the appointment ids are held by a mapping (its event
	// id) or retired ("").
	Taken(ctx context.Context, appointmentIDs []string) (map[string]EventID, error)
	// Save writes whole rows, and counts them.
	Save(ctx context.Context, rows ...*Mapping) error

	DeliveryTx
	CaptureTx

	Commit(ctx context.Context) error
	// Rollback after Commit does nothing.
	Rollback() error
}

// DeliveryTx is what delivery needs of a transaction.
type DeliveryTx interface {
	// Due returns what delivery may call now, in the order of [Due], and locks it.
	// Rows locked elsewhere are passed over.
	Due(ctx context.Context, d Due) ([]*Mapping, error)
	// NextDue is the earliest NextAttempt; zero if nothing is scheduled.
	NextDue(ctx context.Context) (time.Time, error)
	// Leased returns up to limit rows with a call in flight whose lease ended
	// before the given time.
	Leased(ctx context.Context, before time.Time, limit int) ([]*Mapping, error)
	// Record appends audit lines.
	Record(ctx context.Context, attempts ...Attempt) error
	// Attempted keeps at as [Reader.LastAttempt] if it is later than what is kept, for
	// an import: rows and audit lines that would tell may have been pruned.
	Attempted(ctx context.Context, at time.Time) error
	// SetPaused records that an operator paused delivery, or with a zero time that
	// it goes on. Delivery obeys also after a restart.
	SetPaused(ctx context.Context, at time.Time) error
	// Retire keeps appointment ids that are gone from GHL.
	Retire(ctx context.Context, id EventID, appointmentID string, at time.Time) error
	// Prune removes tombstones settled before the one time and audit lines
	// before the other, at most limit of each, and returns how many went. A
	// tombstone is settled when GHL is known to have nothing and no call is open;
	// one that is held or kept stays, and so does one at or above the point of a snapshot
	// that is being taken.
	Prune(ctx context.Context, tombstones, attempts time.Time, limit int) (int, error)
}

// CaptureTx is what capture needs of a transaction.
type CaptureTx interface {
	// CountFusible counts what Filter.Fusible selects.
	CountFusible(ctx context.Context, since time.Time) (int, error)
	// SetCheckpoint writes next if the stored one has prev's LSN, epoch and
	// capturer (prev nil: none is stored); else ErrFenced.
	SetCheckpoint(ctx context.Context, prev *Checkpoint, next Checkpoint) error
}
