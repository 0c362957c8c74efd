package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/logging"
	"ghlsync/internal/version"
)

const runHelp = `Run the daemon: capture Sentra's changes and deliver them to GHL, until it is
stopped.

The first start creates publication and slot where they are missing (unless
CDC_CREATE=false) and takes a snapshot; SENTRA_BACKFILL says what becomes of the
events that exist then.

The first SIGINT or SIGTERM stops it in good order: calls in flight are waited
for, 20 seconds at most, and the position is confirmed to Postgres. A second one
cuts at once. Nothing is lost either way: the next start goes on where this one
was.

Logs go to stderr, as tinted text on a terminal and as JSON otherwise.`

func newRun(std streams) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the daemon",
		Long:  runHelp,
		Example: `  ghlsync run
  SENTRA_BACKFILL=upcoming ghlsync run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), std) },
	}
}

func run(ctx context.Context, std streams) error {
	cfg, warnings, err := config.Load(ctx, std.environment(), config.All()...)
	if err != nil {
		// What is not set may just be misspelt.
		warn(std.err, warnings)
		return err
	}
	log := logging.New(std.err, cfg.Log.Level, cfg.Log.Format)
	for _, w := range warnings {
		log.Warn("unknown setting", slog.String(logging.Reason, w))
	}
	log.Info("ghlsync starts", slog.String(logging.Version, version.Read().Version))
	if err := daemon.Run(ctx, cfg, log); err != nil {
		// For whoever reads the log alone; people get the text once more below it,
		// with its line breaks.
		log.Error("ghlsync cannot go on", slog.Any(logging.Error, err))
		return err
	}
	log.Info("ghlsync has stopped")
	return nil
}
