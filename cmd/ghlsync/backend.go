package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

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

// running is the daemon that a command may talk to. silence says why it does not,
// where one has the state open all the same. A state on a server has none of its
// own: any daemon will do, and HTTP_ADDR names one.
func running(cfg config.Config) (client *admin.Client, silence string, err error) {
	token := cfg.HTTP.Token.Reveal()
	if cfg.State.URL.Postgres != "" {
		return admin.NewClient(cfg.HTTP.Addr, token), "no daemon answers at HTTP_ADDR=" + cfg.HTTP.Addr, nil
	}
	holding, held, err := sqlite.Holder(cfg.State.URL.Path)
	switch {
	case err != nil || !held:
		return nil, "", err
	case holding.HTTPAddr == "":
		return nil, fmt.Sprintf("process %d has the state open and does not serve HTTP (yet)", holding.PID), nil
	default:
		return admin.NewClient(holding.HTTPAddr, token), fmt.Sprintf("process %d has the state open and does not answer at %s", holding.PID, holding.HTTPAddr), nil
	}
}

// reading runs a question that changes nothing. It goes to the daemon where one
// answers, and to the state otherwise: a daemon that hangs must not keep its
// operator from looking.
func reading(ctx context.Context, cfg config.Config, question func(backend) error) error {
	client, silence, err := running(cfg)
	if err != nil {
		return err
	}
	if client != nil {
		if err := question(client); !errors.Is(err, admin.ErrUnreachable) {
			return err
		}
	}
	return readingState(ctx, cfg, silence, question)
}

// readingState asks the state itself. That there is none is for the question to
// tell.
func readingState(ctx context.Context, cfg config.Config, silence string, question func(backend) error) (err error) {
	service := &admin.Service{
		SlotName: cfg.CDC.Slot,
		Live:     admin.Offline{Enabled: cfg.GHL.WebhookEnabled, Silence: silence},
	}
	if url := cfg.Sentra.DatabaseURL.Reveal(); url != "" {
		service.Slots = slotinfo.New(url, cfg.CDC.Slot)
		service.Events = eventinfo.New(daemon.SourceConfig(cfg, slog.New(slog.DiscardHandler)), daemon.RulesOf(cfg))
	}
	reader, opening := daemon.OpenReader(ctx, cfg.State.URL)
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
		func(client *admin.Client) error { return work(client) },
		func(store daemon.Store) error { return work(operate.New(store, daemon.ClockOf(store), nil)) })
}

// writing runs what writes to the state: through the daemon where one runs,
// otherwise on the state itself: on a file under its lock, on a server beside
// daemons, who look within a second.
func writing(ctx context.Context, cfg config.Config, through func(*admin.Client) error, alone func(daemon.Store) error) (err error) {
	client, _, err := running(cfg)
	if err != nil {
		return err
	}
	if client != nil {
		err := through(client)
		if cfg.State.URL.Postgres == "" || !errors.Is(err, admin.ErrUnreachable) {
			return err
		}
	}
	store, err := daemon.OpenExisting(ctx, cfg.State.URL)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return alone(store)
}
