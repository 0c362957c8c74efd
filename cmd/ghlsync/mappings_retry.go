package main

import (
	"github.com/spf13/cobra"

	"ghlsync/internal/operate"
)

func newRetry(std streams) *cobra.Command {
	return verbCommand(std, operate.Retry, &cobra.Command{
		Use:   "retry ID… | --failed",
		Short: "Try failed mappings again",
		Long: `Try mappings again that GHL refused for good, such as after a missing contact
was made in GHL. What failed for a passing reason is retried without this.

A row that cannot be translated has nothing to send: it waits for Sentra.`,
		Example: `  ghlsync mappings retry event-1753862400.123456
  ghlsync mappings retry --failed`,
	})
}
