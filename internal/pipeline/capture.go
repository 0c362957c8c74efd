package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
	"ghlsync/state"
	"ghlsync/translator"
)

// Phase is what capture is doing.
type Phase string

// The phases. Streaming and Standby are the two that are well.
const (
	Starting     Phase = "starting"
	Snapshotting Phase = "snapshotting"
	Streaming    Phase = "streaming"
	Standby      Phase = "standby" // another session has the slot, or another daemon the state
	Reconnecting Phase = "reconnecting"
	Stopped      Phase = "stopped"
)

const (
	reconnectMin = 200 * time.Millisecond
	reconnectMax = 15 * time.Second
	// orphanGrace is how long an empty state waits for a slot that is in use: a
	// daemon that was killed before its first checkpoint leaves a server process
	// that notices within its wal_sender_timeout of 8 s.
	orphanGrace = 12 * time.Second
	// standbyPoll is how often a standby looks whether the slot is free.
	standbyPoll = 500 * time.Millisecond
	// closeTimeout bounds the farewell to a source.
	closeTimeout = 2 * time.Second
)

// Options is what a [Capture] is made of.
type Options struct {
	Source   cdc.Config
	Store    Store
	Rules    *translator.Rules
	Backfill Backfill
	Zone     *time.Location // in which Sentra's dates and times are meant
	Fuse     int            // GHL_DELETE_FUSE; 0 is off
	Token    string         // of this process, for the checkpoint
	// May tells whether this process may capture, where several share the state; nil:
	// it is alone.
	May func() bool
	// Canary is how often a canary goes through the stream; 0: never.
	Canary time.Duration
	// WALBudget is how much WAL the operator grants to the slot, in bytes, where
	// the server has no limit of its own; 0: not known.
	WALBudget int64
	// Ping returns once delivery's loop has come around; nil: nothing delivers.
	Ping    func(ctx context.Context) error
	Changed func() // called after every commit that changed a row
	Log     *slog.Logger
	Now     func() time.Time
}

// Status is what capture says of itself.
type Status struct {
	Phase     Phase
	Since     time.Time
	LastError string // of the last session that ended; "" while streaming
	// Watch is what was seen of the source while streaming; zero otherwise.
	Watch Watch
	// Streamed counts over all sessions.
	Streamed Streamed
}

// Capture keeps the state equal to what Sentra wants.
type Capture struct {
	opts Options
	log  *slog.Logger

	mu     sync.Mutex
	status Status

	streamed streamed

	began time.Time // of Run
	// unreadable says that the slot cannot be decoded from where it stands: the
	// publication came later. Only Capture.Run's goroutine uses it.
	unreadable bool

	work sync.Mutex // held by a reconcile or a backfill: there is one at a time
	live *live      // the session that streams, under mu; nil while none does
	life context.Context
	end  context.CancelFunc // of life, with Run
}

// New makes a Capture; Run starts it.
func New(opts Options) *Capture {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Ping == nil {
		opts.Ping = func(context.Context) error { return nil }
	}
	c := &Capture{opts: opts, log: opts.Log}
	c.life, c.end = context.WithCancel(context.Background())
	c.enter(Starting, nil)
	return c
}

// Status may be called at any time.
func (c *Capture) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.status
	s.Streamed = c.streamed.read()
	return s
}

// enter changes the phase. The error is the one that ended the session before.
func (c *Capture) enter(p Phase, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.Phase != p {
		c.status.Phase, c.status.Since, c.status.Watch = p, c.opts.Now(), Watch{}
	}
	switch {
	case p == Streaming:
		c.status.LastError = ""
	case err != nil:
		c.status.LastError = err.Error()
	}
}

var (
	// errStandby ends a session that found the slot in use.
	errStandby = errors.New("the slot is in use by another session")
	// errNotOurTurn ends a session, or keeps one from beginning, where another
	// process on the state captures.
	errNotOurTurn = errors.New("another daemon on the state captures")
)

// may tells whether this process may capture.
func (c *Capture) may() bool { return c.opts.May == nil || c.opts.May() }

