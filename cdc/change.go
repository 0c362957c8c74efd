package cdc

import (
	"time"

	"github.com/jackc/pglogrepl"
)

// Column is a column of the events table that anybody behind cdc reads. Others
// are never looked at.
type Column uint8

// The columns, found by name in the latest Relation message.
const (
	ID Column = iota
	ClientID
	Title
	Type
	StartDate
	EndDate
	StartTime
	EndTime
	Description
	CreatedAt
	UpdatedAt
	AppointmentID // ghl_appointment_id: only some installs have it
	NumColumns
)

var columnNames = [NumColumns]string{
	"id", "client_id", "title", "type", "start_date", "end_date", "start_time", "end_time",
	"description", "created_at", "updated_at", "ghl_appointment_id",
}

func (c Column) String() string { return columnNames[c] }

// Required reports whether the events table must have the column.
func (c Column) Required() bool { return c != AppointmentID }

// Presence tells what a row says of a column.
type Presence uint8

// A column is missing from the table, NULL, has a value, or was not touched by
// an UPDATE and is stored out of line ('unchanged TOAST'), so that the stream
// carries no value.
const (
	Missing Presence = iota
	Null
	Value
	Unchanged
)

// Row is one row of the events table, in the server's text output under the
// session settings that this package pins (ISO dates, UTC). The zero Row has
// every column missing. A Row owns its strings.
type Row struct {
	values   [NumColumns]string
	presence [NumColumns]Presence
}

// Get returns the column's text, which is empty unless the presence is Value.
func (r *Row) Get(c Column) (string, Presence) { return r.values[c], r.presence[c] }

// Text returns the column's text, empty for anything but a value.
func (r *Row) Text(c Column) string { return r.values[c] }

// Set sets a column. value counts only with Value.
func (r *Row) Set(c Column, value string, p Presence) {
	if p != Value {
		value = ""
	}
	r.values[c], r.presence[c] = value, p
}

// HasUnchanged reports whether the stream left a value out.
func (r *Row) HasUnchanged() bool {
	for _, p := range r.presence {
		if p == Unchanged {
			return true
		}
	}
	return false
}

// Kind is what happened to a row.
type Kind uint8

// The kinds of change. A Truncate has no row and concerns the whole table.
const (
	Insert Kind = iota + 1
	Update
	Delete
	Truncate
)

// Tx is what is known of a transaction from its Begin message.
type Tx struct {
	XID        uint32        // without epoch
	CommitLSN  pglogrepl.LSN // of the commit record; what rows are versioned by
	CommitTime time.Time
}

// Change is one change of the events table.
type Change struct {
	Kind Kind
	Tx   *Tx
	// Key is the id of the row: the new one of an insert or update, the old one
	// of a delete.
	Key string
	// OldKey is set only for an update that changed the key.
	OldKey string
	Row    Row // of an insert or update
}

// Boundary ends a part of the stream: a transaction (its Commit), or, between
// transactions, a keepalive.
type Boundary struct {
	// End is an end LSN: the commit's 'end LSN', or a keepalive's WAL end.
	End pglogrepl.LSN
	// CommitTime is that of the last transaction that ended since the boundary
	// before; zero if only keepalives came.
	CommitTime time.Time
	// Canary is the latest of our canaries that committed since the boundary
	// before; "" if none did. See [Source.EmitCanary].
	Canary string
	// Now asks for the boundary to be made durable at once (the server wants to
	// know how far we are, as it does when it shuts down).
	Now bool
}

// Chunk is a run of the stream, in stream order, that arrived together. It never
// spans a boundary that matters: if Open is false everything in it is complete
// and Last tells how far it goes; if Open is true it is a part of one large
// transaction, and the rest follows in later chunks.
type Chunk struct {
	Changes []Change
	Open    bool
	// Last is the last boundary in the chunk; meaningful unless Open.
	Last Boundary
	// Transactions is how many commits the chunk holds.
	Transactions int
}

// Client is what of a client may leave the machine. Name and BusinessName are
// told apart by the translation.
type Client struct {
	ID           string
	Name         string
	BusinessName string
	Email        string
	Phone        string // "" for NULL
}
