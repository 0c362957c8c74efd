package main

import (
	"context"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/operate"
)

const pauseHelp = `Pause delivery: no further call goes to GHL, until 'ghlsync resume'. Calls in
flight end. Capture goes on, so nothing is lost and no WAL is held back; what is
wanted gathers, and what changes several times meanwhile goes out once.

The pause survives restarts, and holds with the daemon up or down. 'ghlsync
status' shows it.`

const resumeHelp = `Let delivery go on that was paused. What has gathered goes out at GHL_RATE; the
delete fuse and a pause of GHL's own making are as they were.`

func newPause(std streams) *cobra.Command {
	return pauseCommand(std, true, &cobra.Command{
		Use: "pause", Short: "Pause delivery to GHL; capture goes on", Long: pauseHelp,
		Example: "  ghlsync pause",
	})
}

func newResume(std streams) *cobra.Command {
	return pauseCommand(std, false, &cobra.Command{
		Use: "resume", Short: "Let paused delivery go on", Long: resumeHelp,
		Example: "  ghlsync resume",
	})
}

func pauseCommand(std streams, pause bool, cmd *cobra.Command) *cobra.Command {
	var asJSON bool
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return setPaused(cmd.Context(), std, pause, asJSON) }
	jsonFlag(cmd, &asJSON)
	return cmd
}

func setPaused(ctx context.Context, std streams, pause, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState)
	if err != nil {
		return err
	}
	var p operate.Pause
	err = changing(ctx, cfg, func(o admin.Operator) (err error) {
		p, err = o.SetPaused(ctx, pause)
		return err
	})
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(std.out, p)
	}
	text := map[[2]bool]string{
		{true, true}:   "delivery is paused; 'ghlsync resume' lets it go on",
		{true, false}:  "delivery is paused already, since " + moment(p.Since),
		{false, true}:  "delivery goes on",
		{false, false}: "delivery is not paused by an operator",
	}[[2]bool{pause, p.Changed}]
	say(std.out, "%s\n", text)
	return nil
}
