package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
	"ghlsync/internal/admin"
	"ghlsync/internal/calendars"
	"ghlsync/internal/config"
	"ghlsync/internal/pipeline"
	"ghlsync/state"
)

// works does what takes long.
type works struct {
	*pipeline.Capture
	comparison *calendars.Comparison // nil in webhook mode
}

// Compare implements admin.Works.
func (w works) Compare(ctx context.Context, o calendars.Options) (*calendars.Report, error) {
	if w.comparison == nil {
		return nil, webhookHasNoBook(o)
	}
	report, err := w.comparison.Run(ctx, o)
	return &report, err
}

// webhookHasNoBook is an error only if the book is asked for.
func webhookHasNoBook(o calendars.Options) error {
	if o.AdoptByTime {
		return fmt.Errorf("%w: --adopt-by-time looks through GHL's calendars, which needs GHL_MODE=api", admin.ErrRequest)
	}
	return nil
}

// works are those of the daemon that runs. Their requests to GHL share its rate.
func (d *Daemon) works() works {
	w := works{Capture: d.capture}
	if client, ok := d.target.(*api.Client); ok {
		w.comparison = newComparison(d.cfg, d.log, d.store, client, d.deliverer.Pace, d.deliverer.Wake)
	}
	return w
}

func newComparison(cfg config.Config, log *slog.Logger, store state.Store, client *api.Client, pace func(context.Context) error, changed func()) *calendars.Comparison {
	now := ClockOf(store)
	return &calendars.Comparison{
		GHL: client.Paced(pace), Store: store, Fuse: cfg.GHL.DeleteFuse, Changed: changed,
		Now: func() time.Time { return now().UTC().Truncate(time.Microsecond) },
		Log: log.With(slog.String("component", "reconcile")),
	}
}

// CompareAlone is the comparison with GHL where no daemon runs: nil in webhook
// mode. What it makes due is sent by the next daemon.
func CompareAlone(ctx context.Context, cfg config.Config, log *slog.Logger, store state.Store, o calendars.Options) (*calendars.Report, error) {
	if cfg.GHL.Mode != config.API {
		return nil, webhookHasNoBook(o)
	}
	limiter := rate.NewLimiter(rate.Limit(cfg.GHL.Rate), cfg.GHL.Burst)
	client, err := api.New(APIOptions(cfg))
	if err != nil {
		return nil, fmt.Errorf("set up the client of GHL: %w", err)
	}
	defer client.Close()
	report, err := newComparison(cfg, log, store, client, limiter.Wait, func() {}).Run(ctx, o)
	return &report, err
}

var _ calendars.GHL = (*api.Client)(nil)

var _ target = (*ghl.Webhook)(nil)
