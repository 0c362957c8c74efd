package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"ghlsync/state"
)

var (
	// Each is one range of the index, read in its order.
	soonSQL = "SELECT " + columnList + ` FROM ghl_sync_mappings
		WHERE starts_at >= ? AND next_attempt_at <= ? ORDER BY starts_at, next_attempt_at LIMIT ?`
	restSQL = "SELECT " + columnList + ` FROM ghl_sync_mappings
		WHERE starts_at < ? AND next_attempt_at <= ? ORDER BY starts_at, next_attempt_at LIMIT ?`
	// Each part has its index: what can wait may be a million.
	urgentSQL = "SELECT " + columnList + ` FROM ghl_sync_mappings WHERE sentra_event_id IN (
			SELECT * FROM (SELECT sentra_event_id FROM ghl_sync_mappings
				WHERE next_attempt_at <= ?1 AND starts_at >= ?2 AND starts_at < ?3 ORDER BY starts_at, next_attempt_at LIMIT ?4)
			UNION SELECT * FROM (SELECT sentra_event_id FROM ghl_sync_mappings
				WHERE next_attempt_at <= ?1 AND wanted = 'absent' ORDER BY starts_at, next_attempt_at LIMIT ?4)
		) ORDER BY starts_at, next_attempt_at LIMIT ?4`
	leasedSQL = "SELECT " + columnList + ` FROM ghl_sync_mappings
		WHERE lease_until < ? ORDER BY lease_until LIMIT ?`
)

// Due implements state.DeliveryTx. With one writer no row is locked elsewhere.
func (t *tx) Due(ctx context.Context, d state.Due) ([]*state.Mapping, error) {
	const what = "read due mappings"
	from := startOf(d.From)
	if !d.Before.IsZero() {
		return t.read(ctx, what, urgentSQL, d.Now.UnixMicro(), max(from, unknownStart+1), startOf(d.Before), d.Limit)
	}
	rows, err := t.read(ctx, what, soonSQL, from, d.Now.UnixMicro(), d.Limit)
	if err != nil || len(rows) == d.Limit || d.From.IsZero() {
		return rows, err
	}
	rest, err := t.read(ctx, what, restSQL, from, d.Now.UnixMicro(), d.Limit-len(rows))
	return append(rows, rest...), err
}

// NextDue implements state.DeliveryTx.
func (t *tx) NextDue(ctx context.Context) (time.Time, error) {
	if err := t.usable(ctx); err != nil {
		return time.Time{}, err
	}
	var us sql.NullInt64
	err := t.conn.QueryRowContext(ctx,
		"SELECT min(next_attempt_at) FROM ghl_sync_mappings WHERE next_attempt_at IS NOT NULL").Scan(&us)
	return toTime(us), t.s.fail("read the next due time", err)
}

// Leased implements state.DeliveryTx.
func (t *tx) Leased(ctx context.Context, before time.Time, limit int) ([]*state.Mapping, error) {
	return t.read(ctx, "read leased mappings", leasedSQL, before.UnixMicro(), limit)
}

// Record implements state.DeliveryTx.
func (t *tx) Record(ctx context.Context, lines ...state.Attempt) error {
	for _, a := range lines {
		_, err := t.exec(ctx, "record an attempt", `INSERT INTO delivery_attempts (sentra_event_id, operation,
			call_delivery_id, started_at, duration_us, http_status, outcome, error_code)
			VALUES ($1, $2, $3, $4, $5, nullif($6, 0), $7, nullif($8, ''))`,
			string(a.EventID), string(a.Operation), a.DeliveryID, a.StartedAt.UnixMicro(),
			a.Duration.Microseconds(), a.HTTPStatus, a.Outcome, a.Code)
		if err != nil {
			return err
		}
		t.attempted(a.StartedAt)
	}
	return nil
}

// attempts reads the audit of one event, latest first.
func attempts(ctx context.Context, q queryer, id state.EventID, limit int) (_ []state.Attempt, err error) {
	rows, err := q.QueryContext(ctx, "SELECT "+attemptColumns+` FROM delivery_attempts
		WHERE sentra_event_id = $1 ORDER BY started_at DESC, id DESC LIMIT $2`, string(id), limit)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []state.Attempt
	for rows.Next() {
		a, err := scanAttempt(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

const attemptColumns = `sentra_event_id, operation, call_delivery_id, started_at, duration_us,
	coalesce(http_status, 0), outcome, coalesce(error_code, '')`

func scanAttempt(rows *sql.Rows) (state.Attempt, error) {
	var a state.Attempt
	var started, took int64
	err := rows.Scan(&a.EventID, &a.Operation, &a.DeliveryID, &started, &took, &a.HTTPStatus, &a.Outcome, &a.Code)
	a.StartedAt = time.UnixMicro(started).UTC()
	a.Duration = time.Duration(took) * time.Microsecond
	return a, err
}

// SetPaused implements state.DeliveryTx.
func (t *tx) SetPaused(ctx context.Context, at time.Time) error {
	if at.IsZero() {
		_, err := t.exec(ctx, "end the pause", "DELETE FROM delivery_pause")
		return err
	}
	_, err := t.exec(ctx, "record the pause", `INSERT INTO delivery_pause (id, paused_at) VALUES (1, $1)
		ON CONFLICT (id) DO UPDATE SET paused_at = excluded.paused_at`, at.UnixMicro())
	return err
}

// Retire implements state.DeliveryTx.
func (t *tx) Retire(ctx context.Context, id state.EventID, appointmentID string, at time.Time) error {
	_, err := t.exec(ctx, "retire an appointment", `INSERT INTO retired_appointments
		(ghl_appointment_id, sentra_event_id, retired_at) VALUES ($1, $2, $3)
		ON CONFLICT (ghl_appointment_id) DO NOTHING`, appointmentID, string(id), at.UnixMicro())
	return err
}

// pruneTombstonesSQL spares what a snapshot that is being taken could bring back:
// rows retracted at or above its consistent point. A hold that was released has
// nothing more to say once GHL has nothing.
const pruneTombstonesSQL = `DELETE FROM ghl_sync_mappings WHERE rowid IN (
	SELECT rowid FROM ghl_sync_mappings AS m
	WHERE wanted = 'absent' AND sync_status = 'synced' AND updated_at < $1
		AND (hold IS NULL OR hold = 'released') AND lease_until IS NULL AND ghl_state = 'absent'
		AND NOT EXISTS (SELECT 1 FROM replication_checkpoints AS c WHERE c.snapshot_lsn <> 0
			AND (m.epoch, m.commit_lsn) >= (c.epoch, c.snapshot_lsn))
	ORDER BY updated_at LIMIT $2)`

const pruneAttemptsSQL = `DELETE FROM delivery_attempts WHERE id IN (
	SELECT id FROM delivery_attempts WHERE started_at < $1 ORDER BY started_at LIMIT $2)`

// Prune implements state.DeliveryTx. Settled tombstones are counted nowhere, so
// the counts stay.
func (t *tx) Prune(ctx context.Context, tombstones, attempts time.Time, limit int) (int, error) {
	rows, err := t.exec(ctx, "prune tombstones", pruneTombstonesSQL, tombstones.UnixMicro(), limit)
	if err != nil {
		return 0, err
	}
	lines, err := t.exec(ctx, "prune the audit", pruneAttemptsSQL, attempts.UnixMicro(), limit)
	return int(rows + lines), err
}
