package main

import (
	"context"

	"github.com/spf13/cobra"

	"ghlsync/internal/config"
	"ghlsync/state"
	"ghlsync/state/dump"
	"ghlsync/state/postgres"
	"ghlsync/state/sqlite"
)

const stateHelp = `Export all of the state, as a backup or to move it, and import it elsewhere.

An export has everything: mappings with their payloads, checkpoints, the audit, the
appointments that are gone, and the pause. It is client data: the file is for its
owner only, and is to be kept so.

From SQLite to PostgreSQL, or back: stop the daemon, export, set STATE_URL anew,
import, start the daemon.`

func newState(std streams) *cobra.Command {
	cmd := group(&cobra.Command{
		Use: "state", Short: "Export and import the state: backups, and moves between SQLite and PostgreSQL", Long: stateHelp,
		Example: "  ghlsync state export backup.jsonl\n  ghlsync state import backup.jsonl",
	})
	cmd.AddCommand(newStateExport(std), newStateImport(std))
	return cmd
}

// source is a state to be exported.
type source interface {
	state.Exporter
	Close() error
}

// openSource opens the state that is there, beside a daemon or without one, and tells
// its backend.
func openSource(ctx context.Context, u config.StateURL) (source, string, error) {
	if u.Postgres != "" {
		r, err := postgres.OpenReadOnly(ctx, u.Postgres.Reveal())
		if err != nil {
			return nil, "", err // and not a source that holds no reader
		}
		return r, "postgres", nil
	}
	r, err := sqlite.OpenReadOnly(ctx, u.Path)
	if err != nil {
		return nil, "", err
	}
	return r, "sqlite", nil
}

// target is a state to be imported into.
type target interface {
	dump.Store
	Close() error
}

// openTarget opens the state for itself alone, and makes it where there is none. It
// is state.ErrLocked while a daemon has it open.
func openTarget(ctx context.Context, u config.StateURL) (target, error) {
	if u.Postgres != "" {
		s, err := postgres.Open(ctx, u.Postgres.Reveal(), postgres.Options{Alone: true})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	s, err := sqlite.Open(ctx, u.Path, sqlite.Options{})
	if err != nil {
		return nil, err
	}
	return s, nil
}
