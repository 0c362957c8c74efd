package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"ghlsync/internal/doctor"
	"ghlsync/internal/logging"
)

const doctorHelp = `Check everything that a daemon needs: the settings, Sentra's database and what the
role may do there, publication and slot, the state file, and the way to GHL; with
GHL_MODE=api also token, scopes, location and calendars. Each finding comes with what
mends it, SQL and settings exact.

It makes and changes nothing, works beside a running daemon, and answers within
half a minute whoever does not. Nothing is sent to GHL's webhook, and its API is only
read, by four requests. --send-test asks for one call more: the deletion of an event,
or with GHL_MODE=api an appointment, that does not exist (` + "`ghlsync-doctor-test`" + `).

SQL is for the superuser, or the owner of what it changes.

Exit code 1 if a check fails (✗): a run would fail. Warnings (!) are for you to
judge; what could not be looked at (-) says why.`

func newDoctor(std streams) *cobra.Command {
	var asJSON, sendTest bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check that a run would work, and say what mends it",
		Long:  doctorHelp,
		Example: `  ghlsync doctor
  ghlsync doctor --send-test
  ghlsync doctor --json | jq -r '.checks[] | select(.status == "fail") | .sql[]?'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), std, sendTest, asJSON) },
	}
	cmd.Flags().BoolVar(&sendTest, "send-test", false, "make one harmless call to GHL")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func runDoctor(ctx context.Context, std streams, sendTest, asJSON bool) error {
	report := doctor.Run(ctx, doctor.Options{Environment: std.environment(), SendTest: sendTest})
	if asJSON {
		if err := printJSON(std.out, report); err != nil {
			return err
		}
	} else {
		printExamination(std.out, report, logging.Coloured(std.out))
	}
	if !report.OK {
		return errNotWell
	}
	return nil
}

// marks are how a status is shown, and its colour on a terminal.
var marks = map[doctor.Status]struct{ mark, colour string }{
	doctor.OK: {"✓", "32"}, doctor.Warn: {"!", "33"}, doctor.Fail: {"✗", "31"}, doctor.Skipped: {"-", "2"},
}

func printExamination(out io.Writer, report doctor.Report, coloured bool) {
	counts := make(map[doctor.Status]int)
	for _, c := range report.Checks {
		counts[c.Status]++
		mark := marks[c.Status].mark
		if coloured {
			mark = "\x1b[" + marks[c.Status].colour + "m" + mark + "\x1b[0m"
		}
		say(out, "%s %-16s  %s\n", mark, c.Name, oneLine(c.Detail))
		if c.Mend != "" {
			say(out, "    %s\n", oneLine(c.Mend))
		}
		for _, sql := range c.SQL {
			say(out, "      %s\n", sql)
		}
	}
	say(out, "%s\n", verdict(counts))
}

// oneLine keeps a text that others have written to its line.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return printable(text)
}

func verdict(counts map[doctor.Status]int) string {
	var parts []string
	part := func(s doctor.Status, one, many string) {
		switch n := counts[s]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	part(doctor.Fail, "check fails", "checks fail")
	part(doctor.Warn, "warning", "warnings")
	part(doctor.Skipped, "check was not made", "checks were not made")
	end := "A run would work"
	if counts[doctor.Fail] > 0 {
		end = "A run would fail"
	}
	if len(parts) == 0 {
		return end + "."
	}
	return end + ": " + strings.Join(parts, ", ") + "."
}
