package slotinfo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ghlsync/internal/admin"
)

// Bounds of a question.
const (
	Timeout = 3 * time.Second
	Keep    = 3 * time.Second
)

// Reader asks about one slot.
type Reader struct {
	url  string
	slot string
	now  func() time.Time

	mu     sync.Mutex // held while asking: those who come meanwhile share the answer
	asked  time.Time
	answer *admin.Slot
	err    error
}

// New makes a Reader; url is SENTRA_DATABASE_URL. It connects to nothing.
func New(url, slot string) *Reader { return &Reader{url: url, slot: slot, now: time.Now} }

// Slot returns nil if there is no such slot. It is admin.SlotSource's.
func (r *Reader) Slot(ctx context.Context) (*admin.Slot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.asked.IsZero() && r.now().Sub(r.asked) < Keep {
		return r.answer, r.err
	}
	answer, err := r.ask(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err() // says nothing about the server: others ask anew
	}
	r.answer, r.err, r.asked = answer, err, r.now()
	return answer, err
}

// slotQuery computes sizes on the server, against the end of what it has
// written; a standby writes nothing, so there it is what was received.
const slotQuery = `
WITH wal AS (
	SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END AS now
)
SELECT slot_name, active, wal_status, confirmed_flush_lsn::text, restart_lsn::text,
       greatest(pg_wal_lsn_diff(now, restart_lsn), 0)::bigint, safe_wal_size,
       greatest(pg_wal_lsn_diff(now, confirmed_flush_lsn), 0)::bigint
FROM pg_replication_slots, wal
WHERE slot_name = $1`

func (r *Reader) ask(ctx context.Context) (_ *admin.Slot, err error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	config, err := pgx.ParseConfig(r.url)
	if err != nil {
		return nil, errors.New("SENTRA_DATABASE_URL cannot be read")
	}
	config.RuntimeParams["application_name"] = "ghlsync status"
	// Timeout bounds the question, whatever database or role are set to.
	config.RuntimeParams["statement_timeout"] = "0"
	// No statement is prepared, so that a pooler in between does not matter.
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("the source is not reachable: %w", plain(err))
	}
	defer func() {
		// What was asked is answered; the server notices that we are gone.
		_ = conn.Close(context.WithoutCancel(ctx))
	}()
	var s admin.Slot
	err = conn.QueryRow(ctx, slotQuery, r.slot).Scan(&s.Name, &s.Active, &s.WALStatus,
		&s.ConfirmedFlushLSN, &s.RestartLSN, &s.RetainedWALBytes, &s.SafeWALSize, &s.LagBytes)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the slot: %w", plain(err))
	}
	return &s, nil
}

// plain reduces an error of pgx, which names user, database and host, to what
// happened.
func plain(err error) error {
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("the server says SQLSTATE %s", refused.Code)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer within %s", Timeout)
	default:
		return errors.New("no connection")
	}
}
