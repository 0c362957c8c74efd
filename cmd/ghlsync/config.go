package main

import (
	"context"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ghlsync/internal/config"
)

const configHelp = `Show every setting with the value in force and where it comes from: the
environment, the file .env, or the default. Secrets are shown as 'set', URLs that
are secret as scheme and host.

All settings are checked as 'ghlsync run' does. Problems go to stderr, and the
exit code is 2 then. Nothing is connected to.`

func newConfig(std streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show and check what is set",
		Long:  configHelp,
		Example: `  ghlsync config
  ghlsync config --json | jq '.[] | select(.origin != "default")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return showConfig(cmd.Context(), std, asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func showConfig(ctx context.Context, std streams, asJSON bool) error {
	cfg, warnings, problems := config.Load(ctx, std.environment(), config.All()...)
	warn(std.err, warnings)
	if asJSON {
		if err := printJSON(std.out, cfg.Redacted()); err != nil {
			return err
		}
		return problems
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	for _, s := range cfg.Redacted() {
		say(w, "%s\t%s\t%s\n", s.Name, printable(s.Value), s.Origin)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return problems
}

// warn tells of settings that are probably misspelt.
func warn(w io.Writer, warnings config.Warnings) {
	for _, warning := range warnings {
		say(w, "warning: %s\n", warning)
	}
}
