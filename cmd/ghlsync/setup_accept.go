package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ghlsync/cdc"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// acceptSource lets the state go on with another source. LSNs of the two do not
// compare, so what the checkpoint says of the old one is replaced by what can never
// be continued from: the next start finds a hole, begins a new epoch and takes a
// snapshot. Mappings stay, so nothing is doubled, and what the new source does not
// have is retracted, under the delete fuse.
func acceptSource(ctx context.Context, std streams, yes bool) (err error) {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedSource, config.NeedState)
	if err != nil {
		return err
	}
	// Opening takes the lock: it fails while a daemon runs, and says which.
	store, err := sqlite.Open(ctx, cfg.State.URL.Path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	prev, err := store.Checkpoint(ctx, cfg.CDC.Slot)
	if err != nil {
		return err
	}
	if prev == nil {
		return fmt.Errorf("the state has no checkpoint of slot %s: the first start takes whatever source it is given", cfg.CDC.Slot)
	}
	survey, err := cdc.Look(ctx, daemon.SourceConfig(cfg, slog.New(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	if prev.SystemID == survey.SystemID && prev.Database == survey.Database {
		say(std.out, "The state belongs to this source already: database %q of system %s.\n", prev.Database, prev.SystemID)
		return nil
	}
	say(std.out, "state was of   database %q of system %s\nand goes on as database %q of system %s\n",
		prev.Database, prev.SystemID, survey.Database, survey.SystemID)
	if !yes {
		say(std.out, "\nNothing is changed yet. With --yes the next start compares all events with the new database: what changed is sent, what is gone is deleted in GHL (under GHL_DELETE_FUSE).\n")
		return errNotWell
	}
	next := *prev
	next.LSN, next.SystemID, next.Timeline, next.Database = 0, survey.SystemID, survey.Timeline, survey.Database
	next.Fingerprint, next.Capturer, next.UpdatedAt = "", "accepted", time.Now().UTC()
	if err := writeCheckpoint(ctx, store, prev, next); err != nil {
		return err
	}
	say(std.out, "\nAccepted. Start the daemon: it takes a snapshot first.\n")
	return nil
}

func writeCheckpoint(ctx context.Context, store state.Store, prev *state.Checkpoint, next state.Checkpoint) error {
	tx, err := store.Begin(ctx)
	if err != nil {
		return err
	}
	if err := tx.SetCheckpoint(ctx, prev, next); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit(ctx)
}
