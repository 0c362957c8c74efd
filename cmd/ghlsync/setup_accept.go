package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"ghlsync/cdc"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/pipeline"
)

// acceptSource lets the state go on with another source, once an operator has seen
// both.
func acceptSource(ctx context.Context, std streams, yes bool) (err error) {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedDatabase, config.NeedObjects, config.NeedState)
	if err != nil {
		return err
	}
	store, err := daemon.OpenExisting(ctx, cfg.State.URL)
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
	same := prev.SystemID == survey.SystemID && prev.Database == survey.Database
	if same && (survey.Timeline >= prev.Timeline || prev.LSN == 0) {
		say(std.out, "The state belongs to this source already: database %s of system %s.\n", printable(prev.Database), prev.SystemID)
		return nil
	}
	say(std.out, "the state is of     database %s of system %s, timeline %d\nand would go on as  database %s of system %s, timeline %d\n\n",
		printable(prev.Database), prev.SystemID, prev.Timeline, printable(survey.Database), survey.SystemID, survey.Timeline)
	if survey.TableOID == 0 {
		return survey.Findings[0] // not Sentra's database
	}
	if !yes {
		say(std.out, "Nothing is changed yet. With --yes the next start compares all events with the new database:\n"+
			"what differs is sent, and what is gone is deleted in GHL, under GHL_DELETE_FUSE.\n")
		return errNotWell
	}
	if err := pipeline.Accept(ctx, store, *prev, survey.Facts, daemon.ClockOf(store)()); err != nil {
		return err
	}
	say(std.out, "Accepted. Start the daemon: it takes a snapshot first.\n")
	return nil
}
