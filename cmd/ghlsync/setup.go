package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"ghlsync/cdc"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/setup"
)

const setupHelp = `Prepare Sentra's database: the role's rights, the publication and the slot. It is
run once, by a DBA, with SENTRA_DATABASE_URL set to a connection that may do so (a
superuser, or the owner of the events table with CREATEROLE). What that role has no
right to is printed for somebody who has. It may be run again: what is done already
is left alone.

The role gets the least that works: to log in, to replicate, to read the events
table, and to read five columns of the clients table. It gets no password: set one
yourself.

--print changes nothing and prints the script instead, with --undo the one that
takes all of it away again. Both work without a connection too; then --postgres and
--host say what the server is.

--accept-source is for a state whose database was moved: see its own help below.`

const acceptHelp = `accept that the state goes on with the database of SENTRA_DATABASE_URL, which is
another one than before (a restored backup, a move): the next start takes a snapshot
that outranks all older rows. Shows both; does it with --yes`

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
  SENTRA_DATABASE_URL=postgres://postgres@db/sentra ghlsync setup --role ghlsync
  ghlsync setup --print --undo                      how to take it away again`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSetup(cmd.Context(), std, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.role, "role", "ghlsync", "the daemon's role")
	flags.BoolVar(&f.print, "print", false, "print the SQL instead of running it")
	flags.BoolVar(&f.undo, "undo", false, "with --print: the SQL that takes it away again")
	flags.StringVar(&f.host, "host", "auto", "with --print: auto, generic, neon, supabase or rds")
	flags.IntVar(&f.postgres, "postgres", 0, "with --print and no connection: the server's version (14 to 18)")
	flags.BoolVar(&f.acceptSource, "accept-source", false, acceptHelp)
	flags.BoolVar(&f.yes, "yes", false, "with --accept-source: do it")
	jsonFlag(cmd, &f.asJSON)
	return cmd
}

func (f setupFlags) check() error {
	switch {
	case f.undo && !f.print:
		return usageError("--undo goes with --print: what it drops is for a person to look at first")
	case f.print && f.asJSON:
		return usageError("--print prints SQL: leave out --json")
	case f.acceptSource && (f.print || f.undo):
		return usageError("--accept-source is about the state: leave out --print")
	case f.role == "":
		return usageError("--role is empty")
	case f.postgres != 0 && (f.postgres < 14 || f.postgres > 18):
		return usageError(fmt.Sprintf("--postgres %d is out of range: use 14 to 18", f.postgres))
	}
	return nil
}

func runSetup(ctx context.Context, std streams, f setupFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.acceptSource {
		return acceptSource(ctx, std, f.yes)
	}
	t, err := setupTarget(ctx, std, f)
	if err != nil {
		return err
	}
	switch {
	case f.undo:
		say(std.out, "%s", setup.Undo(t))
		return nil
	case f.print:
		script, err := setup.Script(t)
		say(std.out, "%s", script)
		return err
	}
	r, err := setup.Run(ctx, t)
	if err != nil {
		return err
	}
	if f.asJSON {
		err = printJSON(std.out, r)
	} else {
		err = printSetup(std.out, r)
	}
	if err == nil && !r.Done {
		return errNotWell
	}
	return err
}

// setupTarget finds out what is to be prepared. Only printing works without a
// connection.
func setupTarget(ctx context.Context, std streams, f setupFlags) (t setup.Target, err error) {
	url, _ := std.environment().Lookup("SENTRA_DATABASE_URL")
	needs := []config.Need{config.NeedSlot}
	if url != "" || !f.print {
		needs = append(needs, config.NeedSource)
	}
	cfg, _, err := config.Load(ctx, std.environment(), needs...)
	if err != nil {
		return t, err
	}
	t = setup.Target{Source: daemon.SourceConfig(cfg, slog.New(slog.DiscardHandler)), Role: f.role, Host: setup.Generic, Version: 150000}
	if parsed, err := pgx.ParseConfig(url); err == nil && url != "" {
		t.Host = setup.HostOf(parsed.Host)
	}
	if f.host != "auto" {
		if t.Host, err = setup.ParseHost(f.host); err != nil {
			return t, usageError("--" + err.Error())
		}
	}
	if f.postgres != 0 {
		t.Version = f.postgres * 10000
	}
	if url == "" || !f.print || f.postgres != 0 {
		return t, nil
	}
	survey, err := cdc.Look(ctx, t.Source)
	if err != nil {
		return t, fmt.Errorf("%w\n(To print without a connection, say what the server is: --postgres 17)", err)
	}
	t.Version, t.Database, t.WALLevel = survey.ServerVersion, survey.Database, survey.WALLevel
	return t, nil
}

var setupWords = map[setup.Status]string{setup.Already: "already so", setup.Done: "done", setup.Left: "LEFT"}

func printSetup(out io.Writer, r setup.Report) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, s := range r.Steps {
		say(w, "%s\t%s\t%s\n", printable(s.Name), setupWords[s.Status], printable(s.Why))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if r.Done {
		say(out, "\nAll is there. Give the role a password if it has none, and start the daemon: ghlsync run\n")
		return nil
	}
	say(out, "\nLeft for somebody with the right to it, in this order:\n\n")
	for _, s := range r.Steps {
		for _, sql := range s.SQL {
			say(out, "%s\n", sql)
		}
	}
	return nil
}
