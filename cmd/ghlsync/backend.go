package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/eventinfo"
	"ghlsync/internal/operate"
	"ghlsync/internal/slotinfo"
	"ghlsync/state/sqlite"
)

// backend answers a command's question: the running daemon, or the state itself.
type backend interface {
	Status(ctx context.Context) (admin.Status, error)
	Page(ctx context.Context, q admin.Query) (admin.Page, error)
	Show(ctx context.Context, id string, o admin.Show) (admin.Detail, error)
	Explain(ctx context.Context, id string, o admin.Show) (admin.Explanation, error)
	Do(ctx context.Context, v operate.Verb, s operate.Selection) (operate.Report, error)
}

// reading runs a question that changes nothing. It goes to the daemon where one
// answers, and to the state file otherwise: a daemon that hangs must not keep its
// operator from looking.
func reading(ctx context.Context, cfg config.Config, question func(backend) error) error {
	holding, held, err := sqlite.Holder(cfg.State.URL.Path)
	if err != nil {
		return err
	}
	silence := ""
	if held {
		silence = fmt.Sprintf("process %d has the state open and does not serve HTTP (yet)", holding.PID)
	}
	if held && holding.HTTPAddr != "" {
		err := question(admin.NewClient(holding.HTTPAddr, cfg.HTTP.Token.Reveal()))
		if !errors.Is(err, admin.ErrUnreachable) {
			return err
		}
		silence = fmt.Sprintf("process %d has the state open and does not answer at %s", holding.PID, holding.HTTPAddr)
	}
	return readingFile(ctx, cfg, silence, question)
}

// readingFile asks the state file. That there is none is for the question to
// tell.
func readingFile(ctx context.Context, cfg config.Config, silence string, question func(backend) error) (err error) {
	service := &admin.Service{
		SlotName: cfg.CDC.Slot,
		Live:     admin.Offline{Enabled: cfg.GHL.WebhookEnabled, Silence: silence},
	}
	if url := cfg.Sentra.DatabaseURL.Reveal(); url != "" {
		service.Slots = slotinfo.New(url, cfg.CDC.Slot)
		service.Events = eventinfo.New(daemon.SourceConfig(cfg, slog.New(slog.DiscardHandler)), daemon.RulesOf(cfg))
	}
	reader, opening := sqlite.OpenReadOnly(ctx, cfg.State.URL.Path)
	if opening == nil {
		defer func() { err = errors.Join(err, reader.Close()) }()
		service.State = reader
	}
	service.StateError = opening
	return question(service)
}

// changing does what changes mappings or the pause: through the daemon where one
// runs, which obeys at once; otherwise in the state, under its lock.
func changing(ctx context.Context, cfg config.Config, work func(admin.Operator) error) error {
	return writing(ctx, cfg,
		func(daemon *admin.Client) error { return work(daemon) },
		func(store *sqlite.Store) error { return work(operate.New(store, time.Now, nil)) })
}

// writing runs what writes to the state: through the daemon where one runs,
// otherwise on the state itself, under its lock.
func writing(ctx context.Context, cfg config.Config, through func(*admin.Client) error, alone func(*sqlite.Store) error) (err error) {
	path := cfg.State.URL.Path
	holding, held, err := sqlite.Holder(path)
	if err != nil {
		return err
	}
	if held && holding.HTTPAddr != "" {
		return through(admin.NewClient(holding.HTTPAddr, cfg.HTTP.Token.Reveal()))
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("there is no state at STATE_URL=%s: %w; start the daemon, or set STATE_URL to its file", cfg.State.URL, errors.Unwrap(err))
	}
	store, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return alone(store)
}
