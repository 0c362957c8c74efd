package main

import (
	"github.com/spf13/cobra"

	"ghlsync/internal/operate"
)

func newRelease(std streams) *cobra.Command {
	return verbCommand(std, operate.Release, &cobra.Command{
		Use:   "release ID… | --all",
		Short: "Let deletions go out that the delete fuse holds",
		Long: `Let deletions go out that the delete fuse holds, because they were meant. The
appointments are deleted in GHL. See them with 'mappings list --status held'.`,
		Example: `  ghlsync mappings release event-1753862400.123456
  ghlsync mappings release --all`,
	})
}
