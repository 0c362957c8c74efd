package sqlite

import (
	"context"
	"errors"
	"fmt"

	"ghlsync/state"
)

// LimitPages stands in for a full disk: the writer's file may not grow further.
func LimitPages(ctx context.Context, s *Store, pages int) error {
	return Execute(ctx, s, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
}

// Execute runs a statement on the writer's connection, outside of a Tx.
func Execute(ctx context.Context, s *Store, query string) error {
	_, err := s.writer.ExecContext(ctx, query)
	return err
}

// Synchronous is SQLite's setting on the connections that write: 2 is FULL.
func Synchronous(ctx context.Context, s *Store) (writer, copier int, err error) {
	const query = "PRAGMA synchronous"
	err = errors.Join(
		s.writer.QueryRowContext(ctx, query).Scan(&writer),
		s.copier.db.QueryRowContext(ctx, query).Scan(&copier),
	)
	return writer, copier, err
}

// LeaveBegun gives the writer's connection back within a transaction, as a BEGIN
// does whose context ends at the wrong moment.
func LeaveBegun(ctx context.Context, s *Store) error {
	conn, err := s.writer.Conn(ctx)
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "BEGIN IMMEDIATE")
	return errors.Join(err, conn.Close())
}

// RollBackBehind ends a transaction as SQLite does by itself after some errors.
func RollBackBehind(ctx context.Context, open state.Tx) error {
	t, ok := open.(*tx)
	if !ok {
		return fmt.Errorf("a %T is not ours", open)
	}
	_, err := t.conn.ExecContext(ctx, "ROLLBACK")
	return err
}
