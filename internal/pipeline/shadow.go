package pipeline

import (
	"context"
	"errors"
	"fmt"

	"ghlsync/cdc"
	"ghlsync/state"
)

// Shadow captures as Run does on a first start, by a temporary slot and without
// making or changing anything in the source, until ctx is done. It ends with the
// first loss of a connection, since its slot is gone then.
func (c *Capture) Shadow(ctx context.Context) (err error) {
	src, err := cdc.Open(ctx, c.opts.Source)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		_ = src.Close(closing) // the server ends what it does not hear of again
	}()
	a := c.applier(src)
	if err := c.shadow(ctx, src, a); err != nil && ctx.Err() == nil {
		return errors.Join(err, a.discard())
	}
	return a.discard()
}

func (c *Capture) shadow(ctx context.Context, src *cdc.Source, a *Applier) error {
	if _, err := src.EnsurePublication(ctx); err != nil {
		return fmt.Errorf("shadow makes nothing in the source: %w", err)
	}
	facts, err := src.Inspect(ctx)
	if err != nil {
		return fmt.Errorf("inspect source: %w", err)
	}
	slot, err := src.CreateShadow(ctx)
	if err != nil {
		return err
	}
	next := c.identify(state.Checkpoint{Epoch: 1, LSN: slot.LSN}, facts)
	if err := c.snapshot(ctx, src, a, slot, nil, next); err != nil {
		return err
	}
	c.enter(Streaming, nil)
	return src.Stream(ctx, a.cp.LSN, a)
}
