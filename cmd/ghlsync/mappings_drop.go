package main

import (
	"github.com/spf13/cobra"

	"ghlsync/internal/operate"
)

func newDrop(std streams) *cobra.Command {
	return verbCommand(std, operate.Drop, &cobra.Command{
		Use:   "drop ID… | --all",
		Short: "Give up deletions that the delete fuse holds",
		Long: `Give up deletions that the delete fuse holds, because they were a mistake. The
appointments stay in GHL, although their events are gone from Sentra. If an event
comes back under its id, its appointment is updated.`,
		Example: `  ghlsync mappings drop event-1753862400.123456
  ghlsync mappings drop --all`,
	})
}
