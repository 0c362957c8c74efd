package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/logging"
	"ghlsync/internal/pipeline"
	"ghlsync/state/sqlite"
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

Without a running daemon it works on the state file. What the daemon has yet to
capture counts as a difference then, and needs all settings of the daemon.

The exit code is 0 also if there are differences.`

func newReconcile(std streams) *cobra.Command {
	var dry, asJSON bool
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare Sentra with the mappings, and mend what differs",
		Long:  reconcileHelp,
		Example: `  ghlsync reconcile --dry-run
  ghlsync reconcile
  ghlsync reconcile --dry-run --json | jq -r '.stale.ids[]'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return reconcile(cmd.Context(), std, dry, asJSON) },
	}
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only report")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func reconcile(ctx context.Context, std streams, dry, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState)
	if err != nil {
		return err
	}
	bar := newBar(std.err, "compared", "events")
	o := pipeline.ReconcileOptions{DryRun: dry, Progress: bar.show}
	var r pipeline.Reconciliation
	err = writing(ctx, cfg, func(daemon *admin.Client) error {
		r, err = daemon.Reconcile(ctx, o)
		return err
	}, func(store *sqlite.Store) error {
		capture, err := idle(ctx, std, store, config.NeedSource, config.NeedSlot, config.NeedGHL, config.NeedLog)
		if err != nil {
			return err
		}
		r, err = capture.ReconcileAlone(ctx, o)
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

// idle makes a capture that does not run, for a state whose daemon does not
// either.
func idle(ctx context.Context, std streams, store *sqlite.Store, needs ...config.Need) (*pipeline.Capture, error) {
	cfg, _, err := config.Load(ctx, std.environment(), needs...)
	if err != nil {
		return nil, err
	}
	log := logging.New(std.err, slog.LevelWarn, cfg.Log.Format)
	return pipeline.New(daemon.CaptureOptions(cfg, log, store, "", func() {})), nil
}

func printReconciliation(out io.Writer, r pipeline.Reconciliation) error {
	say(out, "Compared %d events of Sentra, as of %s, with the mappings.\n\n", r.Events, r.ConsistentPoint)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, kind := range []struct {
		name string
		pipeline.Found
	}{{"missing", r.Missing}, {"extra", r.Extra}, {"stale", r.Stale}} {
		say(w, "%s\t%d\t%s\n", kind.name, kind.Count, someIDs(kind.IDs))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, remark := range remarks(r) {
		say(out, "\n%s\n", remark)
	}
	return nil
}

func remarks(r pipeline.Reconciliation) (all []string) {
	switch {
	case r.Missing.Count+r.Extra.Count+r.Stale.Count == 0:
		all = append(all, "There is nothing to mend.")
	case r.DryRun:
		all = append(all, "Nothing was changed. Without --dry-run it is mended.")
	default:
		all = append(all, "It is mended here, and on its way to GHL: see 'ghlsync status'.")
	}
	if r.Held > 0 && r.DryRun {
		all = append(all, fmt.Sprintf("The delete fuse would hold %d deletions.", r.Held))
	} else if r.Held > 0 {
		all = append(all, fmt.Sprintf("The delete fuse holds %d deletions: see 'ghlsync mappings list --status held', then release or drop.", r.Held))
	}
	if !r.Streaming {
		all = append(all, "No daemon runs: what it has yet to capture counts as well.")
	}
	return all
}

// shownIDs is how many ids of a kind are shown to people; --json has all.
const shownIDs = 10

func someIDs(ids []string) string {
	shown := make([]string, 0, shownIDs+1)
	for _, id := range ids[:min(len(ids), shownIDs)] {
		shown = append(shown, printable(id))
	}
	if more := len(ids) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more (--json has all)", more))
	}
	return strings.Join(shown, ", ")
}
