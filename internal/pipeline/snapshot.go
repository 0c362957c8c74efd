package pipeline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"ghlsync/cdc"
	"ghlsync/state"
)

// snapshotChunk is how many rows are read in one short transaction of the source
// and stored in one of the state.
const snapshotChunk = 2000

// snapshot is one consistent snapshot on its way into the state.
type snapshot struct {
	a        *Applier
	version  state.Version // of every row it shows, and of what it does not show
	taken    time.Time     // stands for the commit time of its changes
	baseline bool          // the first one: rows without a record may be assumed
	backfill Backfill
	zone     *time.Location
	rows     int
	differs  func(m *state.Mapping, was state.Wanted) // see batch
}

// begin records durably that the snapshot is incomplete, under the checkpoint
// that the stream will go on from. prev is what is stored now.
func (s *snapshot) begin(ctx context.Context, prev *state.Checkpoint, next state.Checkpoint) error {
	next.SnapshotLSN = s.version.LSN
	return s.a.replace(ctx, prev, next)
}

// chunk sets the rows as wanted at the snapshot's consistent point.
func (s *snapshot) chunk(ctx context.Context, rows []cdc.SnapshotRow) error {
	err := s.merge(ctx, rows)
	if err == nil {
		err = s.a.finish(ctx, s.a.cp)
	}
	if err != nil {
		return s.a.abort(err)
	}
	s.rows += len(rows)
	return nil
}

// merge sets the rows within the open transaction, which it opens.
func (s *snapshot) merge(ctx context.Context, rows []cdc.SnapshotRow) error {
	a := s.a
	if err := a.begin(ctx); err != nil {
		return err
	}
	var need needs
	for i := range rows {
		need.event(rows[i].Row.Text(cdc.ID))
		need.appointment(rows[i].Row.Text(cdc.AppointmentID))
	}
	b, err := a.batch(ctx, &need, nil)
	if err != nil {
		return err
	}
	b.differs = s.differs
	for i := range rows {
		row := &rows[i].Row
		base := s.change()
		base.Assume = s.baseline && s.backfill.assumes(row, s.taken, s.zone)
		if err := b.want(ctx, base, a.rules.Row(row.Text(cdc.ID), row, rows[i].Client)); err != nil {
			return err
		}
	}
	return b.save(ctx)
}

func (s *snapshot) change() state.Change {
	return state.Change{Source: state.Snapshot, Version: s.version, CommittedAt: s.taken}
}

// end retracts what the state wants from before the consistent point and the
// snapshot did not show, and marks it complete, in one transaction. After a crash
// before that, the snapshot starts over.
func (s *snapshot) end(ctx context.Context) error {
	if err := s.retractMissing(ctx); err != nil {
		return s.a.abort(err)
	}
	s.a.log.Info("snapshot is complete", slog.Int("rows", s.rows),
		slog.String("consistent_point", s.version.LSN.String()), slog.Int64("epoch", s.version.Epoch))
	return nil
}

func (s *snapshot) retractMissing(ctx context.Context) error {
	a := s.a
	if err := a.begin(ctx); err != nil {
		return err
	}
	gone := s.change()
	gone.Wanted = state.Absent
	if err := a.retractAll(ctx, state.Filter{Wanted: state.Present, WantedBefore: &s.version}, gone); err != nil {
		return err
	}
	if err := a.blowFuse(ctx); err != nil {
		return err
	}
	next := a.cp
	next.SnapshotLSN = 0
	if s.baseline {
		next.Baseline = a.now()
	} else {
		// Whatever committed before the consistent point is in the snapshot. (A
		// baseline keeps its start: the stream tells it which rows changed since.)
		next.LSN = max(next.LSN, s.version.LSN)
	}
	return a.finish(ctx, next)
}

// replace writes a checkpoint on its own.
func (a *Applier) replace(ctx context.Context, prev *state.Checkpoint, next state.Checkpoint) error {
	next.UpdatedAt = a.now()
	if err := a.begin(ctx); err != nil {
		return err
	}
	if err := a.tx.SetCheckpoint(ctx, prev, next); err != nil {
		return a.abort(fmt.Errorf("take over checkpoint: %w", err))
	}
	if err := a.tx.Commit(ctx); err != nil {
		return a.abort(fmt.Errorf("commit checkpoint: %w", err))
	}
	a.tx, a.cp = nil, next
	return nil
}
