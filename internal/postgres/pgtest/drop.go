package pgtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// drop removes the database with all that would keep it: DROP DATABASE … FORCE cuts ordinary connections, but fails
// over a slot or a prepared transaction.
func (db *DB) drop(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, db.Server.URL("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is left to flush
	if err := db.rollbackPrepared(ctx, conn); err != nil {
		return err
	}
	if err := db.dropSlots(ctx, conn); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "drop database if exists "+db.Name+" with (force)")
	return err
}

// rollbackPrepared ends prepared transactions, which only a connection to their own database may.
func (db *DB) rollbackPrepared(ctx context.Context, conn *pgx.Conn) error {
	statements, err := column(ctx, conn, `select format('rollback prepared %L', gid) from pg_prepared_xacts where database = $1`, db.Name)
	if err != nil {
		return fmt.Errorf("list prepared transactions: %w", err)
	}
	for _, statement := range statements {
		if err := execOn(ctx, db.URL, statement); err != nil {
			return err
		}
	}
	return nil
}

// dropSlots takes the slots from their holders until none is left: a capturer that the test leaves to the end of the
// process may come back between the two statements.
func (db *DB) dropSlots(ctx context.Context, conn *pgx.Conn) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for {
		_, err := conn.Exec(ctx, `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`, db.Name)
		if err != nil {
			return fmt.Errorf("cut connections: %w", err)
		}
		_, dropErr := conn.Exec(ctx, `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1 and not active`, db.Name)
		left, err := column(ctx, conn, `select slot_name from pg_replication_slots where database = $1`, db.Name)
		if err != nil {
			return fmt.Errorf("list slots: %w", err)
		}
		if len(left) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("slots %v are still held: %w", left, errors.Join(dropErr, ctx.Err()))
		case <-poll.C:
		}
	}
}

func column(ctx context.Context, conn *pgx.Conn, sql string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
