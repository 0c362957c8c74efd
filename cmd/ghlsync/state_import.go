package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"ghlsync/internal/config"
	"ghlsync/state/dump"
)

func newStateImport(std streams) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "import FILE | -", Short: "Read an export into an empty state", Args: cobra.ExactArgs(1),
		Long: `Read an export, from a file or from stdin (-), into the state at STATE_URL, which must
be empty; where there is none it is made. All of it is stored or, whatever happens,
nothing. It refuses while a daemon has the state open, and an export that was cut off,
was changed, or was written by a newer ghlsync.

Do not let two daemons deliver from two copies of one state. If the export is older
than the slot, the daemon sees that on its start, and heals by a snapshot.`,
		Example: `  ghlsync state import backup.jsonl
  STATE_URL_FILE=/run/secrets/state_url ghlsync state import backup.jsonl`,
		RunE: func(cmd *cobra.Command, args []string) error { return importState(cmd.Context(), std, args[0], asJSON) },
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func importState(ctx context.Context, std streams, path string, asJSON bool) (err error) {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState)
	if err != nil {
		return err
	}
	in, err := openExport(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	into, err := openTarget(ctx, cfg.State.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, into.Close()) }()
	c, err := dump.Read(ctx, in, into)
	if err != nil {
		return fmt.Errorf("nothing was imported: %w", err)
	}
	return tellMoved(std.out, "imported", c, asJSON)
}

func openExport(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(os.Stdin), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the export: %w", err)
	}
	return f, nil
}
