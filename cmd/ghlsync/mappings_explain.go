package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
)

const explainHelp = `Tell the whole story of one event: what Sentra has now and what the rules make of
it, what is wanted and since which commit, what GHL has, every call, why it waits
and until when. It answers 'is event 123 in GHL?', also for an event that ghlsync
has never seen.

Sentra itself is asked, where SENTRA_DATABASE_URL is set. Of its row only the type
is told, and the names of fields that differ from what is wanted. The payload,
which holds the client's data, comes only with --payload.`

func newExplain(std streams) *cobra.Command {
	var o admin.Show
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "explain ID",
		Short: "Tell the whole story of one event",
		Long:  explainHelp,
		Example: `  ghlsync mappings explain event-1753862400.123456
  ghlsync mappings explain 123 --json | jq -r '.story[]'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return explainMapping(cmd.Context(), std, args[0], o, asJSON)
		},
	}
	cmd.Flags().BoolVar(&o.Payload, "payload", false, "with the payload (client data)")
	cmd.Flags().IntVar(&o.Attempts, "attempts", admin.MaxLimit, "so many of the last calls")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func explainMapping(ctx context.Context, std streams, id string, o admin.Show, asJSON bool) error {
	needs := []config.Need{config.NeedState, config.NeedSlot}
	if url, _ := std.environment().Lookup("SENTRA_DATABASE_URL"); url != "" {
		needs = append(needs, config.NeedSource)
	}
	cfg, _, err := config.Load(ctx, std.environment(), needs...)
	if err != nil {
		return err
	}
	var e admin.Explanation
	err = reading(ctx, cfg, func(b backend) (err error) {
		e, err = b.Explain(ctx, id, o)
		return err
	})
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(std.out, e)
	default:
		return printExplanation(std.out, e)
	}
}

func printExplanation(out io.Writer, e admin.Explanation) error {
	say(out, "event %s\n\n", printable(e.SentraEventID))
	for _, sentence := range e.Story {
		say(out, "  %s\n", printable(sentence))
	}
	if e.Mapping == nil {
		return nil
	}
	say(out, "\n")
	return printDetail(out, *e.Mapping)
}
