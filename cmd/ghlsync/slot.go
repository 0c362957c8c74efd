package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ghlsync/cdc"
	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/logging"
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
	cmd.AddCommand(newSlotStatus(std), newSlotCreate(std), newSlotDrop(std))
	return cmd
}

func newSlotStatus(std streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "status", Short: "Tell how the slot stands", Args: cobra.NoArgs,
		Long: `Tell how the slot stands: whether it is in use, what is confirmed, how much WAL
the server keeps for it, and how much more it may write before the slot is lost.

The exit code is 1 if there is no slot, or it is lost. With --json a slot that is not
there is null.`,
		Example: `  ghlsync slot status
  ghlsync slot status --json | jq .retained_wal_bytes`,
		RunE: func(cmd *cobra.Command, _ []string) error { return slotStatus(cmd.Context(), std, asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newSlotCreate(std streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "create", Short: "Create the slot", Args: cobra.NoArgs,
		Long: `Create the slot, as 'ghlsync run' does on its first start, and tell from which LSN
on it streams. The publication has to be there first. From then on the server keeps
WAL: start the daemon soon. It waits for transactions that are open, and says which.

It is an error if there is one already, which is left alone.`,
		Example: "  ghlsync slot create",
		RunE:    func(cmd *cobra.Command, _ []string) error { return slotCreate(cmd.Context(), std, asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newSlotDrop(std streams) *cobra.Command {
	var asJSON, yes bool
	cmd := &cobra.Command{
		Use: "drop", Short: "Drop the slot", Args: cobra.NoArgs,
		Long: `Drop the slot and tell how much WAL it held back. It refuses while the daemon runs,
and without --yes only tells.

The next start of the daemon makes a new slot and takes a snapshot, which finds what
happened in Sentra meanwhile, deletions included.`,
		Example: `  ghlsync slot drop          how much WAL it holds back
  ghlsync slot drop --yes`,
		RunE: func(cmd *cobra.Command, _ []string) error { return slotDrop(cmd.Context(), std, yes, asJSON) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "really drop it")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// askSlot is nil if there is no slot.
func askSlot(ctx context.Context, cfg config.Config) (*admin.Slot, error) {
	return slotinfo.New(cfg.Sentra.DatabaseURL.Reveal(), cfg.CDC.Slot).Slot(ctx)
}

func slotStatus(ctx context.Context, std streams, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedDatabase, config.NeedSlot)
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

// slotMade is what create prints.
type slotMade struct {
	Name string `json:"name"`
	LSN  string `json:"lsn"`
}

func slotCreate(ctx context.Context, std streams, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedDatabase, config.NeedObjects)
	if err != nil {
		return err
	}
	// What holds a creation up shows on stderr.
	source := daemon.SourceConfig(cfg, logging.New(std.err, slog.LevelWarn, config.LogText))
	survey, err := cdc.Look(ctx, source)
	if err != nil {
		return err
	}
	wal := survey.WALFinding()
	switch {
	case len(survey.Findings) > 0:
		return survey.Findings[0]
	case wal != nil:
		return wal
	case survey.Fingerprint == "":
		return publicationFirst(source, survey)
	case survey.Slot != nil && survey.Slot.Lost():
		return fmt.Errorf("slot %s exists, but has lost WAL that it needs: 'ghlsync slot drop --yes' first", source.Slot)
	case survey.Slot != nil:
		return fmt.Errorf("slot %s exists already: see 'ghlsync slot status'", source.Slot)
	}
	at, err := cdc.MakeSlot(ctx, source)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(std.out, slotMade{Name: source.Slot, LSN: at.String()})
	}
	say(std.out, "slot %s is created at %s; start the daemon soon: from here on the server keeps WAL\n", source.Slot, at)
	return nil
}

// publicationFirst tells what a slot without a publication lacks.
func publicationFirst(source cdc.Config, survey cdc.Survey) error {
	sql := source.PublicationSQL()
	if survey.Publication != nil {
		sql = source.AddTableSQL()
	}
	return fmt.Errorf("publication %s does not publish the events table, and has to come before the slot: run 'ghlsync setup', or as the owner of the table: %s",
		source.Publication, sql)
}

// slotGone is what drop prints.
type slotGone struct {
	Name             string `json:"name"`
	Dropped          bool   `json:"dropped"`
	RetainedWALBytes *int64 `json:"retained_wal_bytes"` // before
}

func slotDrop(ctx context.Context, std streams, yes, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedDatabase, config.NeedSlot, config.NeedState)
	if err != nil {
		return err
	}
	s, err := askSlot(ctx, cfg)
	if err != nil {
		return err
	}
	if s == nil {
		return fmt.Errorf("there is no slot %s", cfg.CDC.Slot)
	}
	// It may be between two connections. Of a daemon elsewhere the server knows.
	if err := nobodyRuns(ctx, cfg); err != nil {
		return err
	}
	if yes {
		err = cdc.DropSlot(ctx, cdc.Config{URL: cfg.Sentra.DatabaseURL.Reveal(), Slot: cfg.CDC.Slot})
		if err != nil {
			return err
		}
	}
	switch {
	case asJSON:
		err = printJSON(std.out, slotGone{Name: s.Name, Dropped: yes, RetainedWALBytes: s.RetainedWALBytes})
	case yes:
		say(std.out, "Slot %s is dropped. It held back %s of WAL, which the server removes at its next checkpoints unless something\n"+
			"else still needs it. The next start of the daemon makes a new slot and takes a snapshot.\n", s.Name, size(s.RetainedWALBytes))
	default:
		say(std.out, "Slot %s holds back %s of WAL. Nothing is dropped without --yes: the next start of the daemon has to make a new\n"+
			"slot then and to take a snapshot.\n", s.Name, size(s.RetainedWALBytes))
	}
	if err == nil && !yes {
		return errNotWell
	}
	return err
}

// nobodyRuns is an error where a daemon works on the state.
func nobodyRuns(ctx context.Context, cfg config.Config) error {
	if cfg.State.URL.Postgres == "" {
		holding, held, err := sqlite.Holder(cfg.State.URL.Path)
		if held {
			err = fmt.Errorf("the daemon runs (process %d): stop it first", holding.PID)
		}
		return err
	}
	reader, err := daemon.OpenReader(ctx, cfg.State.URL)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // nothing was written
	addr, err := daemon.Working(ctx, reader)
	if addr != "" {
		err = fmt.Errorf("a daemon runs (its HTTP server is at %s): stop it first", addr)
	}
	return err
}
