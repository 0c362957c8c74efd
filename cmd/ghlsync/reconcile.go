package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
	"ghlsync/internal/calendars"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/logging"
	"ghlsync/internal/pipeline"
)

const reconcileHelp = `Compare Sentra's events with the mappings, and mend what differs:

  missing   Sentra has it, and it is not wanted in GHL: it is pushed
  extra     it is wanted in GHL, and Sentra does not have it: it is deleted, past
            the delete fuse
  stale     the content differs, as when the client's e-mail has changed (which
            alone is no change of the event): it is updated

It reads one consistent state of the table, in a temporary replication slot and in
short transactions, beside the running daemon and its stream, and needs one slot
and one WAL sender that are free. Events that are assumed to be in GHL stay so
if they are as they were. It may be broken off at any time: what it has mended up to
there is right, and nothing is deleted before the end.

With --dry-run it only reports. Run that first.

With GHL_MODE=api it goes on to compare GHL's calendars with the mappings:

  changed   it was moved or renamed in GHL: it is set right
  deleted   it was deleted in GHL: it is made again; more than GHL_DELETE_FUSE of
            them at once are only reported
  adopted   its id was not known, and it was found by our marker
  unnamed   its id is not known, and nothing can be said for sure
  orphans   it has our marker, and no event stands for it: it is deleted, past the
            delete fuse

What a webhook's workflow made has no marker. --adopt-by-time finds it by contact
and time, where there is no doubt; what GHL has not got at all ('lost') is made
again. Run it with --dry-run first, after a change of GHL_MODE to api.

Without a running daemon it works on the state itself. What the daemon has yet to
capture counts as a difference then, and needs all settings of the daemon.

The exit code is 0 also if there are differences.`

func newReconcile(std streams) *cobra.Command {
	var (
		asJSON bool
		o      admin.Reconcile
	)
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare Sentra with the mappings, and mend what differs",
		Long:  reconcileHelp,
		Example: `  ghlsync reconcile --dry-run
  ghlsync reconcile
  ghlsync reconcile --dry-run --json | jq -r '.stale.ids[]'
  ghlsync reconcile --adopt-by-time --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return reconcile(cmd.Context(), std, o, asJSON) },
	}
	cmd.Flags().BoolVar(&o.DryRun, "dry-run", false, "only report")
	cmd.Flags().BoolVar(&o.AdoptByTime, "adopt-by-time", false, "find appointments that nobody can name by contact and time (GHL_MODE=api)")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func reconcile(ctx context.Context, std streams, o admin.Reconcile, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState)
	if err != nil {
		return err
	}
	bar := newBar(std.err, "compared", "events")
	var r admin.Reconciliation
	err = writing(ctx, cfg, func(client *admin.Client) error {
		r, err = client.Reconcile(ctx, o, bar.show)
		return err
	}, func(store daemon.Store) error {
		r, err = reconcileAlone(ctx, std, store, o, bar.show)
		return err
	})
	bar.clear()
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("broken off; what was mended up to there stays so, and running it again does the rest")
	case err != nil:
		return err
	case asJSON:
		return printJSON(std.out, r)
	default:
		return printReconciliation(std.out, r)
	}
}

// reconcileAlone works on a state whose daemon does not run.
func reconcileAlone(ctx context.Context, std streams, store daemon.Store, o admin.Reconcile, progress func(done, total int64)) (r admin.Reconciliation, err error) {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedSource, config.NeedSlot, config.NeedGHL, config.NeedLog)
	if err != nil {
		return r, err
	}
	switch addr, err := daemon.Working(ctx, store); {
	case err != nil:
		return r, err
	case addr != "":
		return r, fmt.Errorf("a daemon works on the state (its HTTP server is at %s): let HTTP_ADDR name it, or stop it first", addr)
	}
	log := logging.New(std.err, slog.LevelWarn, cfg.Log.Format)
	capture := pipeline.New(daemon.CaptureOptions(cfg, log, store, "", func() {}))
	if r.Reconciliation, err = capture.ReconcileAlone(ctx, pipeline.ReconcileOptions{DryRun: o.DryRun, Progress: progress}); err != nil {
		return r, err
	}
	r.GHL, err = daemon.CompareAlone(ctx, cfg, log, store, calendars.Options{DryRun: o.DryRun, AdoptByTime: o.AdoptByTime, Progress: progress})
	return r, err
}

// idle makes a capture that does not run, for a state whose daemon does not
// either.
func idle(ctx context.Context, std streams, store daemon.Store, needs ...config.Need) (*pipeline.Capture, error) {
	cfg, _, err := config.Load(ctx, std.environment(), needs...)
	if err != nil {
		return nil, err
	}
	log := logging.New(std.err, slog.LevelWarn, cfg.Log.Format)
	return pipeline.New(daemon.CaptureOptions(cfg, log, store, "", func() {})), nil
}
