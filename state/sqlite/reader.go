package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"ghlsync/state"
)

// Reader reads the state as it was last committed, whoever writes. It is safe
// for concurrent use.
type Reader struct {
	path string
	db   *sql.DB
}

var _ state.Reader = (*Reader)(nil)

// Close ends the reader's connections.
func (r *Reader) Close() error { return r.db.Close() }

// queryer is what reads within a Tx and outside of one share.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Checkpoint implements state.Reader.
func (r *Reader) Checkpoint(ctx context.Context, slot string) (*state.Checkpoint, error) {
	c, err := checkpoint(ctx, r.db, slot)
	return c, r.fail("read the checkpoint", err)
}

// Get implements state.Reader.
func (r *Reader) Get(ctx context.Context, id state.EventID) (*state.Mapping, error) {
	rows, err := mappings(ctx, r.db, "SELECT "+columnList+" FROM ghl_sync_mappings WHERE sentra_event_id = ?", string(id))
	if err != nil {
		return nil, r.fail("read a mapping", err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: %q", state.ErrNotFound, id)
	}
	return rows[0], nil
}

// List implements state.Reader.
func (r *Reader) List(ctx context.Context, f state.Filter, after state.EventID, limit int) ([]*state.Mapping, error) {
	rows, err := list(ctx, r.db, f, after, limit)
	return rows, r.fail("list mappings", err)
}

// Counts implements state.Reader.
func (r *Reader) Counts(ctx context.Context) (state.Counts, error) {
	var c state.Counts
	err := r.db.QueryRowContext(ctx,
		"SELECT synced + pending + failed, synced, pending, failed, held, assumed FROM sync_counts").
		Scan(&c.Total, &c.Synced, &c.Pending, &c.Failed, &c.Held, &c.Assumed)
	return c, r.fail("read the counts", err)
}

// LastAttempt implements state.Reader. It is kept beside the counts and outlives
// the audit lines.
func (r *Reader) LastAttempt(ctx context.Context) (time.Time, error) {
	var us sql.NullInt64
	err := r.db.QueryRowContext(ctx, "SELECT last_attempt_at FROM sync_counts").Scan(&us)
	return toTime(us), r.fail("read the last attempt", err)
}

// PausedAt implements state.Reader.
func (r *Reader) PausedAt(ctx context.Context) (time.Time, error) {
	var us sql.NullInt64
	err := r.db.QueryRowContext(ctx, "SELECT max(paused_at) FROM delivery_pause").Scan(&us)
	return toTime(us), r.fail("read whether delivery is paused", err)
}

// Attempts implements state.Reader.
func (r *Reader) Attempts(ctx context.Context, id state.EventID, limit int) ([]state.Attempt, error) {
	a, err := attempts(ctx, r.db, id, limit)
	return a, r.fail("read the audit", err)
}

func (r *Reader) fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	return damaged(r.path, fmt.Errorf("%s: %w", doing, err))
}

// mappings reads whole rows.
func mappings(ctx context.Context, q queryer, query string, args ...any) (_ []*state.Mapping, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var out []*state.Mapping
	s := newScanner()
	for rows.Next() {
		m, err := s.row(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}
