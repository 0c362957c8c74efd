package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"ghlsync/cdc"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/logging"
	"ghlsync/internal/setup"
)

const setupHelp = `Prepare Sentra's database: the role's rights, the publication and the slot. It is
run once, by a DBA, with SENTRA_DATABASE_URL set to a connection that may do so (a
superuser, or the owner of the events table with CREATEROLE). What that login has no
right to is told, with the SQL, for somebody who has. It may be run again: what is
done already is left alone.

The role gets the least that works: to log in, to replicate, to read the events
table, and to read five columns of the clients table. It gets no password: set one
yourself.

--print changes nothing and prints the script instead, with --undo the one that
takes all of it away again. It asks the server what it is, where there is a
connection, and says what it assumes, where there is none.

--accept-source is for a state whose database was moved or restored elsewhere: the
daemon stops over that until somebody says that it is meant. Nothing is sent twice:
the next start takes a snapshot, sends what differs, and deletes in GHL what is gone,
under the delete fuse.

The exit code is 1 if something is left for somebody else.`

type setupFlags struct {
	role, host        string
	print, undo       bool
	postgres          int
	acceptSource, yes bool
	asJSON            bool
}

func newSetup(std streams) *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Prepare Sentra's database, or print how",
		Long:  setupHelp,
		Example: `  ghlsync setup --print > setup.sql                 for a DBA to read and run
  ghlsync setup --print --postgres 17 --host rds    without a connection
  ghlsync setup --print --undo                      how to take it away again
  SENTRA_DATABASE_URL=postgres://postgres@db/sentra ghlsync setup
  ghlsync setup --accept-source                     show both sources; --yes accepts`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSetup(cmd.Context(), std, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.role, "role", "", "the daemon's role (default: that of SENTRA_DATABASE_URL, or ghlsync where that may create roles)")
	flags.BoolVar(&f.print, "print", false, "print the SQL instead of running it")
	flags.BoolVar(&f.undo, "undo", false, "with --print: the SQL that takes it away again")
	flags.StringVar(&f.host, "host", "auto", "the hosting: auto, generic, neon, supabase or rds")
	flags.IntVar(&f.postgres, "postgres", 0, "with --print: the server's version, 14 to 18; it is not asked then")
	flags.BoolVar(&f.acceptSource, "accept-source", false, "let the state go on with the database of SENTRA_DATABASE_URL, which is another one than before")
	flags.BoolVar(&f.yes, "yes", false, "with --accept-source: do it")
	jsonFlag(cmd, &f.asJSON)
	return cmd
}

func (f setupFlags) check() error {
	odd := func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }
	switch {
	case f.undo && !f.print:
		return usageError("--undo goes with --print: what it drops is for a person to look at first")
	case f.print && f.asJSON:
		return usageError("--print prints SQL: leave out --json")
	case f.acceptSource && (f.print || f.asJSON || f.role != ""):
		return usageError("--accept-source is about the state: only --yes goes with it")
	case f.yes && !f.acceptSource:
		return usageError("--yes goes with --accept-source")
	case f.postgres != 0 && !f.print:
		return usageError("--postgres goes with --print: a server that is connected to is asked")
	case strings.ContainsFunc(f.role, odd) || len(f.role) > 63 || strings.Contains(f.role, "$ghlsync$"):
		return usageError("--role is no name for a role")
	case f.postgres != 0 && (f.postgres < 14 || f.postgres > 18):
		return usageError(fmt.Sprintf("--postgres %d is out of range: use 14 to 18", f.postgres))
	}
	return nil
}

func runSetup(ctx context.Context, std streams, f setupFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	switch {
	case f.acceptSource:
		return acceptSource(ctx, std, f.yes)
	case f.print:
		return printScript(ctx, std, f)
	}
	t, err := setupTarget(ctx, std, f, config.NeedDatabase, config.NeedObjects)
	if err != nil {
		return err
	}
	survey, err := cdc.Look(ctx, t.Source)
	if err != nil {
		return err
	}
	t.Learn(survey)
	t.Role = f.chosen(survey)
	r, err := setup.Run(ctx, t)
	if err != nil {
		return err
	}
	if f.asJSON {
		err = printJSON(std.out, r)
	} else {
		err = printSetup(std.out, t, r)
	}
	if err == nil && !r.Done {
		return errNotWell
	}
	return err
}

// chosen is the daemon's role. A login that may create roles is a DBA's; another
// one is taken to be the daemon's own.
func (f setupFlags) chosen(v cdc.Survey) string {
	switch {
	case f.role != "":
		return f.role
	case v.Creator || v.Role == "":
		return defaultRole
	default:
		return v.Role
	}
}

const defaultRole = "ghlsync"

// printScript asks the server what it is, but does without an answer: often the
// role that it would log in as is yet to be made.
func printScript(ctx context.Context, std streams, f setupFlags) error {
	needs := []config.Need{config.NeedObjects}
	url, _ := std.environment().Lookup("SENTRA_DATABASE_URL")
	if url != "" {
		needs = append(needs, config.NeedDatabase)
	}
	t, err := setupTarget(ctx, std, f, needs...)
	if err != nil {
		return err
	}
	survey := cdc.Survey{Role: loginOf(url)}
	if url != "" && f.postgres == 0 {
		if looked, err := cdc.Look(ctx, t.Source); err == nil {
			survey = looked
			t.Learn(survey)
		} else {
			say(std.err, "warning: printed without a look at the server: %v\n", err)
		}
	}
	t.Role = f.chosen(survey)
	var script string
	if f.undo {
		script, err = setup.Undo(t)
	} else {
		script, err = setup.Script(ctx, t)
	}
	say(std.out, "%s", script)
	return err
}

// loginOf is the role of a connection string, or "".
func loginOf(url string) string {
	if parsed, err := pgx.ParseConfig(url); err == nil && url != "" {
		return parsed.User
	}
	return ""
}

// setupTarget is what can be told without a look.
func setupTarget(ctx context.Context, std streams, f setupFlags, needs ...config.Need) (t setup.Target, err error) {
	cfg, _, err := config.Load(ctx, std.environment(), needs...)
	if err != nil {
		return t, err
	}
	// What holds the creation of the slot up shows on stderr.
	t = setup.Target{Source: daemon.SourceConfig(cfg, logging.New(std.err, slog.LevelWarn, config.LogText)), Host: setup.Generic, Version: f.postgres * 10000}
	if parsed, err := pgx.ParseConfig(t.Source.URL); err == nil {
		t.Host = setup.HostOf(parsed.Host)
	}
	if f.host != "auto" {
		if t.Host, err = setup.ParseHost(f.host); err != nil {
			return t, usageError("--" + err.Error())
		}
	}
	return t, nil
}

var setupWords = map[setup.Status]string{setup.Already: "already there", setup.Done: "done", setup.Left: "LEFT"}

func printSetup(out io.Writer, t setup.Target, r setup.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range r.Steps {
		say(w, "%s\t%s\t%s\n", printable(s.Name), setupWords[s.Status], printable(s.Why))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Done {
		say(out, "\nAll is there. Give role %s a password if it has none (in psql: \\password %s), and start the daemon: ghlsync run\n",
			printable(t.Role), cdc.Quote(t.Role))
		return nil
	}
	say(out, "\nLeft for somebody with the right to it, in this order:\n")
	for _, s := range r.Steps {
		if s.Status != setup.Left {
			continue
		}
		say(out, "\n-- %s: %s\n", printable(s.Name), printable(s.Who))
		for _, sql := range s.SQL {
			say(out, "%s\n", sql)
		}
	}
	return nil
}
