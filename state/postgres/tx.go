package postgres

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"ghlsync/state"
)

const (
	// commitTimeout is how long a commit may take. What it came to is not known when
	// it takes longer, as when the connection is lost.
	commitTimeout = 30 * time.Second
	// rollbackTimeout is how long the server may take over a rollback before the
	// connection is closed instead, which comes to the same.
	rollbackTimeout = 5 * time.Second

	countRows = 16 // of sync_counts
)

// errEnded is what a Tx answers after Commit or Rollback.
var errEnded = errors.New("the transaction has ended")

// tx is a transaction on a connection of its own. The first error spoils it, as it
// does for the server.
type tx struct {
	conn   *pgxpool.Conn
	shared bool  // others of its kind are open beside it
	err    error // set: nothing can be done but to roll back
	ended  bool

	absent      map[state.EventID]struct{} // what the last Load did not find, where that stays so
	moved       state.Counts               // the differences of all rows saved
	lastAttempt time.Time
}

// Begin implements state.Store: it waits until no other transaction is open.
func (s *Store) Begin(ctx context.Context) (state.Tx, error) {
	return s.begin(ctx, "pg_advisory_xact_lock", false)
}

// Delivery is the store as those use it who deliver: their transactions are open
// beside each other, and wait for, and keep waiting, those of [Store.Begin] alone.
// They change rows and add none.
func (s *Store) Delivery() state.Store { return delivery{s} }

type delivery struct{ *Store }

func (d delivery) Begin(ctx context.Context) (state.Tx, error) {
	return d.begin(ctx, "pg_advisory_xact_lock_shared", true)
}

// begin asks for the clock last, which is old else when the lock was waited for.
func (s *Store) begin(ctx context.Context, lock string, shared bool) (state.Tx, error) {
	conn, err := s.writers.Acquire(ctx)
	if err != nil {
		return nil, failing(ctx, "connect to the state", err)
	}
	t := &tx{conn: conn, shared: shared}
	results, err := conn.Conn().PgConn().Exec(ctx, fmt.Sprintf(`BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
		SELECT %s(%d, %d); SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint`, lock, lockSpace, lockWriters)).ReadAll()
	var now int64
	if err == nil {
		now, err = strconv.ParseInt(string(results[len(results)-1].Rows[0][0]), 10, 64)
	}
	if err != nil {
		return nil, errors.Join(failing(ctx, "begin", err), t.Rollback())
	}
	s.setClock(now)
	return t, nil
}

// Commit implements state.Tx. From here on the outcome should be known, so the
// context only counts before.
func (t *tx) Commit(ctx context.Context) error {
	if t.ended {
		return errEnded
	}
	if err := t.usable(ctx); err != nil {
		return errors.Join(fail("commit", err), t.Rollback())
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := t.commit(ctx); err != nil {
		return errors.Join(fail("commit", err), t.Rollback())
	}
	t.end()
	return nil
}

// commit brings the counts up to date last, in the same round trip: their row is
// locked no longer than the commit takes.
func (t *tx) commit(ctx context.Context) error {
	var b pgx.Batch
	if c := t.moved; c != (state.Counts{}) || !t.lastAttempt.IsZero() {
		b.Queue(`UPDATE sync_counts SET synced = synced + $1, pending = pending + $2, failed = failed + $3,
			held = held + $4, assumed = assumed + $5, last_attempt_at = greatest(last_attempt_at, $6) WHERE id = $7`,
			c.Synced, c.Pending, c.Failed, c.Held, c.Assumed, orNull(t.lastAttempt), rand.IntN(countRows))
	}
	var ended string
	b.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		ended = tag.String()
		return nil
	})
	if err := t.conn.SendBatch(ctx, &b).Close(); err != nil {
		return err
	}
	if ended != "COMMIT" {
		return fmt.Errorf("the server answers %s", ended)
	}
	return nil
}

// Rollback implements state.Tx. Without its connection a transaction is gone as
// well, at the latest when the server notices.
func (t *tx) Rollback() error {
	if t.ended {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), rollbackTimeout)
	defer cancel()
	if conn := t.conn.Conn(); !conn.IsClosed() && conn.PgConn().TxStatus() != 'I' {
		if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
			_ = conn.Close(ctx) // that it is of no use is known
		}
	}
	t.end()
	return nil
}

func (t *tx) end() {
	t.ended = true
	t.conn.Release()
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

// done is the end of every statement.
func (t *tx) done(ctx context.Context, doing string, err error) error {
	if err != nil && t.err == nil {
		t.err = failing(ctx, doing, err)
	}
	return t.err
}

func (t *tx) exec(ctx context.Context, doing, query string, args ...any) (int64, error) {
	if err := t.usable(ctx); err != nil {
		return 0, err
	}
	tag, err := t.conn.Exec(ctx, query, args...)
	return tag.RowsAffected(), t.done(ctx, doing, err)
}

// read returns whole rows.
func (t *tx) read(ctx context.Context, doing, query string, args ...any) ([]*state.Mapping, error) {
	if err := t.usable(ctx); err != nil {
		return nil, err
	}
	rows, err := mappings(ctx, t.conn, query, args...)
	return rows, t.done(ctx, doing, err)
}

// lock is what ends a query for rows that the Tx may change. Deliveries lock them
// against each other; any other Tx is alone.
func (t *tx) lock(how string) string {
	if t.shared {
		return " FOR UPDATE" + how
	}
	return ""
}

// Load implements state.Tx. Deliveries lock rows in the order of their ids, so that
// two that want the same do not wait for each other.
func (t *tx) Load(ctx context.Context, ids []state.EventID) (map[state.EventID]*state.Mapping, error) {
	query := "SELECT " + columnList + " FROM ghl_sync_mappings WHERE sentra_event_id = ANY($1)"
	if t.shared {
		query += " ORDER BY sentra_event_id" + t.lock("")
	}
	rows, err := t.read(ctx, "load mappings", query, storables(ids))
	if err != nil {
		return nil, err
	}
	known := make(map[state.EventID]*state.Mapping, len(rows))
	for _, m := range rows {
		known[m.ID] = m
	}
	t.remember(ids, known)
	return known, nil
}

func (t *tx) remember(ids []state.EventID, known map[state.EventID]*state.Mapping) {
	if t.shared {
		return
	}
	t.absent = make(map[state.EventID]struct{}, len(ids)-len(known))
	for _, id := range ids {
		if known[id] == nil {
			t.absent[id] = struct{}{}
		}
	}
}

// Page implements state.Tx.
func (t *tx) Page(ctx context.Context, f state.Filter, after state.EventID, limit int) ([]*state.Mapping, error) {
	query, args := listSQL(f, after, "", limit)
	return t.read(ctx, "page mappings", query+t.lock(""), args...)
}

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

// orNull is the time, or NULL for none.
func orNull(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
