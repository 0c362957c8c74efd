package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"ghlsync/internal/config"
	"ghlsync/internal/version"
	"ghlsync/state/dump"
)

func newStateExport(std streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "export FILE | -", Short: "Write all of the state to a file, as of one moment", Args: cobra.ExactArgs(1),
		Long: `Write all of the state to a new file (mode 0600), or to stdout (-), as it is at one
moment. The daemon goes on meanwhile. Calls that are in flight are written as such:
who imports them finds out what became of them, as after a crash.

A file that is there already is not written over. One that was cut off has no end,
and an import refuses it.`,
		Example: `  ghlsync state export backup-$(date +%F).jsonl
  ghlsync state export - | age -r age1… > backup.age`,
		RunE: func(cmd *cobra.Command, args []string) error { return exportState(cmd.Context(), std, args[0], asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func exportState(ctx context.Context, std streams, path string, asJSON bool) (err error) {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState)
	if err != nil {
		return err
	}
	from, backend, err := openSource(ctx, cfg.State.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	h := dump.Header{Source: backend, Program: version.Read().Version, ExportedAt: time.Now().UTC()}
	var c dump.Counts
	write := func(w io.Writer) (err error) {
		c, err = dump.Write(ctx, w, from, h)
		return err
	}
	if path == "-" {
		if err := write(std.out); err != nil {
			return err
		}
		return tellMoved(std.err, "exported", c, asJSON)
	}
	if err := writeNew(path, write); err != nil {
		return err
	}
	return tellMoved(std.out, "exported", c, asJSON)
}

// writeNew makes a file that is whole and durable when it returns without error, and
// else takes away what it has made. A crash leaves a file without an end.
func writeNew(path string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make the export's file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func tellMoved(out io.Writer, done string, c dump.Counts, asJSON bool) error {
	if asJSON {
		return printJSON(out, c)
	}
	say(out, "%s %s\n", done, c)
	return nil
}
