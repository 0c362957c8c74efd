package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"ghlsync/state"
)

// errEnded is what a Tx answers after Commit or Rollback.
var errEnded = errors.New("the transaction has ended")

// tx is the one open transaction. The first error of a statement that writes
// spoils it: SQLite may have rolled back by itself, and whatever came next would
// be stored on its own.
type tx struct {
	s     *Store
	conn  *sql.Conn
	err   error // set: nothing can be done but to roll back
	ended bool

	moved       state.Counts // the differences of all rows saved
	bytes       int64        // saved, roughly
	lastAttempt time.Time
}

// Begin implements state.Store: it waits for the transaction that is open.
func (s *Store) Begin(ctx context.Context) (state.Tx, error) {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return nil, s.fail("wait for the state's writer", err)
	}
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		// If ctx ended at the wrong moment, the transaction has begun all the same.
		return nil, errors.Join(s.fail("begin", err), s.discard(conn))
	}
	return &tx{s: s, conn: conn}, nil
}

// Commit implements state.Tx. From here on the outcome must be known, so the
// context only counts before.
func (t *tx) Commit(ctx context.Context) error {
	if t.ended {
		return errEnded
	}
	err := t.err
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = t.writeCounts()
	}
	if err == nil {
		_, err = t.conn.ExecContext(context.Background(), "COMMIT")
	}
	if err != nil {
		return errors.Join(t.s.fail("commit", err), t.Rollback())
	}
	t.s.copier.wrote(t.bytes)
	return t.end()
}

// Rollback implements state.Tx.
func (t *tx) Rollback() error {
	if t.ended {
		return nil
	}
	_, err := t.conn.ExecContext(context.Background(), "ROLLBACK")
	if err == nil {
		return t.end()
	}
	// SQLite has rolled back already, or cannot: without its connection the
	// transaction is gone in either case.
	t.ended = true
	return t.s.fail("roll back", t.s.discard(t.conn))
}

// discard closes the writer's connection, and gives up what was begun on it. The
// next Tx opens another.
func (s *Store) discard(conn *sql.Conn) error {
	dropped := s.save.drop(conn)
	bad := conn.Raw(func(any) error { return driver.ErrBadConn })
	if errors.Is(bad, driver.ErrBadConn) {
		bad = nil
	}
	return errors.Join(dropped, bad)
}

func (t *tx) end() error {
	t.ended = true
	return t.conn.Close()
}

// wrote is the end of every statement that writes.
func (t *tx) wrote(doing string, err error) error {
	if err != nil && t.err == nil {
		t.err = t.s.fail(doing, err)
	}
	return t.err
}

// usable says whether anything may still be done.
func (t *tx) usable(ctx context.Context) error {
	if t.ended {
		return errEnded
	}
	if t.err != nil {
		return t.err
	}
	return ctx.Err()
}

// exec runs a statement to its end: an interrupted one would roll everything
// back behind the caller's back.
func (t *tx) exec(ctx context.Context, doing, query string, args ...any) (int64, error) {
	if err := t.usable(ctx); err != nil {
		return 0, err
	}
	res, err := t.conn.ExecContext(context.WithoutCancel(ctx), query, args...)
	if err != nil {
		return 0, t.wrote(doing, err)
	}
	n, err := res.RowsAffected()
	return n, t.wrote(doing, err)
}

// read returns whole rows. A failed read spoils nothing.
func (t *tx) read(ctx context.Context, doing, query string, args ...any) ([]*state.Mapping, error) {
	if err := t.usable(ctx); err != nil {
		return nil, err
	}
	rows, err := mappings(ctx, t.conn, query, args...)
	return rows, t.s.fail(doing, err)
}

const loadSQL = `SELECT %s FROM json_each(?) AS wanted_ids
	CROSS JOIN ghl_sync_mappings ON sentra_event_id = wanted_ids.value`

// Load implements state.Tx.
func (t *tx) Load(ctx context.Context, ids []state.EventID) (map[state.EventID]*state.Mapping, error) {
	data, err := json.Marshal(ids)
	if err != nil {
		return nil, fmt.Errorf("encode event ids: %w", err)
	}
	rows, err := t.read(ctx, "load mappings", fmt.Sprintf(loadSQL, columnList), string(data))
	if err != nil {
		return nil, err
	}
	known := make(map[state.EventID]*state.Mapping, len(rows))
	for _, m := range rows {
		known[m.ID] = m
	}
	return known, nil
}

// Page implements state.Tx.
func (t *tx) Page(ctx context.Context, f state.Filter, after state.EventID, limit int) ([]*state.Mapping, error) {
	if err := t.usable(ctx); err != nil {
		return nil, err
	}
	rows, err := list(ctx, t.conn, f, after, limit)
	return rows, t.s.fail("page mappings", err)
}

// Save implements state.Tx.
func (t *tx) Save(ctx context.Context, rows ...*state.Mapping) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	if err := t.s.save.rows(ctx, t.conn, rows); err != nil {
		return t.wrote("save mappings", err)
	}
	for _, m := range rows {
		t.bytes += rowBytes + int64(len(m.Payload))
		class := m.Class()
		t.moved.Move(m.Stored(), class)
		m.SetStored(class)
		t.attempted(m.LastAttempt)
	}
	return nil
}

// rowBytes is about what a row takes beside its payload, in table and indexes.
const rowBytes = 300

// Attempted implements state.DeliveryTx.
func (t *tx) Attempted(ctx context.Context, at time.Time) error {
	err := t.usable(ctx)
	if err == nil {
		t.attempted(at)
	}
	return err
}

func (t *tx) attempted(at time.Time) {
	if at.After(t.lastAttempt) {
		t.lastAttempt = at
	}
}

// writeCounts brings the one row of counts up to date, once for the whole
// transaction.
func (t *tx) writeCounts() error {
	if t.moved == (state.Counts{}) && t.lastAttempt.IsZero() {
		return nil
	}
	c := t.moved
	_, err := t.conn.ExecContext(context.Background(), `UPDATE sync_counts SET
		synced = synced + $1, pending = pending + $2, failed = failed + $3, held = held + $4, assumed = assumed + $5,
		last_attempt_at = nullif(max(coalesce(last_attempt_at, $7), coalesce($6, $7)), $7)`,
		c.Synced, c.Pending, c.Failed, c.Held, c.Assumed, fromTime(t.lastAttempt), int64(math.MinInt64))
	return err
}
