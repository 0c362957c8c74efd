package main

import (
	"github.com/spf13/cobra"

	"ghlsync/internal/version"
)

func newVersion(std streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Tell which build this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := version.Read()
			if asJSON {
				return printJSON(std.out, info)
			}
			commit := ""
			if info.Commit != "" {
				commit = " commit " + info.Commit
				if info.Modified {
					commit += " (with changes)"
				}
			}
			say(std.out, "ghlsync %s%s %s %s\n", info.Version, commit, info.Go, info.Platform)
			return nil
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
