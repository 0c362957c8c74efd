package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"ghlsync/state"
)

// Reader reads the state as it was last committed, whoever writes. It is safe
// for concurrent use.
type Reader struct {
	pool *pgxpool.Pool
}

var _ state.Reader = (*Reader)(nil)

// Close ends the reader's connections.
func (r *Reader) Close() error {
	r.pool.Close()
	return nil
}

// queryer is what reads within a Tx and outside of one share.
type queryer interface {
	Query(ctx context.Context, query string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) pgx.Row
}

// Checkpoint implements state.Reader.
func (r *Reader) Checkpoint(ctx context.Context, slot string) (*state.Checkpoint, error) {
	c, err := checkpoint(ctx, r.pool, slot)
	return c, failing(ctx, "read the checkpoint", err)
}

// Get implements state.Reader.
func (r *Reader) Get(ctx context.Context, id state.EventID) (*state.Mapping, error) {
	rows, err := mappings(ctx, r.pool, "SELECT "+columnList+" FROM ghl_sync_mappings WHERE sentra_event_id = $1", storable(string(id)))
	if err != nil {
		return nil, failing(ctx, "read a mapping", err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: %q", state.ErrNotFound, id)
	}
	return rows[0], nil
}

// List implements state.Reader.
func (r *Reader) List(ctx context.Context, f state.Filter, after state.EventID, limit int) ([]*state.Mapping, error) {
	query, args := listSQL(f, after, "", limit)
	rows, err := mappings(ctx, r.pool, query, args...)
	return rows, failing(ctx, "list mappings", err)
}

// Counts implements state.Reader.
func (r *Reader) Counts(ctx context.Context) (c state.Counts, err error) {
	err = r.pool.QueryRow(ctx, `SELECT sum(synced + pending + failed)::bigint, sum(synced)::bigint, sum(pending)::bigint,
		sum(failed)::bigint, sum(held)::bigint, sum(assumed)::bigint FROM sync_counts`).
		Scan(&c.Total, &c.Synced, &c.Pending, &c.Failed, &c.Held, &c.Assumed)
	return c, failing(ctx, "read the counts", err)
}

// LastAttempt implements state.Reader. It is kept beside the counts and outlives
// the audit lines.
func (r *Reader) LastAttempt(ctx context.Context) (time.Time, error) {
	var at *time.Time
	err := r.pool.QueryRow(ctx, "SELECT max(last_attempt_at) FROM sync_counts").Scan(&at)
	return moment(at), failing(ctx, "read the last attempt", err)
}

// PausedAt implements state.Reader.
func (r *Reader) PausedAt(ctx context.Context) (time.Time, error) {
	var at *time.Time
	err := r.pool.QueryRow(ctx, "SELECT max(paused_at) FROM delivery_pause").Scan(&at)
	return moment(at), failing(ctx, "read whether delivery is paused", err)
}

// Attempts implements state.Reader.
func (r *Reader) Attempts(ctx context.Context, id state.EventID, limit int) ([]state.Attempt, error) {
	a, err := attempts(ctx, r.pool, id, limit)
	return a, failing(ctx, "read the audit", err)
}

// mappings reads whole rows.
func mappings(ctx context.Context, q queryer, query string, args ...any) ([]*state.Mapping, error) {
	rows, err := q.Query(ctx, query, append([]any{pgx.QueryResultFormats(binaryFormat)}, args...)...)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, readRow)
	if len(all) == 0 {
		return nil, err
	}
	return all, err
}

// moment is a zero time for NULL.
func moment(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return at.UTC()
}

// failing is fail for what was done under a context: its end counts as the cause,
// in whatever form that came back.
func failing(ctx context.Context, doing string, err error) error {
	if err != nil && ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	return fail(doing, err)
}

// fail makes the server's findings of corruption an error that callers branch on.
func fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	var e *pgconn.PgError
	if errors.As(err, &e) && (e.Code == "XX001" || e.Code == "XX002") {
		return fmt.Errorf("%s: %w: %w; restore the database of STATE_URL from a backup", doing, state.ErrCorrupt, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
