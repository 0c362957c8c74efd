package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ghlsync/state"
)

// takenSQL looks at the retired ids first, so that a mapping that holds one
// overrules it.
const takenSQL = `SELECT asked.value, '' FROM json_each($1) AS asked
	CROSS JOIN retired_appointments ON ghl_appointment_id = asked.value
	UNION ALL
	SELECT asked.value, sentra_event_id FROM json_each($1) AS asked
	CROSS JOIN ghl_sync_mappings ON ghl_appointment_id = asked.value`

// Taken implements state.Tx.
func (t *tx) Taken(ctx context.Context, appointmentIDs []string) (_ map[string]state.EventID, err error) {
	if err := t.usable(ctx); err != nil {
		return nil, err
	}
	data, err := json.Marshal(appointmentIDs)
	if err != nil {
		return nil, fmt.Errorf("encode appointment ids: %w", err)
	}
	rows, err := t.conn.QueryContext(ctx, takenSQL, string(data))
	if err != nil {
		return nil, t.s.fail("look for appointments", err)
	}
	defer func() { err = t.s.fail("look for appointments", errors.Join(err, rows.Close())) }()
	taken := map[string]state.EventID{}
	for rows.Next() {
		var appointment string
		var event state.EventID
		if err := rows.Scan(&appointment, &event); err != nil {
			return nil, err
		}
		taken[appointment] = event
	}
	return taken, rows.Err()
}

// CountFusible implements state.CaptureTx.
func (t *tx) CountFusible(ctx context.Context, since time.Time) (int, error) {
	if err := t.usable(ctx); err != nil {
		return 0, err
	}
	var n int
	err := t.conn.QueryRowContext(ctx, "SELECT count(*) FROM ghl_sync_mappings WHERE retracted = 1 AND committed_at >= ? AND "+
		countsForFuse, since.UnixMicro()).Scan(&n)
	return n, t.s.fail("count retractions", err)
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
		next.Slot, fromLSN(next.LSN), next.Epoch, next.SystemID, next.Timeline, next.Database, next.Fingerprint,
		next.Capturer, fromTime(next.CommittedAt), fromTime(next.UpdatedAt), fromLSN(next.SnapshotLSN), fromTime(next.Baseline),
	}
	if prev != nil {
		query = updateCheckpointSQL
		args = append(args, fromLSN(prev.LSN), prev.Epoch, prev.Capturer)
	}
	n, err := t.exec(ctx, "write the checkpoint", query, args...)
	if err == nil && n == 0 {
		err = t.wrote("write the checkpoint", fmt.Errorf("%w: slot %q", state.ErrFenced, next.Slot))
	}
	return err
}

// checkpoint returns nil if the slot has none.
func checkpoint(ctx context.Context, q queryer, slot string) (*state.Checkpoint, error) {
	c, err := scanCheckpoint(q.QueryRowContext(ctx, "SELECT "+checkpointColumns+" FROM replication_checkpoints WHERE slot = $1", slot))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return c, err
}

const checkpointColumns = `slot, end_lsn, epoch, system_id, timeline, database_name, fingerprint, capturer,
	committed_at, updated_at, snapshot_lsn, baseline_at`

func scanCheckpoint(row interface{ Scan(dest ...any) error }) (*state.Checkpoint, error) {
	var c state.Checkpoint
	var lsn, snapshot int64
	var committed, updated, baseline sql.NullInt64
	err := row.Scan(&c.Slot, &lsn, &c.Epoch, &c.SystemID, &c.Timeline, &c.Database, &c.Fingerprint, &c.Capturer,
		&committed, &updated, &snapshot, &baseline)
	if err != nil {
		return nil, err
	}
	c.LSN, c.SnapshotLSN = toLSN(lsn), toLSN(snapshot)
	c.CommittedAt, c.UpdatedAt, c.Baseline = toTime(committed), toTime(updated), toTime(baseline)
	return &c, nil
}
