package sqlite

import (
	"context"
	"fmt"
)

// LimitPages stands in for a full disk: the writer's file may not grow further.
func LimitPages(ctx context.Context, s *Store, pages int) error {
	_, err := s.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA max_page_count = %d", pages))
	return err
}
