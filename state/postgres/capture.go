package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"ghlsync/state"
)

const takenSQL = `SELECT ghl_appointment_id, '' FROM retired_appointments WHERE ghl_appointment_id = ANY($1)
	UNION ALL
	SELECT ghl_appointment_id, sentra_event_id FROM ghl_sync_mappings WHERE ghl_appointment_id = ANY($1)`

// Taken implements state.Tx. Deliveries ask one after the other, until the end of
// their Tx, so that no two of them give one appointment to two events. Nothing that
// a delivery does after that waits for another.
func (t *tx) Taken(ctx context.Context, appointmentIDs []string) (map[string]state.EventID, error) {
	if t.shared {
		if _, err := t.exec(ctx, "wait to look for appointments", "SELECT pg_advisory_xact_lock($1, $2)", lockSpace, lockAppointments); err != nil {
			return nil, err
		}
	}
	if err := t.usable(ctx); err != nil {
		return nil, err
	}
	asked := storables(appointmentIDs)
	holders := make(map[string]state.EventID, len(asked))
	rows, err := t.conn.Query(ctx, takenSQL, asked)
	if err == nil {
		var appointment, event string
		_, err = pgx.ForEachRow(rows, []any{&appointment, &event}, func() error {
			if holders[appointment] == "" { // a mapping that holds one overrules that it is retired
				holders[appointment] = state.EventID(event)
			}
			return nil
		})
	}
	taken := make(map[string]state.EventID, len(holders))
	for i, id := range asked {
		if event, ok := holders[id]; ok {
			taken[appointmentIDs[i]] = event
		}
	}
	return taken, t.done(ctx, "look for appointments", err)
}

// CountFusible implements state.CaptureTx.
func (t *tx) CountFusible(ctx context.Context, since time.Time) (n int, err error) {
	if err := t.usable(ctx); err != nil {
		return 0, err
	}
	err = t.conn.QueryRow(ctx, "SELECT count(*) FROM ghl_sync_mappings WHERE retracted AND committed_at >= $1 AND "+countsForFuse, since).Scan(&n)
	return n, t.done(ctx, "count retractions", err)
}

const (
	insertCheckpointSQL = `INSERT INTO replication_checkpoints (slot, end_lsn, epoch, system_id, timeline,
		database_name, fingerprint, capturer, committed_at, updated_at, snapshot_lsn, baseline_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (slot) DO NOTHING`
	updateCheckpointSQL = `UPDATE replication_checkpoints SET end_lsn = $2, epoch = $3, system_id = $4, timeline = $5,
		database_name = $6, fingerprint = $7, capturer = $8, committed_at = $9, updated_at = $10, snapshot_lsn = $11,
		baseline_at = $12 WHERE slot = $1 AND end_lsn = $13 AND epoch = $14 AND capturer = $15`
)

// SetCheckpoint implements state.CaptureTx. A capturer that was overtaken spoils
// its own Tx, so that nothing of it can be committed.
func (t *tx) SetCheckpoint(ctx context.Context, prev *state.Checkpoint, next state.Checkpoint) error {
	query := insertCheckpointSQL
	args := []any{
		next.Slot, int64(next.LSN), next.Epoch, next.SystemID, next.Timeline, next.Database, next.Fingerprint,
		next.Capturer, orNull(next.CommittedAt), orNull(next.UpdatedAt), int64(next.SnapshotLSN), orNull(next.Baseline),
	}
	if prev != nil {
		query = updateCheckpointSQL
		args = append(args, int64(prev.LSN), prev.Epoch, prev.Capturer)
	}
	n, err := t.exec(ctx, "write the checkpoint", query, args...)
	if err == nil && n == 0 {
		err = t.done(ctx, "write the checkpoint", fmt.Errorf("%w: slot %q", state.ErrFenced, next.Slot))
	}
	return err
}

// checkpoint returns nil if the slot has none.
func checkpoint(ctx context.Context, q queryer, slot string) (*state.Checkpoint, error) {
	rows, err := q.Query(ctx, "SELECT "+checkpointColumns+" FROM replication_checkpoints WHERE slot = $1", slot)
	if err != nil {
		return nil, err
	}
	c, err := pgx.CollectExactlyOneRow(rows, readCheckpoint)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return c, err
}

const checkpointColumns = `slot, end_lsn, epoch, system_id, timeline, database_name, fingerprint, capturer,
	committed_at, updated_at, snapshot_lsn, baseline_at`

func readCheckpoint(row pgx.CollectableRow) (*state.Checkpoint, error) {
	var c state.Checkpoint
	var lsn, snapshot int64
	var committed, updated, baseline *time.Time
	err := row.Scan(&c.Slot, &lsn, &c.Epoch, &c.SystemID, &c.Timeline, &c.Database, &c.Fingerprint, &c.Capturer,
		&committed, &updated, &snapshot, &baseline)
	c.LSN, c.SnapshotLSN = pglogrepl.LSN(lsn), pglogrepl.LSN(snapshot)
	c.CommittedAt, c.UpdatedAt, c.Baseline = moment(committed), moment(updated), moment(baseline)
	return &c, err
}
