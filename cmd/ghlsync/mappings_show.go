package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ghlsync/ghl"
	"ghlsync/internal/admin"
	"ghlsync/internal/config"
)

const showHelp = `Show everything that is known of one event: what is wanted, what GHL has, the
work in between, and the last calls. The payload, which holds the client's data,
comes only with --payload.

The exit code is 1 if there is no mapping for the event.`

func newShow(std streams) *cobra.Command {
	var o admin.Show
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show one mapping and its last calls",
		Long:  showHelp,
		Example: `  ghlsync mappings show event-1753862400.123456
  ghlsync mappings show 123 --json --payload | jq .payload
  ghlsync mappings show -- -7                              an id that begins with a dash`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return showMapping(cmd.Context(), std, args[0], o, asJSON)
		},
	}
	cmd.Flags().BoolVar(&o.Payload, "payload", false, "with the payload (client data)")
	cmd.Flags().IntVar(&o.Attempts, "attempts", admin.DefaultAttempts, "so many of the last calls")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func showMapping(ctx context.Context, std streams, id string, o admin.Show, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState)
	if err != nil {
		return err
	}
	var d admin.Detail
	err = reading(ctx, cfg, func(b backend) error {
		var err error
		d, err = b.Show(ctx, id, o)
		return err
	})
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(std.out, d)
	default:
		return printDetail(std.out, d)
	}
}

func printDetail(out io.Writer, d admin.Detail) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, format string, args ...any) { say(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	line("event", "%s (%s)", printable(d.SentraEventID), printable(d.EventType))
	line("status", "%s", statusText(d))
	line("appointment", "%s", optional(d.GHLAppointmentID))
	line("wanted", "%s, as of commit %s at %s (revision %d)", d.Wanted, d.CommitLSN, moment(d.CommittedAt), d.Revision)
	line("GHL has", "%s", ghlText(d))
	line("attempts", "%d since the last success or change; last %s, next %s", d.Attempts, moment(d.LastSyncAttempt), moment(d.NextAttemptAt))
	if d.SyncError != nil {
		line("error", "%s%s", optional(d.SyncError), explain(*d.SyncError))
	}
	if c := d.Call; c != nil {
		line("call", "%s", callText(c))
	}
	line("created", "%s", moment(d.CreatedAt))
	line("updated", "%s", moment(d.UpdatedAt))
	if d.Payload != nil {
		line("payload", "%s", printable(string(d.Payload)))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return printAttempts(out, d.LastAttempts)
}

func statusText(d admin.Detail) string {
	text := d.SyncStatus
	if d.Hold != nil {
		text += ", deletion " + *d.Hold
	}
	if d.Assumed {
		text += ", assumed to be in GHL since before ghlsync"
	}
	if d.Drift != nil {
		text += fmt.Sprintf(", %s by somebody else in GHL at %s", *d.Drift, moment(d.DriftAt))
	}
	return text
}

func ghlText(d admin.Detail) string {
	text := d.GHLState
	if text == "present" && d.GHLHash != nil && d.PayloadHash != nil && *d.GHLHash != *d.PayloadHash {
		text = "an older state"
	}
	if d.GHLAt != nil {
		text += ", known since " + moment(d.GHLAt)
	}
	return text
}

// callText tells of the call that is not done: in flight, of unknown outcome, or
// refused and to be made again.
func callText(c *admin.Call) string {
	text := c.Operation + ", " + strings.ReplaceAll(c.State, "_", " ")
	if c.Tries > 0 { // how often its outcome may have become unknown
		text += fmt.Sprintf(", try %d", c.Tries)
	}
	return text + ", started " + moment(c.StartedAt) + ", delivery " + c.DeliveryID
}

// explain adds a sentence to a code of a call. Reasons of our own are not in
// upper case and speak for themselves.
func explain(code string) string {
	if code != strings.ToUpper(code) {
		return ""
	}
	return " (" + ghl.Explain(code) + ")"
}

func printAttempts(out io.Writer, attempts []admin.Attempt) error {
	if len(attempts) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	say(w, "\nCALL\tSTARTED\tTOOK\tHTTP\tOUTCOME\tCODE\tDELIVERY\n")
	for _, a := range attempts {
		status := "-"
		if a.HTTPStatus != nil {
			status = fmt.Sprint(*a.HTTPStatus)
		}
		say(w, "%s\t%s\t%.1f ms\t%s\t%s\t%s\t%s\n", a.Operation, moment(&a.StartedAt), a.DurationMS, status,
			a.Outcome, optional(a.ErrorCode), a.DeliveryID)
	}
	return w.Flush()
}
