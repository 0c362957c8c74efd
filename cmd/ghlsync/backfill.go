package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/pipeline"
)

const backfillHelp = `Push events that existed at the first start and were taken to be in GHL already
(SENTRA_BACKFILL=none or upcoming), and that did not change since.

The assumption is taken back: an event goes out as a create, or as an update where
its appointment is known. So an event that is in GHL all the same will be there
twice. Check that first, and run it with --dry-run, which only counts.

What is pushed is the event as it was last seen. 'ghlsync reconcile' before it
finds clients that have changed since.

The exit code is 0 also if there is nothing to push.`

func newBackfill(std streams) *cobra.Command {
	var upcoming, all, dry, asJSON bool
	cmd := &cobra.Command{
		Use:   "backfill --upcoming | --all",
		Short: "Push events that were taken to be in GHL already",
		Long:  backfillHelp,
		Example: `  ghlsync backfill --upcoming --dry-run
  ghlsync backfill --upcoming`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if upcoming == all {
				return usageError("backfill takes one of --upcoming and --all")
			}
			which := pipeline.BackfillAll
			if upcoming {
				which = pipeline.BackfillUpcoming
			}
			return backfill(cmd.Context(), std, which, dry, asJSON)
		},
	}
	cmd.Flags().BoolVar(&upcoming, "upcoming", false, "those whose end is not past, in SENTRA_TIMEZONE")
	cmd.Flags().BoolVar(&all, "all", false, "all of them")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only report")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func backfill(ctx context.Context, std streams, which pipeline.Backfill, dry, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState)
	if err != nil {
		return err
	}
	bar := newBar(std.err, "looked at", "events")
	o := pipeline.BackfillOptions{Which: which, DryRun: dry, Progress: bar.show}
	var r pipeline.BackfillReport
	err = writing(ctx, cfg, func(client *admin.Client) error {
		r, err = client.Backfill(ctx, o)
		return err
	}, func(store daemon.Store) error {
		capture, err := idle(ctx, std, store, config.NeedSource, config.NeedLog)
		if err != nil {
			return err
		}
		r, err = capture.Backfill(ctx, o)
		return err
	})
	bar.clear()
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("broken off; what was pushed up to there stays so, and running it again does the rest")
	case err != nil:
		return err
	case asJSON:
		return printJSON(std.out, r)
	}
	printBackfill(std.out, r)
	return nil
}

func printBackfill(out io.Writer, r pipeline.BackfillReport) {
	pushed := "pushed: on their way to GHL"
	if r.DryRun {
		pushed = "would be pushed; nothing was changed"
	}
	say(out, "%d %s\n", r.Pushed, pushed)
	if r.Parked > 0 {
		say(out, "%d cannot be sent as they are: see 'ghlsync mappings list --status failed'\n", r.Parked)
	}
	say(out, "%d left: taken to be in GHL\n%d were not: GHL has them, or they are on their way\n", r.Left, r.Known)
}
