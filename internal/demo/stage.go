package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl/sandbox"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/demo/desk"
	"ghlsync/internal/postgres"
	"ghlsync/testdata/sentra"
)

// stage is what the play is played on: the parts, and how to end them.
type stage struct {
	server    *postgres.Server
	sandbox   *sandbox.Sandbox
	daemon    *daemon.Daemon
	desk      *desk.Desk // where a person works in Sentra
	adminURL  string     // of Sentra's database, as its owner
	daemonURL string     // the same, as the role that the DBA made for the daemon
	secret    string     // with which the sandbox calls the daemon back

	dir  string                        // to make the server's folder in; empty: as package postgres chooses
	undo []func(context.Context) error // what ends the parts, the last one first
}

// database is Sentra's. The DBA's part is README's: a role that sees the one
// table and five columns of the other, and the publication.
const (
	createDatabase = `CREATE DATABASE sentra`
	dbaSetup       = `
		CREATE ROLE ghlsync LOGIN REPLICATION BYPASSRLS;
		GRANT USAGE ON SCHEMA public TO ghlsync;
		GRANT SELECT ON public.calendar_events TO ghlsync;
		GRANT SELECT (id, name, business_name, email, phone) ON public.clients TO ghlsync;
		CREATE PUBLICATION ghlsync FOR TABLE public.calendar_events
			WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`
)

// open builds the stage, the daemon last but for the page on which one plays along. After an error close ends what is
// there already.
func (s *stage) open(ctx context.Context, bin postgres.Binaries, j *journal, log *slog.Logger) error {
	if err := s.openPostgres(ctx, bin); err != nil {
		return err
	}
	if err := s.openSentra(ctx); err != nil {
		return err
	}
	if err := s.openSandbox(ctx, j); err != nil {
		return err
	}
	if err := s.openDaemon(ctx, j, log); err != nil {
		return err
	}
	return s.openDesk(ctx)
}

func (s *stage) openPostgres(ctx context.Context, bin postgres.Binaries) error {
	server, err := postgres.Start(ctx, postgres.Options{Binaries: bin, Dir: s.dir})
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	s.server = server
	s.undo = append(s.undo, server.Stop)
	if s.adminURL, err = asRole(server.URL("sentra"), "postgres"); err != nil {
		return err
	}
	s.daemonURL, err = asRole(server.URL("sentra"), "ghlsync")
	return err
}

// asRole puts another role into a connection string. The server trusts all.
func asRole(connection, role string) (string, error) {
	u, err := url.Parse(connection)
	if err != nil {
		return "", fmt.Errorf("read the server's address: %w", err)
	}
	u.User = url.User(role)
	return u.String(), nil
}

// openSentra makes the database that the daemon finds: tables, rows, and what a
// DBA has prepared.
func (s *stage) openSentra(ctx context.Context) error {
	if err := execute(ctx, s.server.URL("postgres"), createDatabase); err != nil {
		return fmt.Errorf("make Sentra's database: %w", err)
	}
	if err := execute(ctx, s.adminURL, sentra.Schema, sentra.Seed, dbaSetup); err != nil {
		return fmt.Errorf("make Sentra's tables: %w", err)
	}
	return nil
}

// execute sends texts of SQL on a connection of their own.
func execute(ctx context.Context, connection string, texts ...string) (err error) {
	conn, err := pgx.Connect(ctx, connection)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	for _, text := range texts {
		if _, err := conn.Exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) openSandbox(ctx context.Context, j *journal) error {
	s.sandbox = sandbox.New(sandbox.Options{OnRequest: j.arrive})
	s.undo = append(s.undo, func(context.Context) error { s.sandbox.Close(); return nil })
	return s.sandbox.Start(ctx, "127.0.0.1:0")
}

func (s *stage) openDaemon(ctx context.Context, j *journal, log *slog.Logger) error {
	// Beside the server's data: were this process killed, the server's keeper
	// would remove the state with it.
	dir, err := os.MkdirTemp(filepath.Dir(s.server.DataDir()), "ghlsync-state-")
	if err != nil {
		return fmt.Errorf("make a folder for the state: %w", err)
	}
	s.undo = append(s.undo, func(context.Context) error { return os.RemoveAll(dir) })
	s.secret = rand.Text()
	cfg, err := s.settings(ctx, dir)
	if err != nil {
		return err
	}
	s.daemon = daemon.New(cfg, log, daemon.Hooks{Delivered: j.finish})
	if err := s.daemon.Start(ctx); err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	s.undo = append(s.undo, s.daemon.Stop)
	s.sandbox.CallBack(sandbox.Callbacks{URL: s.daemonAt() + "/callbacks/ghl", Secret: s.secret})
	return nil
}

func (s *stage) openDesk(ctx context.Context) (err error) {
	s.desk, err = desk.Open(ctx, s.adminURL,
		desk.Link{Name: "what the daemon makes of it", URL: s.daemonAt() + "/"}, desk.Link{Name: "what GHL has", URL: s.sandbox.URL() + "/"})
	if err != nil {
		return err
	}
	s.undo = append(s.undo, func(context.Context) error { s.desk.Close(); return nil })
	return nil
}

// settings are what an operator would put into the environment, read by the same
// loader. All that exists is pushed, so that both books begin equal; the rate is
// no limit and an unknown outcome settles soon, for there is no GHL to spare.
func (s *stage) settings(ctx context.Context, dir string) (config.Config, error) {
	cfg, warnings, err := config.Load(ctx, config.FromMap(map[string]string{
		"SENTRA_DATABASE_URL": s.daemonURL,
		"SENTRA_BACKFILL":     "all",
		"STATE_URL":           "sqlite:" + filepath.Join(dir, "state.db"),
		"GHL_WEBHOOK_URL":     s.sandbox.WebhookURL(),
		"GHL_RATE":            "500/s",
		"GHL_BURST":           "100",
		"GHL_SETTLE":          "2s",
		"GHL_TIMEOUT":         "5s",
		"GHL_RETRY_BASE":      "250ms",
		"GHL_RETRY_CAP":       "5s",
		"HTTP_ADDR":           "127.0.0.1:0",
		"CALLBACK_SECRET":     s.secret,
	}), config.All()...)
	if err != nil {
		return config.Config{}, fmt.Errorf("set the daemon up: %w", err)
	}
	if len(warnings) > 0 {
		return config.Config{}, fmt.Errorf("set the daemon up: %s", warnings[0])
	}
	return cfg, nil
}

func (s *stage) daemonAt() string  { return "http://" + s.daemon.Addr() }
func (s *stage) statusURL() string { return s.daemonAt() + "/api/v1/status" }

// closing is how long the end of everything may take.
const closing = 10 * time.Second

// close ends all parts, the last one first, whatever has become of ctx, and
// tells what did not end well. It may be called twice.
func (s *stage) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
	defer cancel()
	var wrong []error
	for _, end := range slices.Backward(s.undo) {
		wrong = append(wrong, end(ctx))
	}
	s.undo = nil
	return errors.Join(wrong...)
}
