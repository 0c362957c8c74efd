package main

import (
	"log/slog"

	"github.com/spf13/cobra"

	"ghlsync/internal/config"
	"ghlsync/internal/demo"
	"ghlsync/internal/logging"
)

const demoHelp = `Show everything on this machine: a Postgres with Sentra's tables, a GHL sandbox,
the daemon between them, and somebody who works in Sentra. One line per change
tells what GHL answered and how long it took from the commit.

Nothing has to be set up. Postgres is found on the machine (PG_BIN, PATH, the
usual places) or fetched; it runs in a temporary directory, and nothing is left
behind. No setting and no .env is read.`

func newDemo(std streams) *cobra.Command {
	var once, verbose bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch it work, everything on this machine",
		Long:  demoHelp,
		Example: `  ghlsync demo           play along, until Ctrl-C
  ghlsync demo --once    a fixed script; exits 1 if GHL differs from Sentra afterwards`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The demo tells of each change itself: of the daemon only what is wrong.
			level := slog.LevelWarn
			if verbose {
				level = slog.LevelInfo
			}
			log := logging.New(std.err, level, config.LogText)
			return demo.Run(cmd.Context(), demo.Options{Once: once, Out: std.out, Log: log})
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "play a fixed script, compare GHL with Sentra, and exit")
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the daemon's log between the lines")
	return cmd
}
