package main

import "github.com/spf13/cobra"

const mappingsHelp = `Look at mappings, and do something about those that need a person.

There is one mapping per Sentra event: what GHL should have, what it has, and the
work in between. Its sync_status is

  synced    GHL has what is wanted
  pending   work is due: the first attempt, a retry, or a deletion that is held
  failed    parked: GHL refuses it, or the row cannot be translated

Deletions are held when there are too many at once (GHL_DELETE_FUSE), until
somebody releases or drops them.

Commands ask the running daemon where there is one, else the state file.`

func newMappings(std streams) *cobra.Command {
	cmd := group(&cobra.Command{
		Use:     "mappings",
		Aliases: []string{"mapping"},
		Short:   "List, show, explain, retry, release and drop mappings",
		Long:    mappingsHelp,
	})
	cmd.AddCommand(newList(std), newShow(std), newExplain(std), newRetry(std), newRelease(std), newDrop(std))
	return cmd
}
