package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ghlsync/cdc"
	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/slotinfo"
	"ghlsync/state/sqlite"
)

const slotHelp = `Look at, create or drop the replication slot CDC_SLOT, for the DBA who owns it.

A slot makes the server keep WAL until the daemon has confirmed it. One that nobody
reads fills the disk, or is lost where max_slot_wal_keep_size sets a limit.`

func newSlot(std streams) *cobra.Command {
	cmd := group(&cobra.Command{
		Use: "slot", Short: "Look at, create or drop the replication slot", Long: slotHelp,
		Example: "  ghlsync slot status\n  ghlsync slot drop --yes",
	})
	var asJSON, yes bool
	status := &cobra.Command{
		Use: "status", Short: "Tell how the slot stands", Args: cobra.NoArgs,
		Long: `Tell how the slot stands: whether it is in use, what is confirmed, how much WAL
the server keeps for it. The exit code is 1 if there is no slot, or it is lost.`,
		Example: "  ghlsync slot status --json | jq .retained_wal_bytes",
		RunE:    func(cmd *cobra.Command, _ []string) error { return slotStatus(cmd.Context(), std, asJSON) },
	}
	jsonFlag(status, &asJSON)
	create := &cobra.Command{
		Use: "create", Short: "Create the slot", Args: cobra.NoArgs,
		Long: `Create the slot, as 'ghlsync run' does on its first start. The publication has to
be there first. From then on the server keeps WAL: start the daemon soon. It waits
for transactions that are open, and says which.`,
		Example: "  ghlsync slot create",
		RunE:    func(cmd *cobra.Command, _ []string) error { return slotCreate(cmd.Context(), std) },
	}
	drop := &cobra.Command{
		Use: "drop", Short: "Drop the slot", Args: cobra.NoArgs,
		Long: `Drop the slot and tell how much WAL it held back. It refuses while the daemon
runs, and without --yes. What happens in Sentra until the next start is found by a
snapshot then, deletions included.`,
		Example: "  ghlsync slot drop --yes",
		RunE:    func(cmd *cobra.Command, _ []string) error { return slotDrop(cmd.Context(), std, yes) },
	}
	drop.Flags().BoolVar(&yes, "yes", false, "really drop it")
	cmd.AddCommand(status, create, drop)
	return cmd
}

// askSlot is nil if there is no slot.
func askSlot(ctx context.Context, cfg config.Config) (*admin.Slot, error) {
	return slotinfo.New(cfg.Sentra.DatabaseURL.Reveal(), cfg.CDC.Slot).Slot(ctx)
}

func slotStatus(ctx context.Context, std streams, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedSource)
	if err != nil {
		return err
	}
	s, err := askSlot(ctx, cfg)
	switch {
	case err != nil:
		return err
	case asJSON:
		err = printJSON(std.out, s)
	case s == nil:
		say(std.out, "there is no slot %s\n", cfg.CDC.Slot)
	default:
		err = printSlot(std, s)
	}
	if err == nil && (s == nil || s.WALStatus != nil && *s.WALStatus == "lost") {
		return errNotWell
	}
	return err
}

func printSlot(std streams, s *admin.Slot) error {
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	use := "no"
	if s.Active {
		use = "yes"
	}
	left := "no limit (max_slot_wal_keep_size)"
	if s.SafeWALSize != nil {
		left = size(s.SafeWALSize)
	}
	for _, line := range [][2]string{
		{"slot", s.Name},
		{"in use", use},
		{"wal_status", optional(s.WALStatus)},
		{"confirmed", optional(s.ConfirmedFlushLSN)},
		{"lag", size(s.LagBytes)},
		{"retains", size(s.RetainedWALBytes) + " of WAL"},
		{"until lost", left},
	} {
		say(w, "%s\t%s\n", line[0], line[1])
	}
	return w.Flush()
}

func slotCreate(ctx context.Context, std streams) (err error) {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedSource)
	if err != nil {
		return err
	}
	source := daemon.SourceConfig(cfg, slog.New(slog.DiscardHandler))
	survey, err := cdc.Look(ctx, source)
	if err != nil {
		return err
	}
	switch {
	case len(survey.Findings) > 0:
		return survey.Findings[0]
	case survey.Fingerprint == "":
		return fmt.Errorf("publication %s does not publish the events table, and has to come before the slot: run 'ghlsync setup', or as the owner of the table: %s",
			source.Publication, source.PublicationSQL())
	case survey.Slot != nil:
		return fmt.Errorf("slot %s exists already: see 'ghlsync slot status'", source.Slot)
	}
	source.Create = true // that is what was asked for, whatever the daemon may do
	src, err := cdc.Open(ctx, source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close(context.WithoutCancel(ctx))) }()
	h, err := src.CreateSlot(ctx)
	if err != nil {
		return err
	}
	if err := h.Close(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	say(std.out, "slot %s is created at %s; start the daemon soon: from here on the server keeps WAL\n", h.Slot, h.LSN)
	return nil
}

func slotDrop(ctx context.Context, std streams, yes bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedSource, config.NeedState)
	if err != nil {
		return err
	}
	if holding, held, err := sqlite.Holder(cfg.State.URL.Path); err != nil || held {
		return errors.Join(err, fmt.Errorf("the daemon runs (process %d): stop it first", holding.PID))
	}
	s, err := askSlot(ctx, cfg)
	switch {
	case err != nil:
		return err
	case s == nil:
		return fmt.Errorf("there is no slot %s", cfg.CDC.Slot)
	case s.Active:
		return fmt.Errorf("slot %s is in use: stop the daemon that reads it first", s.Name)
	case !yes:
		say(std.out, "slot %s holds back %s of WAL. Nothing is dropped without --yes: the next start of the daemon has to take a snapshot then.\n", s.Name, size(s.RetainedWALBytes))
		return errNotWell
	}
	if err := cdc.DropSlot(ctx, daemon.SourceConfig(cfg, slog.New(slog.DiscardHandler))); err != nil {
		return err
	}
	say(std.out, "slot %s is dropped; it held back %s of WAL, which the server removes at its next checkpoint\n", s.Name, size(s.RetainedWALBytes))
	return nil
}
