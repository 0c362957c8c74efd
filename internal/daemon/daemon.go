package daemon

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/cdc"
	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/metrics"
	"ghlsync/internal/pipeline"
	"ghlsync/internal/trend"
	"ghlsync/internal/version"
	"ghlsync/state"
	"ghlsync/translator"
)

// DrainTimeout is how long a stop waits for the calls in flight.
const DrainTimeout = 20 * time.Second

// Hooks let tests, demo and benchmarks watch. They must be quick.
type Hooks struct {
	// Delivered is called after each call to GHL that ended and is recorded.
	Delivered func(deliver.Event)
}

// Daemon is everything that 'ghlsync run' runs.
type Daemon struct {
	cfg   config.Config
	log   *slog.Logger
	hooks Hooks

	store     Store
	member    *member // nil: nobody shares the state
	word      sync.Mutex
	target    target
	deliverer *deliver.Deliverer
	capture   *pipeline.Capture
	admin     *admin.Server
	metrics   *metrics.Metrics
	trend     *trend.Recorder

	stopCapture context.CancelFunc
	captured    chan struct{} // closed when capture has ended
	done        chan struct{} // closed when the daemon cannot go on
	err         error
	stop        sync.Once
}

// New prepares a daemon; nothing is opened before Start.
func New(cfg config.Config, log *slog.Logger, hooks Hooks) *Daemon {
	return &Daemon{
		cfg: cfg, log: log, hooks: hooks, metrics: metrics.New(cfg.CDC.Canary), trend: trend.New(time.Now),
		captured: make(chan struct{}), done: make(chan struct{}),
	}
}

// Run runs a daemon until ctx is done, and stops it in good order; or until it
// cannot go on, and returns why.
func Run(ctx context.Context, cfg config.Config, log *slog.Logger) error {
	d := New(cfg, log, Hooks{})
	if err := d.Start(ctx); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		log.Info("stopping: calls in flight are waited for", slog.Duration("at_most", DrainTimeout))
	case <-d.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), DrainTimeout)
	defer cancel()
	return errors.Join(d.Err(), d.Stop(drain))
}

