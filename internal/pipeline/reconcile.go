package pipeline

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"slices"

	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
	"ghlsync/state"
)

const (
	// reconcileChunk is small: the stream waits for the state's writer while a
	// chunk is compared.
	reconcileChunk = 500
	// reconcileSnapshots is how often a snapshot is taken in all, when the table is
	// truncated or rewritten under it.
	reconcileSnapshots = 3
)

// snapshots is what a reconcile needs of the source. [cdc.Source] implements it.
type snapshots interface {
	Lookups
	CreateTemporary(ctx context.Context) (*cdc.SnapshotHandle, error)
	Snapshot(ctx context.Context, h *cdc.SnapshotHandle, chunk int, fn func(context.Context, []cdc.SnapshotRow) error) error
}

// reconcile compares a consistent snapshot with the state, part by part, and
// makes the state want what the snapshot shows. Each part is a transaction of its
// own and leaves a state that is right as far as it goes; what Sentra does not
// show is retracted only at the end, so it may be broken off anywhere.
//
// Unlike a snapshot that heals a hole it does not write rows that are as they
// should be, so that a large table can be compared beside a busy stream. What the
// snapshot showed is kept in memory instead, at some twenty bytes an event.
type reconcile struct {
	snapshot
	source snapshots
	beside *junction // nil: no stream runs
	opts   ReconcileOptions
	total  int64 // about so many events
	log    *slog.Logger

	seed  maphash.Seed
	shown map[uint64]struct{} // hashes of the ids that the snapshot showed
	found []difference        // in the open transaction
	done  Reconciliation
}

type difference struct {
	id      state.EventID
	was, is state.Wanted
}

// run takes snapshots until one is true to its end.
func (r *reconcile) run(ctx context.Context) (Reconciliation, error) {
	if r.beside != nil && !r.opts.DryRun {
		r.beside.remember.Store(true)
		defer r.beside.remember.Store(false)
	}
	if r.opts.DryRun {
		r.a.log = slog.New(slog.DiscardHandler) // the fuse must not speak of what it would do
	}
	r.done = Reconciliation{DryRun: r.opts.DryRun, Streaming: r.beside != nil, Epoch: r.version.Epoch}
	r.forget()
	for {
		err := r.attempt(ctx)
		switch {
		case err == nil:
			r.tell()
			return r.done, nil
		case !errors.Is(err, cdc.ErrTableChanged):
			return r.done, fmt.Errorf("reconcile: %w", err)
		case r.done.Snapshots == reconcileSnapshots:
			return r.done, fmt.Errorf("reconcile gives up after %d snapshots, having retracted nothing: %w", r.done.Snapshots, err)
		}
		r.log.Warn("a table changed under the snapshot of a reconcile, which starts over", slog.Any("error", err))
		if r.opts.DryRun {
			r.forget() // what was only looked at is found again
		}
	}
}

func (r *reconcile) forget() {
	r.done.Missing, r.done.Extra, r.done.Stale = Found{IDs: []string{}}, Found{IDs: []string{}}, Found{IDs: []string{}}
}

func (r *reconcile) tell() {
	d := &r.done
	r.log.Info("reconcile is complete", slog.Bool("dry_run", d.DryRun), slog.Int("events", d.Events),
		slog.Int("missing", d.Missing.Count), slog.Int("extra", d.Extra.Count), slog.Int("stale", d.Stale.Count),
		slog.String("consistent_point", d.ConsistentPoint))
}

// attempt is one snapshot, compared as a whole.
func (r *reconcile) attempt(ctx context.Context) error {
	r.done.Snapshots++
	r.progress()
	handle, err := r.source.CreateTemporary(ctx)
	if err != nil {
		return err
	}
	defer farewell(ctx, handle)
	r.start(handle.LSN)
	if err := r.beside.await(ctx, handle.LSN); err != nil {
		return err
	}
	if err := r.source.Snapshot(ctx, handle, reconcileChunk, r.compare); err != nil {
		return err
	}
	farewell(ctx, handle) // the source may forget old row versions again
	r.done.Events = r.rows
	return r.retractExtra(ctx)
}

// start begins a snapshot with this consistent point.
func (r *reconcile) start(point pglogrepl.LSN) {
	r.version.LSN, r.taken, r.rows = point, r.a.now(), 0
	r.done.ConsistentPoint = point.String()
	r.seed, r.shown = maphash.MakeSeed(), make(map[uint64]struct{})
	r.differs = func(m *state.Mapping, was state.Wanted) {
		r.found = append(r.found, difference{id: m.ID, was: was, is: m.Wanted})
	}
}

