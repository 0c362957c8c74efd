package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
	"ghlsync/state"
	"ghlsync/translator"
)

// An idle boundary is written down when it is this much further, or older, than
// the checkpoint. Each costs one durable commit.
const (
	idleBytes    = 16 << 20
	idleInterval = 10 * time.Second
	// ownBytes bounds what such a commit itself adds to the WAL, and what the server
	// does after it, where the state is on the captured server.
	ownBytes = 64 << 10
)

// Lookups is what the stream leaves out and the source can tell.
// [cdc.Source] implements it.
type Lookups interface {
	// Clients returns the clients with these ids, once every transaction of xids
	// is visible to the question. A client that is not in the map does not exist.
	Clients(ctx context.Context, xids []uint32, ids []string) (map[string]cdc.Client, error)
	// EventRow returns the row as it is now, once xid is visible.
	EventRow(ctx context.Context, xid uint32, id string) (row cdc.Row, found bool, err error)
}

// Store is what capture needs of the state. See [state.Store].
type Store interface {
	Begin(ctx context.Context) (state.Tx, error)
	Checkpoint(ctx context.Context, slot string) (*state.Checkpoint, error)
	List(ctx context.Context, f state.Filter, after state.EventID, limit int) ([]*state.Mapping, error)
	Counts(ctx context.Context) (state.Counts, error)
}

// Applier writes chunks into the state. It implements [cdc.Handler].
// It is used by one goroutine.
type Applier struct {
	store   Store
	rules   *translator.Rules
	source  Lookups
	fuse    int
	now     func() time.Time
	changed func() // called after every commit that changed a row
	log     *slog.Logger
	// canaries gets each canary that the stream brings; it holds the latest.
	canaries chan string
	streamed *streamed

	cp state.Checkpoint // as stored

	// The open store transaction; nil between boundaries.
	tx    state.Tx
	dirty bool      // tx saved a row
	fusAt time.Time // commit time of the first retraction that the fuse has not looked at
	held  int       // how many the fuse has held, in all

	junction junction // with a reconcile beside the stream; other goroutines use it
}

// Handle writes one chunk and returns the LSN that is durable now. After an error
// nothing of the chunk, nor of the transaction it is a part of, is stored, and
// the stream has to be started again from the checkpoint.
func (a *Applier) Handle(ctx context.Context, ch cdc.Chunk) (pglogrepl.LSN, error) {
	if err := a.handle(ctx, ch); err != nil {
		return a.cp.LSN, a.abort(err)
	}
	a.streamed.took(ch)
	if !ch.Open {
		a.junction.reach(ch.Last.End)
		a.sing(ch.Last.Canary)
	}
	return a.cp.LSN, nil
}

// sing passes a canary on, if there is one, and does not wait: only the latest
// counts.
func (a *Applier) sing(canary string) {
	if canary == "" {
		return
	}
	select {
	case <-a.canaries:
	default:
	}
	select {
	case a.canaries <- canary:
	default:
	}
}

func (a *Applier) handle(ctx context.Context, ch cdc.Chunk) error {
	if len(ch.Changes) > 0 {
		if err := a.apply(ctx, ch.Changes); err != nil {
			return err
		}
	}
	switch {
	case ch.Open:
		return nil
	case !a.dirty && !a.dueIdle(ch.Last):
		return a.discard()
	default:
		return a.commit(ctx, ch.Last)
	}
}

// dueIdle reports whether a boundary that brings no change is worth a commit.
func (a *Applier) dueIdle(b cdc.Boundary) bool {
	if b.End <= a.cp.LSN {
		return false
	}
	ahead := b.End - a.cp.LSN
	return b.Now || ahead >= idleBytes || ahead > a.own() && a.now().Sub(a.cp.UpdatedAt) >= idleInterval
}

// own is how much of the WAL may be nothing but our last commit. Were that written
// down, it would make the next: an idle daemon would be awake for ever.
func (a *Applier) own() pglogrepl.LSN {
	if s, ok := a.store.(interface{ SystemID() string }); ok && s.SystemID() == a.cp.SystemID {
		return ownBytes
	}
	return 0
}

// commit makes the open transaction durable together with the boundary.
func (a *Applier) commit(ctx context.Context, b cdc.Boundary) error {
	if err := a.begin(ctx); err != nil {
		return err
	}
	if err := a.blowFuse(ctx); err != nil {
		return err
	}
	next := a.cp
	next.LSN = max(next.LSN, b.End)
	if !b.CommitTime.IsZero() {
		next.CommittedAt = b.CommitTime
	}
	return a.finish(ctx, next)
}

// finish moves the checkpoint and commits.
func (a *Applier) finish(ctx context.Context, next state.Checkpoint) error {
	next.UpdatedAt = a.now()
	if err := a.tx.SetCheckpoint(ctx, &a.cp, next); err != nil {
		return fmt.Errorf("move checkpoint to %s: %w", next.LSN, err)
	}
	if err := a.tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit state at %s: %w", next.LSN, err)
	}
	a.cp = next
	a.streamed.commits.Add(1)
	a.committed()
	return nil
}

// committed lets go of the transaction that is.
func (a *Applier) committed() {
	changed := a.dirty
	a.tx, a.dirty = nil, false
	if changed {
		a.changed()
	}
}

func (a *Applier) begin(ctx context.Context) error {
	if a.tx != nil {
		return nil
	}
	tx, err := a.store.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin state transaction: %w", err)
	}
	a.tx = tx
	return nil
}

// discard ends a transaction whose content, if any, is not to be stored.
func (a *Applier) discard() error {
	if a.tx == nil {
		return nil
	}
	tx := a.tx
	a.tx, a.dirty = nil, false
	a.fusAt = time.Time{}
	if err := tx.Rollback(); err != nil {
		return fmt.Errorf("close empty state transaction: %w", err)
	}
	return nil
}

// abort gives up whatever is open. The error that led here counts.
func (a *Applier) abort(err error) error {
	if rollback := a.discard(); rollback != nil {
		err = fmt.Errorf("%w (and then: %w)", err, rollback)
	}
	return err
}

// fuseDue reports whether the fuse has to look before something of that commit
// time is applied: retractions are counted by commit time, so those of one moment
// are counted before those of a later one are there.
func (a *Applier) fuseDue(at time.Time) bool {
	return a.fuse > 0 && !a.fusAt.IsZero() && at.Sub(a.fusAt).Abs() >= time.Second
}

// blowFuse lets the fuse look at what was retracted up to now.
func (a *Applier) blowFuse(ctx context.Context) error {
	if a.fusAt.IsZero() {
		return nil
	}
	at := a.fusAt
	a.fusAt = time.Time{}
	held, err := state.BlowFuse(ctx, a.tx, at, a.fuse, a.now())
	if err != nil {
		return fmt.Errorf("look at the delete fuse: %w", err)
	}
	if a.held += held; held > 0 {
		a.log.Error("delete fuse has blown: retractions are held until they are released or dropped",
			slog.Int("held", held), slog.Int("fuse", a.fuse),
			slog.String("mend", "ghlsync mappings list --status held, then ghlsync mappings release|drop"))
	}
	return nil
}
