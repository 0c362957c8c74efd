package deliver

import (
	"context"
	"fmt"
	"time"
)

// How long things are kept that nothing needs any more, and how they are pruned:
// hourly, in bites small enough not to hold the store's writer up.
const (
	keepTombstones = 24 * time.Hour
	keepAttempts   = 30 * 24 * time.Hour
	pruneEvery     = time.Hour
	pruneBite      = 500
	pruneNextBite  = 100 * time.Millisecond
)

// prune takes one bite. A full one means that there is more.
func (b *books) prune(ctx context.Context) error {
	tx, err := b.o.Store.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin pruning: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing, and else an error came before
	now := b.now()
	n, err := tx.Prune(ctx, now.Add(-keepTombstones), now.Add(-keepAttempts), pruneBite)
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	if n > 0 {
		if err := tx.Commit(ctx); err != nil {
			return fmt.Errorf("commit pruning: %w", err)
		}
	}
	b.pruneAt = now.Add(pruneEvery)
	if n >= pruneBite {
		b.pruneAt = now.Add(pruneNextBite)
	}
	return nil
}
