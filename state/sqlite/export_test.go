package sqlite

import (
	"context"
	"errors"
	"fmt"
)

// LimitPages stands in for a full disk: the writer's file may not grow further.
func LimitPages(ctx context.Context, s *Store, pages int) error {
	_, err := s.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
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
