package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"ghlsync/internal/config"
	"ghlsync/internal/logging"
	"ghlsync/internal/shadow"
)

const shadowHelp = `Show what the daemon would send to GHL, from now on, without sending or keeping
anything: a temporary slot, a throw-away state, and each call printed in place of
being made. It can run beside a daemon, needs one more replication slot and two
more WAL senders, and goes on until it is stopped.

It begins as a first start does, with a snapshot: SENTRA_BACKFILL says what becomes
of the events that exist. The publication must be there ('ghlsync setup').

Each line is the time, the call and the event. With --json each line is one JSON
document. The body, which holds the client's data, comes only with --payload; with
GHL_MODE=api it is what the requests are made of: the event, its calendar, and when
it is there.`

func newShadow(std streams) *cobra.Command {
	var payload, asJSON bool
	cmd := &cobra.Command{
		Use:   "shadow",
		Short: "Show what would be sent, sending nothing",
		Long:  shadowHelp,
		Example: `  ghlsync shadow
  SENTRA_BACKFILL=upcoming ghlsync shadow --json | jq -r .sentra_event_id`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runShadow(cmd.Context(), std, payload, asJSON) },
	}
	cmd.Flags().BoolVar(&payload, "payload", false, "with the bodies (client data)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document a line")
	return cmd
}

func runShadow(ctx context.Context, std streams, payload, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedSource, config.NeedLog)
	if err != nil {
		return err
	}
	log := logging.New(std.err, cfg.Log.Level, cfg.Log.Format)
	lines := json.NewEncoder(std.out)
	lines.SetEscapeHTML(false)
	err = shadow.Run(ctx, cfg, log, func(c shadow.Call) {
		if !payload {
			c.Body = nil
		}
		if asJSON {
			_ = lines.Encode(c) // when stdout is gone, there is nobody to tell
			return
		}
		say(std.out, "%s  %-22s  %s\n", c.At.Format(time.RFC3339), c.Operation, printable(c.EventID))
		if c.Body != nil {
			say(std.out, "    %s\n", printable(string(c.Body)))
		}
	})
	if err != nil {
		log.Error("shadow cannot go on", slog.Any(logging.Error, err))
	}
	return err
}
