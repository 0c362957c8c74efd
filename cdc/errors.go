package cdc

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
)

// Errors that callers branch on; they are wrapped, so use errors.Is.
var (
	// ErrConnectionLost: the source is not reachable, or ended the connection.
	// Open a new Source, with backoff.
	ErrConnectionLost = errors.New("connection to the source is lost")
	// ErrInRecovery: the server is a standby, as during a failover. Open a new
	// Source, with backoff.
	ErrInRecovery = errors.New("the source is a standby server")
	// ErrSlotActive: another process streams from the slot.
	ErrSlotActive = errors.New("the replication slot is in use")
	// ErrSlotExists: CreateSlot found a slot of that name.
	ErrSlotExists = errors.New("the replication slot exists")
	// ErrSlotMissing: the slot is gone.
	ErrSlotMissing = errors.New("the replication slot does not exist")
	// ErrSlotLost: the slot is there, but the WAL it needs is not.
	ErrSlotLost = errors.New("the replication slot has lost WAL")
	// ErrPublicationMissing: at the WAL position that the server decodes, the
	// publication does not exist. The slot never gets past it: the mend is the
	// publication, a new slot, and a snapshot.
	ErrPublicationMissing = errors.New("the publication does not exist where the slot reads")
	// ErrTableChanged: a table was rewritten, truncated or re-created, or its
	// columns or row security changed, while a snapshot read it. What was read is
	// true but maybe not all: take a new snapshot, retract nothing by this one.
	ErrTableChanged = errors.New("a table changed while the snapshot read it")
	// ErrSnapshotGone: the connection that kept the snapshot is gone.
	ErrSnapshotGone = errors.New("the exported snapshot is gone")
	// ErrBadMessage: the stream holds what this package cannot read; see
	// DecodeError.
	ErrBadMessage = errors.New("unreadable replication message")
	// ErrHeldUp: a slot could not be created in time; see HeldUpError.
	ErrHeldUp = errors.New("open transactions hold up the creation of the slot")
	// ErrOldTimeline: the server has not gone along where the checkpoint's did: it is
	// the primary from before a failover, or an older copy of its disk. Another look may
	// reach the right one, where the connection string names both.
	ErrOldTimeline = errors.New("the source is a primary from before a failover")
	// ErrOtherSource: the checkpoint belongs to another server or database.
	ErrOtherSource = errors.New("the state belongs to another source")
)

// Codes of findings.
const (
	CodeLogin           = "login"            // the server does not let the role in
	CodeServerVersion   = "server_version"   // older than 14
	CodeWALLevel        = "wal_level"        // not logical
	CodeReplicationRole = "replication_role" // the role may not replicate
	CodeTable           = "table"            // missing, or no table
	CodeColumn          = "column"           // a needed column is missing
	CodeSelect          = "select"           // the role may not read what it needs
	CodeRowSecurity     = "row_security"     // policies would hide rows
	CodeReplicaIdentity = "replica_identity" // publishing would make the app's UPDATE and DELETE fail, or lose ids
	CodePublication     = "publication"
	CodeSlot            = "slot"
	CodeSource          = "source" // another server or database than the state's
	CodeStandby         = "standby"
)

// Finding is a problem that a person has to mend: retrying does not help.
type Finding struct {
	Code    string // one of the Code constants
	Problem string // what is wrong, without a trailing full stop
	Mend    string // what to do, in words
	SQL     []string
	// Err is a sentinel of this package or nil.
	Err error
}

func (f *Finding) Error() string {
	var b strings.Builder
	b.WriteString(f.Problem)
	if f.Mend != "" {
		b.WriteString(": ")
		b.WriteString(f.Mend)
	}
	if len(f.SQL) > 0 {
		b.WriteString(": ")
		b.WriteString(strings.Join(f.SQL, " "))
	}
	return b.String()
}

func (f *Finding) Unwrap() error { return f.Err }

// Findings lists the findings in an error, through wrapping and joining.
func Findings(err error) []*Finding {
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case nil:
		return nil
	case *Finding:
		return []*Finding{e}
	case interface{ Unwrap() []error }:
		var all []*Finding
		for _, sub := range e.Unwrap() {
			all = append(all, Findings(sub)...)
		}
		return all
	case interface{ Unwrap() error }:
		return Findings(e.Unwrap())
	}
	return nil
}

// DecodeError says which message could not be read. It never holds content.
type DecodeError struct {
	Type    byte          // of the message, 0 where there was none
	LSN     pglogrepl.LSN // where the message starts
	Problem string
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("%v of type %q at %s: %s", ErrBadMessage, e.Type, e.LSN, e.Problem)
}

// Is makes a DecodeError an ErrBadMessage.
func (e *DecodeError) Is(target error) bool { return target == ErrBadMessage }

// OpenTransaction is a transaction that a new slot waits for.
type OpenTransaction struct {
	PID   int           // 0 for a prepared transaction
	GID   string        // of a prepared transaction
	State string        // of pg_stat_activity; empty if the role may not see it
	Age   time.Duration // zero if the role may not see it
}

// HeldUpError tells what a new slot waited for.
type HeldUpError struct {
	Slot   string
	Waited time.Duration
	Open   []OpenTransaction // the oldest, at most five
}

func (e *HeldUpError) Error() string {
	return fmt.Sprintf("%v %q (waited %s): %s", ErrHeldUp, e.Slot, e.Waited.Round(time.Second), describeOpen(e.Open))
}

// Is makes a HeldUpError an ErrHeldUp.
func (e *HeldUpError) Is(target error) bool { return target == ErrHeldUp }