// Start opens the state and starts everything. After an error nothing runs.
func (d *Daemon) Start(ctx context.Context) (err error) {
	token := rand.Text()
	if d.store, err = OpenState(ctx, d.cfg.State.URL, token); err != nil {
		return fmt.Errorf("open state: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.undo(ctx))
		}
	}()
	if err = d.join(ctx, token); err != nil {
		return err
	}
	if err = d.startDelivery(ctx, token); err != nil {
		return err
	}
	options := CaptureOptions(d.cfg, d.log, d.store, token, d.deliverer.Wake)
	options.Ping = d.deliverer.Ping
	if d.member != nil {
		options.May = d.member.mayCapture
	}
	d.capture = pipeline.New(options)
	if err = d.startAdmin(ctx); err != nil {
		return err
	}
	if d.member != nil {
		d.member.start(ctx, d.admin.Addr(), d.able, d.heed)
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	d.stopCapture = cancel
	go d.run(running)
	return nil
}

// run captures until it is stopped or cannot go on.
func (d *Daemon) run(ctx context.Context) {
	defer close(d.captured)
	err := d.capture.Run(ctx)
	if d.member != nil {
		d.member.resign(context.WithoutCancel(ctx))
	}
	if err != nil {
		d.err = err
		close(d.done)
	}
}

// join makes the daemon known to others, where the state is shared.
func (d *Daemon) join(ctx context.Context, id string) (err error) {
	if shared, ok := d.store.(state.Shared); ok {
		d.member, err = join(ctx, shared, state.Instance{ID: id, Version: version.Read().Version}, d.log)
	}
	return err
}

// able tells whether capture gets at the source. If not, another daemon may.
func (d *Daemon) able() bool {
	s := d.capture.Status()
	return s.Phase != pipeline.Reconnecting || ClockOf(d.store)().Sub(s.Since) < state.CaptureLease
}

// heed obeys what others have written: commands, and daemons whose operators and
// captures made something due.
func (d *Daemon) heed(ctx context.Context) error {
	d.deliverer.Wake()
	return delivery{d}.Hold(ctx, false)
}

// delivered tells all who watch of a call that ended and is recorded.
func (d *Daemon) delivered(e deliver.Event) {
	d.metrics.Delivered(e)
	d.trend.Observe(e)
	if d.hooks.Delivered != nil {
		d.hooks.Delivered(e)
	}
}

func (d *Daemon) startDelivery(ctx context.Context, owner string) error {
	g := d.cfg.GHL
	var deliverer *deliver.Deliverer // which the client is made for, and which needs the client
	pace := func(ctx context.Context) error { return deliverer.Pace(ctx) }
	observe := func(q ghl.Quota) { deliverer.Observe(q) }
	var err error
	if d.target, err = newTarget(d.cfg, pace, observe); err != nil {
		return fmt.Errorf("set up the client of GHL: %w", err)
	}
	budget, _ := any(d.store).(deliver.Budget) // of a state that is shared
	deliverer, err = deliver.New(deliver.Options{
		Budget: budget, Store: deliveryOf(d.store), Now: ClockOf(d.store), Living: d.living(), Sender: d.target, Encode: d.target.Encode,
		LooksUp: g.Mode == config.API, Zone: d.cfg.Sentra.Timezone.Location(), Logger: d.log.With(slog.String("component", "deliver")),
		Disabled: !g.WebhookEnabled, Owner: owner,
		Concurrency: g.Concurrency, Timeout: g.Timeout, Rate: rate.Limit(g.Rate), Burst: g.Burst,
		RetryBase: g.RetryBase, RetryCap: g.RetryCap, Hook: d.delivered,
		Settle: cmp.Or(g.Settle, -1), // an explicit 0 is none, where that of Options is the default
	})
	if err != nil {
		return fmt.Errorf("set up delivery: %w", err)
	}
	if err := deliverer.Start(ctx); err != nil {
		return fmt.Errorf("start delivery: %w", err)
	}
	d.deliverer = deliverer
	return nil
}

// living is nil where nobody shares the state.
func (d *Daemon) living() func(context.Context) ([]string, bool, error) {
	if d.member == nil {
		return nil
	}
	return d.member.living
}

// CaptureOptions is what package pipeline needs of the configuration. changed is
// called after every commit that changed a mapping.
func CaptureOptions(cfg config.Config, log *slog.Logger, store state.Store, token string, changed func()) pipeline.Options {
	return pipeline.Options{
		Source:   SourceConfig(cfg, log),
		Store:    store,
		Rules:    RulesOf(cfg),
		Backfill: pipeline.Backfill(cfg.Sentra.Backfill),
		Zone:     cfg.Sentra.Timezone.Location(),
		Fuse:     cfg.GHL.DeleteFuse,
		Token:    token,
		Now:      ClockOf(store),
		Changed:  changed,
		Canary:   cfg.CDC.Canary, WALBudget: int64(cfg.CDC.WALBudget),
		Log: log.With(slog.String("component", "capture")),
	}
}

// RulesOf are the translator's rules as configured.
func RulesOf(cfg config.Config) *translator.Rules {
	return translator.New(cfg.Sentra.EventTypes, cfg.Sentra.EchoPattern.Regexp(), cfg.Sentra.Timezone.Location())
}

// SourceConfig is what package cdc needs of the configuration.
func SourceConfig(cfg config.Config, log *slog.Logger) cdc.Config {
	return cdc.Config{
		URL:         cfg.Sentra.DatabaseURL.Reveal(),
		EventsTable: cfg.Sentra.EventsTable, ClientsTable: cfg.Sentra.ClientsTable,
		Types: cfg.Sentra.EventTypes, Slot: cfg.CDC.Slot, Publication: cfg.CDC.Publication,
		Create: cfg.CDC.Create, Failover: cfg.CDC.SlotFailover, OnSlotLoss: string(cfg.CDC.OnSlotLoss),
		Logger: log,
	}
}

// Done is closed when the daemon cannot go on; Err tells why.
func (d *Daemon) Done() <-chan struct{} { return d.done }

// Err is why the daemon cannot go on; nil before Done is closed.
func (d *Daemon) Err() error {
	select {
	case <-d.done:
		return d.err
	default:
		return nil
	}
}

// Stop ends everything, once; ctx bounds how long calls in flight may take.
func (d *Daemon) Stop(ctx context.Context) (err error) {
	d.stop.Do(func() {
		d.stopCapture()
		err = d.undo(ctx)
	})
	return err
}

// undo closes what Start opened. Capture, which has been told, may need seconds for
// what it has in hand: delivery is told before that, so that no call begins
// meanwhile.
func (d *Daemon) undo(ctx context.Context) error {
	var errs []error
	if d.deliverer != nil {
		errs = append(errs, d.deliverer.Stop(ctx))
	}
	if d.stopCapture != nil {
		<-d.captured
	}
	if d.admin != nil {
		errs = append(errs, d.admin.Stop(ctx))
	}
	if d.member != nil {
		d.member.leave(ctx)
	}
	d.trend.Stop()
	if d.target != nil {
		d.target.Close()
	}
	return errors.Join(append(errs, d.store.Close())...)
}
