package daemon

import (
	"context"
	"fmt"
	"math"
	"time"

	"ghlsync/internal/admin"
	"ghlsync/internal/dashboard"
	"ghlsync/internal/eventinfo"
	"ghlsync/internal/operate"
	"ghlsync/internal/slotinfo"
	"ghlsync/internal/version"
)

// startAdmin serves HTTP and tells other processes, through the state's lock,
// where.
func (d *Daemon) startAdmin(ctx context.Context) error {
	service := &admin.Service{
		State:    d.store,
		SlotName: d.cfg.CDC.Slot,
		Slots:    slotinfo.New(d.cfg.Sentra.DatabaseURL.Reveal(), d.cfg.CDC.Slot),
		Events:   eventinfo.New(SourceConfig(d.cfg, d.log), RulesOf(d.cfg)),
		Operator: operate.New(d.store, ClockOf(d.store), delivery{d}),
		Works:    d.works(),
		Live:     live{d},
		Version:  version.Read().Version,
	}
	server := admin.New(admin.Options{
		Pages:   dashboard.New(dashboard.Options{Service: service, Trend: d.trend, Log: d.log}),
		Service: service, Addr: d.cfg.HTTP.Addr, Token: d.cfg.HTTP.Token.Reveal(),
		Callbacks: d.callbacks(), Metrics: d.metrics.Handler(service), Log: d.log,
	})
	if err := server.Start(ctx); err != nil {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	d.admin = server
	d.trend.Start(dashboard.Sampler(service))
	if file, ok := d.store.(interface{ Announce(addr string) error }); ok {
		if err := file.Announce(server.Addr()); err != nil {
			return fmt.Errorf("announce the HTTP address: %w", err)
		}
	}
	return nil
}

// Addr is where the HTTP server listens, once Start has returned.
func (d *Daemon) Addr() string { return d.admin.Addr() }

// live tells the HTTP server how the daemon stands.
type live struct{ d *Daemon }

func (l live) Capture() admin.Capture {
	s := l.d.capture.Status()
	w := s.Watch
	return admin.Capture{Phase: admin.Phase(s.Phase), Since: s.Since, LastError: s.LastError, Streamed: admin.Streamed(s.Streamed), Watch: admin.Watch{
		Warnings:     w.Warnings,
		CanarySentAt: w.Canary.SentAt, CanaryRoundTrip: w.Canary.RoundTrip, CanaryWaiting: w.Canary.Waiting,
		WALBytesPerSecond: w.WAL.BytesPerSecond, WALLeft: w.WAL.Left, WALTime: w.WAL.Time, WALBehind: w.WAL.Behind,
	}}
}

func (l live) Delivery() admin.Delivery {
	s := l.d.deliverer.Status()
	d := admin.Delivery{
		Enabled: s.Enabled, Paused: s.Paused, PauseReason: s.PauseReason, Detail: s.Detail,
		Breaker: s.Breaker, NextProbe: known(s.NextProbe), ThrottledUntil: known(s.ThrottledUntil),
		InFlight: s.InFlight, StoreFailing: s.StoreFailing, RateTokens: finite(s.Tokens), PerSecond: s.PerSecond,
	}
	if !s.QuotaAt.IsZero() {
		q := s.Quota
		d.Quota = &admin.Quota{
			At: s.QuotaAt, Max: q.Max, Remaining: q.Remaining, IntervalMS: q.Interval.Milliseconds(),
			DailyMax: q.DailyMax, DailyRemaining: q.DailyRemaining, Reserved: s.Reserved,
		}
	}
	return d
}

// finite is nil for no limit.
func finite(v float64) *float64 {
	if math.IsInf(v, 1) {
		return nil
	}
	return &v
}

// known is nil for a time that is not set.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
