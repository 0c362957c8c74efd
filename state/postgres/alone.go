package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"ghlsync/state"
)

// Who has the state open is told by an advisory lock: each connection that may write
// holds it shared until it ends, and who is alone holds it alone. The server drops
// it with the connection, as the kernel does a file's.

// markOpen is done by each connection that may write.
func markOpen(ctx context.Context, conn *pgx.Conn) error {
	var free bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock_shared($1, $2)", lockSpace, lockOpen).Scan(&free); err != nil {
		return fail("mark the state as open", err)
	}
	if !free {
		return fmt.Errorf("%w: all of it is being written; try again when that is over", state.ErrLocked)
	}
	return nil
}

// keepOthersOut holds the lock on a connection of its own, where that is asked for.
func (s *Store) keepOthersOut(ctx context.Context, o Options) (err error) {
	if !o.Alone {
		return nil
	}
	if s.alone, err = pgx.ConnectConfig(ctx, s.writers.Config().ConnConfig); err != nil {
		return failing(ctx, "connect to the state", err)
	}
	var free bool
	if err := s.alone.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", lockSpace, lockOpen).Scan(&free); err != nil {
		return failing(ctx, "ask who has the state open", err)
	}
	if !free {
		return fmt.Errorf("%w: a daemon has the state of STATE_URL open; stop all that do", state.ErrLocked)
	}
	return nil
}
