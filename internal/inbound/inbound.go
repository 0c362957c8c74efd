package inbound

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ghlsync/ghl/callback"
	"ghlsync/state"
)

// Result is what came of a callback. It is the answer's "result", and fit for a
// metric's label.
type Result string

// The results. Only the first six change anything.
const (
	Learned  Result = "learned"  // the mapping took the appointment's id
	Orphaned Result = "orphaned" // the appointment is no event's any more: its deletion is due
	Parked   Result = "parked"   // the event has failed, with the report's code
	Gone     Result = "gone"     // the appointment is not there any more: it is made again
	Drifted  Result = "drifted"  // somebody else changed or deleted the appointment
	Restored Result = "restored" // likewise, and it is made as it was

	Known        Result = "known"          // nothing new
	Noted        Result = "noted"          // true, and of no consequence
	Stale        Result = "stale"          // about a state of the event that is not wanted any more
	Retired      Result = "retired"        // the appointment is gone from GHL by our own deletion
	Taken        Result = "taken"          // another event has that appointment
	Differs      Result = "differs"        // the event has another appointment, which it keeps
	UnknownEvent Result = "unknown_event"  // there is no mapping of the event, or of the appointment
	Ignored      Result = "not_of_concern" // an app's webhook about something else
)

// Refused is what Options.Hook is told of a callback with a wrong secret or
// signature.
const Refused Result = "refused"

// changes reports whether the result stands for something that is saved.
func (r Result) changes() bool {
	switch r {
	case Learned, Orphaned, Parked, Gone, Drifted, Restored:
		return true
	default:
		return false
	}
}

// Store is what callbacks need of the state.
type Store interface {
	// Begin waits for its turn; what is committed survives a crash.
	Begin(ctx context.Context) (state.Tx, error)
	// Attempts returns the audit lines of one event, latest first.
	Attempts(ctx context.Context, id state.EventID, limit int) ([]state.Attempt, error)
}

// Options set up an Inbound.
type Options struct {
	Store  Store
	Secret string            // CALLBACK_SECRET; "": there is no route for workflows
	AppKey ed25519.PublicKey // GHL_APP_PUBLIC_KEY; nil: there is no route for an app
	// Restore mends drift (GHL_DRIFT=restore) instead of reporting it only.
	Restore bool
	Fuse    int    // GHL_DELETE_FUSE, which holds deletions of orphans too; 0: off
	Wake    func() // called after every commit: something may be due
	// Hook, if set, is told the route's pattern and result of every callback that was
	// taken, and Refused of every one that did not prove itself.
	Hook func(route string, r Result)
	Log  *slog.Logger
	Now  func() time.Time // nil: time.Now
}

// Inbound takes what GHL tells. It is safe for concurrent use.
type Inbound struct {
	o       Options
	secret  callback.Secret
	refused tally
	// turn is held by the one callback that is being recorded: others wait here, and not
	// each with a transaction open, which needs a second connection for the audit.
	turn sync.Mutex
}

// New makes an Inbound on a store that is open for writing.
func New(o Options) *Inbound {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wake == nil {
		o.Wake = func() {}
	}
	if o.Hook == nil {
		o.Hook = func(string, Result) {}
	}
	return &Inbound{o: o, secret: callback.NewSecret(o.Secret)}
}

func (in *Inbound) now() time.Time { return in.o.Now().UTC().Truncate(time.Microsecond) }

// within runs work in a transaction, which is committed if the result says that
// something changed, and then wakes delivery.
func (in *Inbound) within(ctx context.Context, work func(state.Tx) (Result, error)) (res Result, err error) {
	in.turn.Lock()
	defer in.turn.Unlock()
	tx, err := in.o.Store.Begin(ctx)
	if err != nil {
		return "", fmt.Errorf("begin: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }() // after a commit it does nothing
	if res, err = work(tx); err != nil || !res.changes() {
		return res, err
	}
	if err := tx.Commit(ctx); err != nil {
		return res, fmt.Errorf("commit: %w", err)
	}
	in.o.Wake()
	return res, nil
}
