package daemon

import (
	"crypto/ed25519"
	"log/slog"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/inbound"
	"ghlsync/internal/logging"
)

// callbacks are the routes that GHL calls, as far as they are configured.
func (d *Daemon) callbacks() admin.Callbacks {
	in := inbound.New(inbound.Options{
		Store: d.store, Secret: d.cfg.HTTP.CallbackSecret.Reveal(), AppKey: ed25519.PublicKey(d.cfg.GHL.AppPublicKey),
		Restore: d.cfg.GHL.Drift == config.DriftRestore, Fuse: d.cfg.GHL.DeleteFuse,
		Wake: d.deliverer.Wake, Hook: d.metrics.CalledBack, Now: ClockOf(d.store),
		Log: d.log.With(slog.String(logging.Component, "callbacks")),
	})
	return admin.Callbacks{Workflow: in.Workflow(), App: in.App()}
}
