package postgres

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"ghlsync/state"
)

// Due implements state.DeliveryTx.
func (t *tx) Due(ctx context.Context, d state.Due) ([]*state.Mapping, error) {
	due := func(limit int, where string, args ...any) ([]*state.Mapping, error) {
		return t.read(ctx, "read due mappings", "SELECT "+columnList+" FROM ghl_sync_mappings WHERE next_attempt_at <= $1 AND "+where+
			" ORDER BY starts_at, next_attempt_at LIMIT $2"+t.lock(" SKIP LOCKED"), append([]any{d.Now, limit}, args...)...)
	}
	from := startOf(d.From)
	if !d.Before.IsZero() {
		today, err := due(d.Limit, "starts_at >= $3 AND starts_at < $4 AND starts_at <> '-infinity'", from, d.Before)
		if err != nil {
			return nil, err
		}
		gone, err := due(d.Limit, "wanted = 'absent'")
		return soonest(append(today, gone...), d.Limit), err
	}
	rows, err := due(d.Limit, "starts_at >= $3", from)
	if err != nil || len(rows) == d.Limit || d.From.IsZero() {
		return rows, err
	}
	rest, err := due(d.Limit-len(rows), "starts_at < $3", from)
	return append(rows, rest...), err
}

// soonest puts rows in order, each once, and cuts them.
func soonest(rows []*state.Mapping, limit int) []*state.Mapping {
	slices.SortFunc(rows, func(a, b *state.Mapping) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), a.NextAttempt.Compare(b.NextAttempt), cmp.Compare(a.ID, b.ID))
	})
	rows = slices.CompactFunc(rows, func(a, b *state.Mapping) bool { return a.ID == b.ID })
	return rows[:min(len(rows), limit)]
}

// startOf is -infinity for a zero time.
func startOf(t time.Time) pgtype.Timestamptz {
	if t.IsZero() {
		return pgtype.Timestamptz{InfinityModifier: pgtype.NegativeInfinity, Valid: true}
	}
	return pgtype.Timestamptz{Time: t, Valid: true}
}

// NextDue implements state.DeliveryTx.
func (t *tx) NextDue(ctx context.Context) (time.Time, error) {
	if err := t.usable(ctx); err != nil {
		return time.Time{}, err
	}
	var at *time.Time
	err := t.conn.QueryRow(ctx, "SELECT min(next_attempt_at) FROM ghl_sync_mappings WHERE next_attempt_at IS NOT NULL").Scan(&at)
	return moment(at), t.done(ctx, "read the next due time", err)
}

// Leased implements state.DeliveryTx. Whoever has a row locked ends its call.
func (t *tx) Leased(ctx context.Context, before time.Time, limit int) ([]*state.Mapping, error) {
	return t.read(ctx, "read leased mappings", "SELECT "+columnList+` FROM ghl_sync_mappings
		WHERE lease_until < $1 ORDER BY lease_until LIMIT $2`+t.lock(" SKIP LOCKED"), before, limit)
}

// Record implements state.DeliveryTx.
func (t *tx) Record(ctx context.Context, lines ...state.Attempt) error {
	if err := t.usable(ctx); err != nil || len(lines) == 0 {
		return err
	}
	var b pgx.Batch
	for _, a := range lines {
		b.Queue(`INSERT INTO delivery_attempts (sentra_event_id, operation, call_delivery_id, started_at, duration_us,
			http_status, outcome, error_code) VALUES ($1, $2, $3, $4, $5, nullif($6, 0), $7, nullif($8, ''))`,
			storable(string(a.EventID)), string(a.Operation), storable(a.DeliveryID), a.StartedAt, a.Duration.Microseconds(),
			a.HTTPStatus, storable(a.Outcome), storable(a.Code))
		t.attempted(a.StartedAt)
	}
	return t.done(ctx, "record attempts", t.conn.SendBatch(ctx, &b).Close())
}

// attempts reads the audit of one event, latest first.
func attempts(ctx context.Context, q queryer, id state.EventID, limit int) ([]state.Attempt, error) {
	rows, err := q.Query(ctx, "SELECT "+attemptColumns+` FROM delivery_attempts
		WHERE sentra_event_id = $1 ORDER BY started_at DESC, id DESC LIMIT $2`, storable(string(id)), limit)
	if err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(rows, readAttempt)
	if len(lines) == 0 {
		return nil, err
	}
	return lines, err
}

const attemptColumns = `sentra_event_id, operation, call_delivery_id, started_at, duration_us,
	coalesce(http_status, 0), outcome, coalesce(error_code, '')`

func readAttempt(row pgx.CollectableRow) (state.Attempt, error) {
	var a state.Attempt
	var took int64
	err := row.Scan(&a.EventID, &a.Operation, &a.DeliveryID, &a.StartedAt, &took, &a.HTTPStatus, &a.Outcome, &a.Code)
	a.StartedAt = a.StartedAt.UTC()
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
		ON CONFLICT (id) DO UPDATE SET paused_at = excluded.paused_at`, at)
	return err
}

// Retire implements state.DeliveryTx.
func (t *tx) Retire(ctx context.Context, id state.EventID, appointmentID string, at time.Time) error {
	_, err := t.exec(ctx, "retire an appointment", `INSERT INTO retired_appointments
		(ghl_appointment_id, sentra_event_id, retired_at) VALUES ($1, $2, $3)
		ON CONFLICT (ghl_appointment_id) DO NOTHING`, storable(appointmentID), storable(string(id)), at)
	return err
}

// pruneTombstonesSQL spares what a snapshot that is being taken could bring back:
// rows retracted at or above its consistent point. A hold that was released has
// nothing more to say once GHL has nothing.
const pruneTombstonesSQL = `WITH settled AS MATERIALIZED (
	SELECT sentra_event_id FROM ghl_sync_mappings AS m
	WHERE wanted = 'absent' AND sync_status = 'synced' AND updated_at < $1
		AND (hold IS NULL OR hold = 'released') AND lease_until IS NULL AND ghl_state = 'absent'
		AND NOT EXISTS (SELECT 1 FROM replication_checkpoints AS c WHERE c.snapshot_lsn <> 0
			AND (m.epoch, m.commit_lsn) >= (c.epoch, c.snapshot_lsn))
	ORDER BY updated_at LIMIT $2 FOR UPDATE OF m SKIP LOCKED)
	DELETE FROM ghl_sync_mappings AS gone USING settled WHERE gone.sentra_event_id = settled.sentra_event_id`

const pruneAttemptsSQL = `WITH old AS MATERIALIZED (
	SELECT id FROM delivery_attempts WHERE started_at < $1 ORDER BY started_at LIMIT $2 FOR UPDATE SKIP LOCKED)
	DELETE FROM delivery_attempts AS gone USING old WHERE gone.id = old.id`

// Prune implements state.DeliveryTx. Settled tombstones are counted nowhere, so
// the counts stay.
func (t *tx) Prune(ctx context.Context, tombstones, attempts time.Time, limit int) (int, error) {
	rows, err := t.exec(ctx, "prune tombstones", pruneTombstonesSQL, tombstones, limit)
	if err != nil {
		return 0, err
	}
	lines, err := t.exec(ctx, "prune the audit", pruneAttemptsSQL, attempts, limit)
	return int(rows + lines), err
}
