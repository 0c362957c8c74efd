package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"ghlsync/cdc"
	"ghlsync/state"
)

// Errors of [Capture.Reconcile] and [Capture.Backfill].
var (
	// ErrBusy: there is one at a time.
	ErrBusy = errors.New("a reconcile or a backfill is running already")
	// ErrNotStreaming: there is no stream to reconcile beside.
	ErrNotStreaming = errors.New("a reconcile runs beside the stream, and capture does not stream")
	// ErrNothingCaptured: there is no baseline that could be compared.
	ErrNothingCaptured = errors.New("nothing has been captured yet: 'ghlsync run' takes the first snapshot")
)

// live is a session that streams, and who uses its source beside the stream.
type live struct {
	source snapshots
	beside *junction
	epoch  int64
	guests sync.WaitGroup
	// Under Capture.mu: the guest, of whom there is one at a time, and whether guests
	// were sent away.
	cancel context.CancelFunc
	ended  bool
}

var errSessionEnded = errors.New("capture lost its session with the source; what was mended up to there is right, so ask again when it streams")

// admit lets others use the session from now on. The function that it returns
// sends them away and waits until they are gone: the epoch changes only between
// sessions, so nobody compares across that.
func (c *Capture) admit(src *cdc.Source, a *Applier) (leave func()) {
	a.junction.reach(a.cp.LSN)
	l := &live{source: src, beside: &a.junction, epoch: a.cp.Epoch, cancel: func() {}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live = l
	return func() {
		c.mu.Lock()
		c.live, l.ended = nil, true
		l.cancel() // a guest merges nothing more
		c.mu.Unlock()
		l.guests.Wait()
	}
}

// enlist joins the session that streams, until leave is called. The returned
// context ends with the session too.
func (c *Capture) enlist(ctx context.Context) (_ context.Context, l *live, leave func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l = c.live
	if l == nil {
		phase := c.status.Phase
		if phase == Streaming {
			phase = Reconnecting // about to
		}
		return nil, nil, nil, fmt.Errorf("%w: it is %s", ErrNotStreaming, phase)
	}
	l.guests.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	l.cancel = cancel
	return ctx, l, func() { cancel(); l.guests.Done() }, nil
}

func (c *Capture) hasEnded(l *live) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return l.ended
}

// Reconcile compares Sentra with the state beside the running stream, and mends
// what differs. It may be called at any time: ErrBusy, ErrNotStreaming. If ctx or
// the session ends, what was mended up to there stays.
func (c *Capture) Reconcile(ctx context.Context, o ReconcileOptions) (Reconciliation, error) {
	if !c.work.TryLock() {
		return Reconciliation{}, ErrBusy
	}
	defer c.work.Unlock()
	ctx, l, leave, err := c.enlist(ctx)
	if err != nil {
		return Reconciliation{}, err
	}
	defer leave()
	report, err := c.reconcile(ctx, l.source, l.beside, l.epoch, o)
	if err != nil && c.hasEnded(l) {
		err = errSessionEnded // whatever broke, broke by that
	}
	return report, err
}

// ReconcileAlone does the same on a state whose daemon does not run, with a
// session of its own. What the slot still holds for the daemon counts as a
// difference, and is found to be mended when the daemon gets to it: rows are at
// the consistent point then, and the checkpoint stays where it is.
func (c *Capture) ReconcileAlone(ctx context.Context, o ReconcileOptions) (Reconciliation, error) {
	if !c.work.TryLock() {
		return Reconciliation{}, ErrBusy
	}
	defer c.work.Unlock()
	cp, err := c.opts.Store.Checkpoint(ctx, c.opts.Source.Slot)
	if err != nil {
		return Reconciliation{}, fmt.Errorf("read checkpoint: %w", err)
	}
	if cp == nil || cp.Baseline.IsZero() {
		return Reconciliation{}, ErrNothingCaptured
	}
	src, err := cdc.Open(ctx, c.opts.Source)
	if err != nil {
		return Reconciliation{}, err
	}
	defer farewell(ctx, src)
	if err := c.continuous(ctx, src, cp); err != nil {
		return Reconciliation{}, err
	}
	return c.reconcile(ctx, src, nil, cp.Epoch, o)
}

// continuous makes sure that the source's positions compare with the state's.
func (c *Capture) continuous(ctx context.Context, src *cdc.Source, cp *state.Checkpoint) error {
	facts, err := src.Inspect(ctx)
	if err != nil {
		return fmt.Errorf("inspect source: %w", err)
	}
	switch v := cdc.Judge(PriorOf(cp), facts, c.opts.Source); v.Action {
	case cdc.Continue:
		return nil
	case cdc.Refuse:
		return v.Err
	case cdc.Wait:
		return fmt.Errorf("%w: %s, which is not that of this state's daemon", cdc.ErrSlotActive, v.Reason)
	default:
		return fmt.Errorf("there is a hole before the source's present, and 'ghlsync run' closes it by a snapshot that finds what a reconcile would: %s", v.Reason)
	}
}

func (c *Capture) reconcile(ctx context.Context, src snapshots, beside *junction, epoch int64, o ReconcileOptions) (Reconciliation, error) {
	counts, err := c.opts.Store.Counts(ctx)
	if err != nil {
		return Reconciliation{}, fmt.Errorf("read counts: %w", err)
	}
	r := &reconcile{
		snapshot: snapshot{a: c.applier(src), version: state.Version{Epoch: epoch}},
		source:   src, beside: beside, opts: o, total: counts.Total + counts.Assumed, log: c.log,
	}
	return r.run(ctx)
}