// Run captures until ctx is done, and returns nil then, or until a person has to
// mend something, and returns that. Whatever else ends a session is retried.
func (c *Capture) Run(ctx context.Context) error {
	defer c.enter(Stopped, nil)
	defer c.end()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = reconnectMin, reconnectMax
	c.began = c.opts.Now()
	for {
		started := c.opts.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if c.opts.Now().Sub(started) > reconnectMax {
			pause.Reset()
		}
		wait, err := c.judgeEnd(err, pause)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// judgeEnd decides what follows the end of a session: how long to wait for the
// next, or that a person is needed.
func (c *Capture) judgeEnd(err error, pause *backoff.ExponentialBackOff) (time.Duration, error) {
	inUse := errors.Is(err, errStandby) || errors.Is(err, cdc.ErrSlotActive)
	orphan := inUse && c.opts.Now().Sub(c.began) < orphanGrace
	shared := c.opts.May != nil
	switch {
	case errors.Is(err, errNotOurTurn), shared && errors.Is(err, state.ErrFenced):
		if c.Status().Phase != Standby {
			c.log.Info("waiting as standby", slog.Any("reason", err))
		}
		c.enter(Standby, nil)
		return standbyPoll, nil
	case errors.Is(err, cdc.ErrOldTimeline):
		// Retried below: a connection string that names several servers may lead to
		// the right one next time. Nothing is read from this one.
	case len(cdc.Findings(err)) > 0 && !orphan, errors.Is(err, state.ErrFenced):
		c.enter(Stopped, err)
		return 0, err
	case inUse:
		if c.Status().Phase != Standby {
			c.log.Info("waiting as standby: the slot is in use by another session", slog.String("slot", c.opts.Source.Slot))
		}
		c.enter(Standby, nil)
		return standbyPoll, nil
	case errors.Is(err, cdc.ErrPublicationMissing):
		c.unreadable = true
	case errors.Is(err, errDrift):
		c.enter(Reconnecting, err)
		c.log.Warn("the stream is ended, to be judged anew", slog.Any("error", err))
		return 0, nil
	}
	c.enter(Reconnecting, err)
	wait := pause.NextBackOff()
	c.log.Warn("capture lost the source and will reconnect", slog.Any("error", err), slog.Duration("in", wait))
	return wait, nil
}

// session connects, makes sure that there is no hole between the checkpoint and
// the slot, and streams until something breaks.
func (c *Capture) session(ctx context.Context) error {
	if !c.may() {
		return errNotOurTurn
	}
	src, err := cdc.Open(ctx, c.opts.Source)
	if err != nil {
		return err
	}
	defer farewell(ctx, src)
	a := c.applier(src)
	if err := c.prepare(ctx, src, a); err != nil {
		return err
	}
	c.log.Info("streaming", slog.String("slot", c.opts.Source.Slot), slog.String("from", a.cp.LSN.String()), slog.Int64("epoch", a.cp.Epoch))
	leave := c.admit(src, a)
	c.enter(Streaming, nil)
	err = errors.Join(c.stream(ctx, src, a), a.discard()) // whoever leaves may wait for the state's writer
	leave()
	return err
}

// stream streams, with a watcher beside it that may end it. Both have ended when
// it returns.
func (c *Capture) stream(ctx context.Context, src *cdc.Source, a *Applier) error {
	ctx, end := context.WithCancelCause(ctx)
	a.canaries = make(chan string, 1)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		if err := c.watch(src, a.canaries).run(ctx); err != nil {
			end(err)
		}
	}()
	err := src.Stream(ctx, a.cp.LSN, a)
	end(nil)
	<-watched
	return err
}

func (c *Capture) applier(src Lookups) *Applier {
	return &Applier{
		store: c.opts.Store, rules: c.opts.Rules, source: src, fuse: c.opts.Fuse,
		now: c.opts.Now, changed: c.opts.Changed, log: c.log, streamed: &c.streamed,
	}
}

// farewell ends connections to the source. What does not answer in time is left
// to the server, which ends what it does not hear of again.
func farewell(ctx context.Context, to interface{ Close(context.Context) error }) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	_ = to.Close(ctx)
}

// prepare brings publication, slot, checkpoint and baseline to where the stream
// can go on from the applier's checkpoint.
func (c *Capture) prepare(ctx context.Context, src *cdc.Source, a *Applier) error {
	cp, err := c.opts.Store.Checkpoint(ctx, c.opts.Source.Slot)
	if err != nil {
		return fmt.Errorf("read checkpoint: %w", err)
	}
	facts, err := src.Inspect(ctx)
	if err != nil {
		return fmt.Errorf("inspect source: %w", err)
	}
	prior := PriorOf(cp)
	if c.unreadable && prior != nil {
		prior.Fingerprint = "" // as if the publication had changed since: it did, for the slot
	}
	verdict := cdc.Judge(prior, facts, c.opts.Source)
	switch verdict.Action {
	case cdc.Refuse:
		return verdict.Err
	case cdc.Wait:
		return errStandby
	case cdc.Continue:
		return a.replace(ctx, cp, c.identify(*cp, facts))
	case cdc.Resume:
		c.log.Info("a snapshot was interrupted and starts over")
		return c.again(ctx, src, a, cp, facts)
	case cdc.Heal:
		c.log.Warn("the stream cannot go on from the checkpoint: a snapshot closes the hole", slog.String("reason", verdict.Reason))
	case cdc.Adopt:
		c.log.Info("first start on a slot that exists already", slog.String("slot", c.opts.Source.Slot))
	default:
		c.log.Info("first start", slog.String("slot", c.opts.Source.Slot))
	}
	return c.afresh(ctx, src, a, cp, verdict)
}

