package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/operate"
)

const doHelp = `

The exit code is 1 if an event that was named was left as it is.`

// verbCommand makes the command of a verb: its words are in retry, release and
// drop.
func verbCommand(std streams, v operate.Verb, cmd *cobra.Command) *cobra.Command {
	var s operate.Selection
	var asJSON bool
	cmd.Long += doHelp
	cmd.Args = cobra.ArbitraryArgs
	bulk, flag, help := &s.All, "all", "all that are held"
	if v == operate.Retry {
		bulk, flag, help = &s.Failed, "failed", "all that have failed"
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *bulk == (len(args) > 0) {
			return usageError(fmt.Sprintf("%s takes either event ids or --%s", v, flag))
		}
		s.IDs = args
		return do(cmd.Context(), std, v, s, asJSON)
	}
	cmd.Flags().BoolVar(bulk, flag, false, help)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func do(ctx context.Context, std streams, v operate.Verb, s operate.Selection, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState)
	if err != nil {
		return err
	}
	if err := s.Check(v); err != nil {
		return err
	}
	var r operate.Report
	err = changing(ctx, cfg, func(o admin.Operator) (err error) {
		r, err = o.Do(ctx, v, s)
		return err
	})
	if err != nil && r.Done == 0 {
		return err
	}
	printing := printReport(std.out, v, r, asJSON)
	switch {
	case err != nil || printing != nil:
		return errors.Join(err, printing)
	case len(s.IDs) > 0 && r.Left > 0:
		return errNotWell
	default:
		return nil
	}
}

// deeds are the verbs in the past, and what comes of them.
var deeds = map[operate.Verb][2]string{
	operate.Retry:   {"scheduled again", ""},
	operate.Release: {"released", ": the deletions go out"},
	operate.Drop:    {"dropped", ": the appointments stay in GHL"},
}

func printReport(out io.Writer, v operate.Verb, r operate.Report, asJSON bool) error {
	if asJSON {
		return printJSON(out, r)
	}
	deed, outcome := deeds[v][0], deeds[v][1]
	if r.Done == 0 {
		outcome = ""
	}
	say(out, "%d %s%s\n", r.Done, deed, outcome)
	for _, refused := range r.Refused {
		say(out, "left as it is: %s: %s\n", printable(refused.ID), printable(refused.Reason))
	}
	if more := r.Left - len(r.Refused); more > 0 {
		say(out, "and %d more left as they are\n", more)
	}
	return nil
}