// compare compares one part.
func (r *reconcile) compare(ctx context.Context, rows []cdc.SnapshotRow) error {
	r.rows += len(rows)
	r.progress()
	if err := r.refresh(ctx, rows); err != nil {
		return err
	}
	for i := range rows {
		r.shown[maphash.String(r.seed, rows[i].Row.Text(cdc.ID))] = struct{}{}
	}
	err := r.merge(ctx, rows)
	if err == nil {
		err = r.settle(ctx)
	}
	if err != nil {
		return r.a.abort(err)
	}
	return nil
}

// refresh replaces the clients as of the consistent point by the clients as they
// are, as the stream does: a row that the stream brought just before the point
// may have been given a client that is newer than the snapshot's. One that is
// gone by now stays; the DELETE that took its events is on its way.
func (r *reconcile) refresh(ctx context.Context, rows []cdc.SnapshotRow) error {
	var need set[string]
	for i := range rows {
		if id := rows[i].Row.Text(cdc.ClientID); id != "" {
			need.add(id)
		}
	}
	if len(need.list) == 0 {
		return nil
	}
	clients, err := r.source.Clients(ctx, nil, need.list)
	if err != nil {
		return err
	}
	for i := range rows {
		if c := clientOf(clients, &rows[i].Row); c != nil {
			rows[i].Client = c
		}
	}
	return nil
}

// retractExtra retracts what is wanted from before the consistent point and was
// not shown, in one transaction, so that the fuse sees all of it.
func (r *reconcile) retractExtra(ctx context.Context) error {
	extra, err := r.extra(ctx)
	if err != nil || len(extra) == 0 {
		return err
	}
	if err := r.a.begin(ctx); err != nil {
		return err
	}
	gone := r.change()
	gone.Wanted, gone.CommittedAt = state.Absent, r.a.now()
	for ids := range slices.Chunk(extra, retractPage) {
		if err := r.retract(ctx, ids, gone); err != nil {
			return r.a.abort(err)
		}
	}
	r.a.held = 0
	if err := r.a.blowFuse(ctx); err != nil {
		return r.a.abort(err)
	}
	if err := r.settle(ctx); err != nil {
		return r.a.abort(err)
	}
	r.done.Held = r.a.held
	return nil
}

// extra lists those events. It reads beside the writer: what the stream brings
// meanwhile is newer, and Merge leaves it alone.
func (r *reconcile) extra(ctx context.Context) (ids []state.EventID, err error) {
	for after := state.EventID(""); ; {
		rows, err := r.a.store.List(ctx, state.Filter{WantedBefore: &r.version}, after, retractPage)
		if err != nil {
			return nil, fmt.Errorf("list mappings: %w", err)
		}
		for _, m := range rows {
			if _, shown := r.shown[maphash.String(r.seed, string(m.ID))]; !shown {
				ids = append(ids, m.ID)
			}
			after = m.ID
		}
		if len(rows) < retractPage {
			return ids, nil
		}
	}
}

func (r *reconcile) retract(ctx context.Context, ids []state.EventID, gone state.Change) error {
	b, err := r.a.batch(ctx, &needs{events: set[state.EventID]{list: ids}}, nil)
	if err != nil {
		return err
	}
	b.differs = r.differs
	for _, gone.ID = range ids {
		b.merge(gone)
	}
	return b.save(ctx)
}

// settle ends the open transaction: what it holds is mended now, or, in a dry
// run, would be.
func (r *reconcile) settle(ctx context.Context) error {
	if err := r.beside.passable(r.version.LSN); err != nil {
		r.found = r.found[:0]
		return err
	}
	if r.opts.DryRun || !r.a.dirty {
		if err := r.a.discard(); err != nil {
			return err
		}
	} else {
		if err := r.a.tx.Commit(ctx); err != nil {
			return fmt.Errorf("commit state: %w", err)
		}
		r.a.committed()
	}
	for _, d := range r.found {
		switch {
		case d.was == state.Absent:
			r.done.Missing.add(d.id)
		case d.is == state.Absent:
			r.done.Extra.add(d.id)
		default:
			r.done.Stale.add(d.id)
		}
	}
	r.found = r.found[:0]
	return nil
}

func (r *reconcile) progress() {
	if r.opts.Progress != nil {
		r.opts.Progress(int64(r.rows), max(r.total, int64(r.rows)))
	}
}
