package operate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pause tells how delivery as a whole stands by an operator's word.
type Pause struct {
	Paused  bool       `json:"paused"`
	Since   *time.Time `json:"since"`   // null while it is not paused
	Changed bool       `json:"changed"` // false: it was so before
}

// SetPaused pauses delivery, or lets it go on. It is durable when it returns, and
// the running delivery has obeyed: capture goes on, calls in flight end, and no
// further one leaves while it is paused, also after a restart. A crash in between
// leaves either the old word or the new one.
func (o *Operator) SetPaused(ctx context.Context, pause bool) (p Pause, err error) {
	if p, err = o.write(ctx, pause); err != nil {
		return p, err
	}
	// Also where nothing changed: the word may have been written by a command that
	// the daemon did not hear of. No transaction is open: delivery may be waiting for
	// its turn to write, and hears nothing meanwhile.
	if err := o.hold(ctx, pause); err != nil {
		return p, fmt.Errorf("tell delivery: %w", err)
	}
	return p, nil
}

// write keeps the operator's word.
func (o *Operator) write(ctx context.Context, pause bool) (p Pause, err error) {
	tx, err := o.store.Begin(ctx)
	if err != nil {
		return p, fmt.Errorf("begin: %w", err)
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }() // after a commit it does nothing
	// Read while nobody else writes.
	since, err := o.store.PausedAt(ctx)
	if err != nil {
		return p, err
	}
	if p.Changed = pause == since.IsZero(); p.Changed {
		since = time.Time{}
		if pause {
			since = o.now()
		}
		if err := tx.SetPaused(ctx, since); err != nil {
			return p, err
		}
		if err := tx.Commit(ctx); err != nil {
			return p, fmt.Errorf("commit: %w", err)
		}
	}
	p.Paused = pause
	if pause {
		p.Since = &since
	}
	return p, nil
}
