package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/state"
)

var _ state.Exporter = (*Reader)(nil)

// Export implements state.Exporter. All of it is one transaction of REPEATABLE READ;
// the server keeps old row versions for it meanwhile.
func (r *Reader) Export(ctx context.Context, each func(state.Content) error) error {
	tx, err := r.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return failing(ctx, "begin to export", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // it has changed nothing
	for _, export := range []func(context.Context, pgx.Tx, func(state.Content) error) error{
		exportCheckpoints, exportDelivery, exportRetired, exportMappings, exportAttempts,
	} {
		if err := export(ctx, tx, each); err != nil {
			return failing(ctx, "export", err)
		}
	}
	return nil
}

// eachRow runs a query and has read turn each row, as it comes, into a content.
func eachRow(ctx context.Context, tx pgx.Tx, each func(state.Content) error, query string,
	read func(pgx.CollectableRow) (state.Content, error), args ...any,
) error {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		c, err := read(rows)
		if err != nil {
			return err
		}
		if err := each(c); err != nil {
			return err
		}
	}
	return rows.Err()
}

func exportCheckpoints(ctx context.Context, tx pgx.Tx, each func(state.Content) error) error {
	return eachRow(ctx, tx, each, "SELECT "+checkpointColumns+` FROM replication_checkpoints ORDER BY slot COLLATE "C"`,
		func(row pgx.CollectableRow) (state.Content, error) {
			c, err := readCheckpoint(row)
			return state.Content{Checkpoint: c}, err
		})
}

func exportDelivery(ctx context.Context, tx pgx.Tx, each func(state.Content) error) error {
	return eachRow(ctx, tx, each, "SELECT (SELECT max(paused_at) FROM delivery_pause), (SELECT max(last_attempt_at) FROM sync_counts)",
		func(row pgx.CollectableRow) (state.Content, error) {
			var paused, last *time.Time
			err := row.Scan(&paused, &last)
			return state.Content{Delivery: &state.Delivery{PausedAt: moment(paused), LastAttempt: moment(last)}}, err
		})
}

func exportRetired(ctx context.Context, tx pgx.Tx, each func(state.Content) error) error {
	return eachRow(ctx, tx, each, `SELECT ghl_appointment_id, sentra_event_id, retired_at FROM retired_appointments
		ORDER BY ghl_appointment_id COLLATE "C"`,
		func(row pgx.CollectableRow) (state.Content, error) {
			r := &state.Retired{}
			err := row.Scan(&r.AppointmentID, &r.EventID, &r.At)
			r.At = r.At.UTC()
			return state.Content{Retired: r}, err
		})
}

func exportMappings(ctx context.Context, tx pgx.Tx, each func(state.Content) error) error {
	return eachRow(ctx, tx, each, "SELECT "+columnList+" FROM ghl_sync_mappings ORDER BY sentra_event_id",
		func(row pgx.CollectableRow) (state.Content, error) {
			m, err := readRow(row)
			return state.Content{Mapping: m}, err
		}, pgx.QueryResultFormats(binaryFormat))
}

func exportAttempts(ctx context.Context, tx pgx.Tx, each func(state.Content) error) error {
	return eachRow(ctx, tx, each, "SELECT "+attemptColumns+" FROM delivery_attempts ORDER BY id",
		func(row pgx.CollectableRow) (state.Content, error) {
			a, err := readAttempt(row)
			return state.Content{Attempt: &a}, err
		})
}
