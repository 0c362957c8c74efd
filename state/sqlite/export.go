package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"ghlsync/state"
)

var _ state.Exporter = (*Reader)(nil)

// Export implements state.Exporter. All of it is one read transaction, beside which
// a daemon goes on to write; the WAL does not start over meanwhile. It has a
// connection of its own, which never takes the file for one that does not change:
// a daemon may start before a long export is over.
func (r *Reader) Export(ctx context.Context, each func(state.Content) error) (err error) {
	db := openDB(dsn(r.path, "mode=ro", fmt.Sprintf("busy_timeout(%d)", Options{}.busyMillis()),
		fmt.Sprintf("cache_size(-%d)", readerCache), "query_only(true)"), 1)
	defer func() { err = errors.Join(err, r.fail("close the export", db.Close())) }()
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return r.fail("begin to export", err)
	}
	defer tx.Rollback() //nolint:errcheck // it has changed nothing
	for _, export := range []func(context.Context, *sql.Tx, func(state.Content) error) error{
		exportCheckpoints, exportDelivery, exportRetired, exportMappings, exportAttempts,
	} {
		if err := export(ctx, tx, each); err != nil {
			return r.fail("export", err)
		}
	}
	return nil
}

// eachRow runs a query and has read turn each row into a content.
func eachRow(ctx context.Context, tx *sql.Tx, each func(state.Content) error, query string,
	read func(*sql.Rows) (state.Content, error),
) (err error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
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

func exportCheckpoints(ctx context.Context, tx *sql.Tx, each func(state.Content) error) error {
	return eachRow(ctx, tx, each, "SELECT "+checkpointColumns+" FROM replication_checkpoints ORDER BY slot",
		func(rows *sql.Rows) (state.Content, error) {
			c, err := scanCheckpoint(rows)
			return state.Content{Checkpoint: c}, err
		})
}

func exportDelivery(ctx context.Context, tx *sql.Tx, each func(state.Content) error) error {
	return eachRow(ctx, tx, each, "SELECT (SELECT max(paused_at) FROM delivery_pause), (SELECT last_attempt_at FROM sync_counts)",
		func(rows *sql.Rows) (state.Content, error) {
			var paused, last sql.NullInt64
			err := rows.Scan(&paused, &last)
			return state.Content{Delivery: &state.Delivery{PausedAt: toTime(paused), LastAttempt: toTime(last)}}, err
		})
}

func exportRetired(ctx context.Context, tx *sql.Tx, each func(state.Content) error) error {
	return eachRow(ctx, tx, each, "SELECT ghl_appointment_id, sentra_event_id, retired_at FROM retired_appointments ORDER BY ghl_appointment_id",
		func(rows *sql.Rows) (state.Content, error) {
			r := &state.Retired{}
			var at int64
			err := rows.Scan(&r.AppointmentID, &r.EventID, &at)
			r.At = time.UnixMicro(at).UTC()
			return state.Content{Retired: r}, err
		})
}

func exportMappings(ctx context.Context, tx *sql.Tx, each func(state.Content) error) error {
	s := newScanner()
	return eachRow(ctx, tx, each, "SELECT "+columnList+" FROM ghl_sync_mappings ORDER BY sentra_event_id",
		func(rows *sql.Rows) (state.Content, error) {
			m, err := s.row(rows)
			return state.Content{Mapping: m}, err
		})
}

func exportAttempts(ctx context.Context, tx *sql.Tx, each func(state.Content) error) error {
	return eachRow(ctx, tx, each, "SELECT "+attemptColumns+" FROM delivery_attempts ORDER BY id",
		func(rows *sql.Rows) (state.Content, error) {
			a, err := scanAttempt(rows)
			return state.Content{Attempt: &a}, err
		})
}
