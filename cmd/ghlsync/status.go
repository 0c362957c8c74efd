package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
)

const statusHelp = `Tell how ghlsync is doing: health and why, how far the stream is durable, the
replication slot, counts of mappings, and delivery.

It works with the daemon up or down. Without one, checkpoint and counts come from
the state, and the slot from Postgres if SENTRA_DATABASE_URL is set.

Of a state in Postgres it lists the daemons that work on it.

Exit code 0 if health is ok; 1 if it is degraded (a person should look) or down.`

func newStatus(std streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how it is doing",
		Long:  statusHelp,
		Example: `  ghlsync status
  ghlsync status --json | jq -r '.health, .reasons[]'
  ghlsync status --json | jq .slot.retained_wal_bytes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return showStatus(cmd.Context(), std, asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func showStatus(ctx context.Context, std streams, asJSON bool) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState, config.NeedSlot)
	if err != nil {
		return err
	}
	var s admin.Status
	err = reading(ctx, cfg, func(b backend) error {
		var err error
		s, err = b.Status(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(std.out, s)
	} else {
		err = printStatus(std.out, s)
	}
	if err == nil && s.Health != admin.OK {
		return errNotWell
	}
	return err
}

func printStatus(out io.Writer, s admin.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(name, text string) { say(w, "%s\t%s\n", name, text) }
	line("health", string(s.Health))
	for _, r := range s.Reasons {
		line("", "- "+printable(r))
	}
	line("daemon", daemonLine(s.Daemon))
	line("checkpoint", checkpointLine(s.Checkpoint))
	line("slot", slotLine(s.Slot))
	if s.Canary != nil {
		line("canary", canaryLine(*s.Canary))
	}
	m := s.Mappings
	line("mappings", fmt.Sprintf("%d: %d synced, %d pending (%d held), %d failed; and %d assumed to be in GHL",
		m.Total, m.Synced, m.Pending, m.Held, m.Failed, m.Assumed))
	line("delivery", deliveryLine(s.Delivery))
	for _, i := range s.Instances {
		line("instance", instanceLine(i))
	}
	return w.Flush()
}

func instanceLine(i admin.Instance) string {
	text := fmt.Sprintf("%s at %s, version %s, since %s, last seen %s", i.Role, printable(i.HTTPAddr), printable(i.Version), moment(&i.StartedAt), moment(&i.LastSeen))
	if !i.Alive {
		text += ": gone, or frozen"
	}
	return text
}

func daemonLine(d admin.Daemon) string {
	if !d.Running {
		return "not running"
	}
	return fmt.Sprintf("%s since %s, version %s", d.Phase, moment(d.Since), d.Version)
}

func checkpointLine(c *admin.Checkpoint) string {
	if c == nil {
		return "none"
	}
	text := fmt.Sprintf("%s, last commit %s, written %s", c.LSN, moment(c.CommittedAt), moment(c.UpdatedAt))
	if c.Snapshotting {
		text += ", within a snapshot"
	}
	return text
}

func slotLine(s *admin.Slot) string {
	if s == nil {
		return "not known"
	}
	use := "not in use"
	if s.Active {
		use = "in use"
	}
	left := "no limit"
	if s.SafeWALSize != nil {
		left = size(s.SafeWALSize) + " left"
	}
	if s.WALLeftBytes != nil {
		left = size(s.WALLeftBytes) + " left"
	}
	if s.WALLeftSeconds != nil {
		left += fmt.Sprintf(", for %s at the present %s/s", time.Duration(*s.WALLeftSeconds)*time.Second, size(s.WALBytesPerSecond))
	}
	return fmt.Sprintf("%s, %s, %s, confirmed %s, lag %s, retains %s of WAL (%s)", s.Name, use,
		optional(s.WALStatus), optional(s.ConfirmedFlushLSN), size(s.LagBytes), size(s.RetainedWALBytes), left)
}

func canaryLine(c admin.Canary) string {
	text := "none has come through yet"
	if c.RoundTripMS != nil {
		text = fmt.Sprintf("%.1f ms from commit to delivery", *c.RoundTripMS)
	}
	if c.WaitingSeconds != nil {
		return fmt.Sprintf("%s; one is under way for %.1f s", text, *c.WaitingSeconds)
	}
	return text + ", sent " + moment(&c.SentAt)
}

func deliveryLine(d admin.Delivery) string {
	parts := []string{"enabled"}
	switch {
	case !d.Enabled:
		parts[0] = admin.WebhookDisabled
	case d.Paused:
		parts[0] = "paused (" + d.PauseReason + ")"
	}
	parts = append(parts, "breaker "+d.Breaker, fmt.Sprintf("%d in flight", d.InFlight))
	if d.BacklogDoneAt != nil {
		parts = append(parts, fmt.Sprintf("%.3g/s, backlog done %s", d.PerSecond, moment(d.BacklogDoneAt)))
	}
	if q := d.Quota; q != nil && q.DailyRemaining >= 0 {
		parts = append(parts, fmt.Sprintf("GHL takes %d more requests today", q.DailyRemaining))
	}
	if d.NextProbe != nil {
		parts = append(parts, "next probe "+moment(d.NextProbe))
	}
	return strings.Join(append(parts, "last attempt "+moment(d.LastSyncAttempt)), ", ")
}
