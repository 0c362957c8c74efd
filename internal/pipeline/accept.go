package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ghlsync/cdc"
	"ghlsync/state"
)

// acceptedBy stands in a checkpoint for the capturer, until one takes over.
const acceptedBy = "accepted"

// Accept lets the state of prev go on with another source, of which f is a look.
// LSNs of the two do not compare: the checkpoint is set to one that says nothing
// of the new source's WAL, and can never be continued from, only healed: by a new
// epoch, and a snapshot that outranks all older rows. Mappings stay, so nothing is
// doubled; what the new source does not have is retracted then, under the fuse.
//
// After a crash the state is of the old source or of the new one. A capturer that
// wrote the checkpoint meanwhile makes it fail with state.ErrFenced.
func Accept(ctx context.Context, store Store, prev state.Checkpoint, f cdc.Facts, now time.Time) (err error) {
	next := prev
	next.LSN, next.SnapshotLSN, next.Fingerprint = 0, 0, ""
	next.SystemID, next.Timeline, next.Database = f.SystemID, f.Timeline, f.Database
	next.Capturer, next.UpdatedAt = acceptedBy, now
	tx, err := store.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin state transaction: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	if err := tx.SetCheckpoint(ctx, &prev, next); err != nil {
		return fmt.Errorf("accept the source: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("accept the source: %w", err)
	}
	return nil
}