// PriorOf is the checkpoint in the words of package cdc.
func PriorOf(cp *state.Checkpoint) *cdc.Prior {
	if cp == nil {
		return nil
	}
	return &cdc.Prior{
		LSN: cp.LSN, SystemID: cp.SystemID, Timeline: cp.Timeline, Database: cp.Database,
		Fingerprint: cp.Fingerprint, SnapshotPending: cp.SnapshotLSN != 0, BaselineDone: !cp.Baseline.IsZero(),
	}
}

// identify fills in what the checkpoint says of the source.
func (c *Capture) identify(cp state.Checkpoint, f cdc.Facts) state.Checkpoint {
	cp.Slot = c.opts.Source.Slot
	cp.SystemID, cp.Timeline, cp.Database, cp.Fingerprint = f.SystemID, f.Timeline, f.Database, f.Fingerprint
	cp.Capturer = c.opts.Token
	return cp
}

// afresh starts a new epoch: publication and slot as the verdict says, then a
// snapshot. prev is the checkpoint that is given up, nil on a first start. With a
// new slot the snapshot is the slot's own start. A slot that is kept (a DBA made
// it, or a first start crashed) is streamed from where it stands, and the
// snapshot is read at a later point, by a slot of its own.
//
// A crash between the slot and the checkpoint leaves a slot that is ahead of the
// checkpoint, or has none: the next start finds either.
func (c *Capture) afresh(ctx context.Context, src *cdc.Source, a *Applier, prev *state.Checkpoint, v cdc.Verdict) error {
	if v.DropSlot {
		if err := src.DropSlot(ctx); err != nil {
			return err
		}
	}
	created, err := src.EnsurePublication(ctx)
	if err != nil {
		return err
	}
	if created && !v.NewSlot {
		// The slot would decode from before the publication and fail for ever.
		return c.afresh(ctx, src, a, prev, cdc.Verdict{Action: v.Action, NewSlot: true, DropSlot: true})
	}
	f, err := src.Inspect(ctx)
	if err != nil {
		return fmt.Errorf("inspect source: %w", err)
	}
	var next state.Checkpoint
	if prev != nil {
		next = *prev
	}
	next.Epoch++
	handle, at, err := c.point(ctx, src, f, v)
	if err != nil {
		return err
	}
	c.unreadable = c.unreadable && !v.NewSlot
	next.LSN = at
	return c.snapshot(ctx, src, a, handle, prev, c.identify(next, f))
}

// point makes the slot and tells where the stream will start.
func (c *Capture) point(ctx context.Context, src *cdc.Source, f cdc.Facts, v cdc.Verdict) (*cdc.SnapshotHandle, pglogrepl.LSN, error) {
	if v.NewSlot {
		h, err := src.CreateSlot(ctx)
		if err != nil {
			return nil, 0, err
		}
		return h, h.LSN, nil
	}
	if f.Slot == nil {
		return nil, 0, cdc.ErrSlotMissing
	}
	h, err := src.CreateTemporary(ctx)
	return h, f.Slot.ConfirmedFlush, err
}

// again takes a snapshot that was interrupted once more.
func (c *Capture) again(ctx context.Context, src *cdc.Source, a *Applier, cp *state.Checkpoint, f cdc.Facts) error {
	handle, err := src.CreateTemporary(ctx)
	if err != nil {
		return err
	}
	return c.snapshot(ctx, src, a, handle, cp, c.identify(*cp, f))
}

// snapshot takes one, under the checkpoint next, and releases its slot's
// connection.
func (c *Capture) snapshot(ctx context.Context, src *cdc.Source, a *Applier, slot *cdc.SnapshotHandle, prev *state.Checkpoint, next state.Checkpoint) error {
	defer farewell(ctx, slot)
	c.enter(Snapshotting, nil)
	s := &snapshot{
		a: a, version: state.Version{Epoch: next.Epoch, LSN: slot.LSN}, taken: c.opts.Now(),
		baseline: next.Baseline.IsZero(), backfill: c.opts.Backfill, zone: c.opts.Zone,
	}
	if err := s.begin(ctx, prev, next); err != nil {
		return err
	}
	if err := src.Snapshot(ctx, slot, snapshotChunk, s.chunk); err != nil {
		return fmt.Errorf("take snapshot: %w", err)
	}
	return s.end(ctx)
}
