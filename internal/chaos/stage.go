package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl/sandbox"
	"ghlsync/internal/postgres"
	"ghlsync/testdata/sentra"
)

// stage is what a run is played on.
type stage struct {
	o      Options
	out    io.Writer
	report Report

	server  *postgres.Server
	url     string // of Sentra's database, past the proxy
	ghl     *sandbox.Sandbox
	clock   atomic.Int64 // how far GHL's clock is off, in nanoseconds
	sentra  *way
	toGHL   *way
	disk    disk
	daemon  *process
	env     map[string]string
	admins  *admins
	watch   *watch
	restart sync.Mutex // held while the server is away
	turns   sync.Map   // a mutex by kind of fault
	rules   ruleBook

	mu          sync.Mutex
	diskTrouble time.Time // when the state could be written again

	arrivals arrivals
	logRead  int64 // of the daemon's log, at the last check

	undo []func(context.Context) error
}

const slotName = "ghlsync_chaos"

// open builds everything. The daemon comes last.
func open(ctx context.Context, o Options) (*stage, error) {
	s := &stage{o: o, out: o.Out}
	s.arrivals.at = make(map[int64]time.Time)
	s.report = Report{Faults: make(map[Kind]int), LeftOut: make(map[Kind]int)}
	for _, part := range []func(context.Context) error{s.openSentra, s.openGHL, s.openDaemon} {
		if err := part(ctx); err != nil {
			return nil, errors.Join(err, s.close(ctx))
		}
	}
	return s, nil
}

func (s *stage) openSentra(ctx context.Context) error {
	// Each commit is decodable and each restart quick; that the server writes little
	// between checkpoints does not matter here.
	server, err := postgres.Start(ctx, postgres.Options{Settings: map[string]string{"wal_sender_timeout": "5s"}})
	if err != nil {
		return fmt.Errorf("start Postgres: %w", err)
	}
	s.server = server
	s.undo = append(s.undo, server.Stop)
	if err := execute(ctx, server.URL("postgres"), "CREATE DATABASE sentra"); err != nil {
		return err
	}
	s.url = server.URL("sentra")
	texts := []string{sentra.Schema, sentra.Seed}
	if s.hasColumn() {
		texts = append(texts, sentra.AppointmentColumn)
	}
	if err := execute(ctx, s.url, texts...); err != nil {
		return fmt.Errorf("make Sentra's tables: %w", err)
	}
	s.sentra, err = newWay(fmt.Sprintf("127.0.0.1:%d", server.Port()))
	if err != nil {
		return err
	}
	s.undo = append(s.undo, func(context.Context) error { s.sentra.stop(); return nil })
	return nil
}

// hasColumn tells whether this Sentra has ghl_appointment_id, as some installs do.
func (s *stage) hasColumn() bool { return s.o.Seed%2 == 1 }

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

func (s *stage) openGHL(ctx context.Context) error {
	s.ghl = sandbox.New(sandbox.Options{
		LogEntries: 2_000_000,
		API:        sandbox.API{AutoContacts: true},
		OnRequest:  s.arrivals.add,
		Now:        func() time.Time { return time.Now().Add(time.Duration(s.clock.Load())) },
	})
	s.undo = append(s.undo, func(context.Context) error { s.ghl.Close(); return nil })
	if err := s.ghl.Start(ctx, "127.0.0.1:0"); err != nil {
		return err
	}
	s.rules.ghl = s.ghl
	u, err := url.Parse(s.ghl.URL())
	if err != nil {
		return err
	}
	s.toGHL, err = newWay(u.Host)
	if err != nil {
		return err
	}
	s.undo = append(s.undo, func(context.Context) error { s.toGHL.stop(); return nil })
	return nil
}

func (s *stage) openDaemon(ctx context.Context) error {
	var err error
	if s.disk, err = newDisk(filepath.Join(s.o.Dir, "state"), s.wants(DiskFull)); err != nil {
		return err
	}
	s.undo = append(s.undo, func(context.Context) error { return s.disk.close() })
	if s.env, err = s.settings(); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.o.Dir, "daemon.log"))
	if err != nil {
		return fmt.Errorf("open the daemon's log: %w", err)
	}
	s.undo = append(s.undo, func(context.Context) error { return log.Close() })
	s.admins = &admins{url: s.url, ghl: s.ghl, column: s.hasColumn(), done: make(map[Change]int), refused: make(map[string]int)}
	s.report.Changes, s.report.Refused = s.admins.done, s.admins.refused
	s.daemon = &process{log: log, command: func() *exec.Cmd { return s.command("run") }}
	s.watch = &watch{url: s.url, state: s.statePath(), daemon: s.daemon}
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() { s.daemon.keep(ctx) })
	group.Go(func() { s.watch.run(ctx) })
	s.undo = append(s.undo, func(context.Context) error { cancel(); group.Wait(); return nil })
	return nil
}

// wants tells whether the run may meet that kind of fault.
func (s *stage) wants(k Kind) bool { return len(s.o.Kinds) == 0 || slices.Contains(s.o.Kinds, k) }

func (s *stage) statePath() string { return filepath.Join(s.disk.dir, "state.db") }
func (s *stage) clockPath() string { return filepath.Join(s.o.Dir, "clock") }

// settings are the daemon's: everything is quick, so that much happens in an hour.
func (s *stage) settings() (map[string]string, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	u.Host = s.sentra.addr
	env := map[string]string{
		"HOME":                s.o.Dir,
		"SENTRA_DATABASE_URL": u.String(),
		"SENTRA_BACKFILL":     "all",
		"CDC_SLOT":            slotName,
		"CDC_CANARY":          "2s",
		"STATE_URL":           "sqlite:" + s.statePath(),
		"GHL_RATE":            "5000/s",
		"GHL_BURST":           "1000",
		"GHL_TIMEOUT":         callTimeout.String(),
		"GHL_SETTLE":          settle.String(),
		"GHL_RETRY_BASE":      "50ms",
		"GHL_RETRY_CAP":       "1s",
		"GHL_DELETE_FUSE":     "40",
		"HTTP_ADDR":           "127.0.0.1:0",
		"LOG_FORMAT":          "json",
		"LOG_LEVEL":           "debug",
		clockVariable:         s.clockPath(),
	}
	if s.o.Mode == API {
		set := s.ghl.API()
		env["GHL_MODE"], env["GHL_API_URL"] = "api", "http://"+s.toGHL.addr
		env["GHL_API_TOKEN"], env["GHL_LOCATION_ID"] = set.Token, set.LocationID
		env["GHL_ONBOARDING_CALENDAR_ID"], env["GHL_HANDOVER_CALENDAR_ID"] = "calOnboarding", "calHandover"
		return env, nil
	}
	hook, err := url.Parse(s.ghl.WebhookURL())
	if err != nil {
		return nil, err
	}
	hook.Host = s.toGHL.addr
	env["GHL_WEBHOOK_URL"] = hook.String()
	return env, nil
}

// command is a run of the binary with the settings and nothing else around it.
func (s *stage) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.o.Binary.Path, args...)
	cmd.Dir = s.o.Dir
	cmd.Env = environ(s.env)
	return cmd
}

// close ends everything, the last part first, whatever has become of ctx.
func (s *stage) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var wrong []error
	for _, end := range slices.Backward(s.undo) {
		wrong = append(wrong, end(ctx))
	}
	return errors.Join(wrong...)
}

// secrets are what must never be told; the load's values all have 'bait' in them.
// Capitals count: a delivery id is random capitals, and may well spell it.
func (s *stage) secrets() []string {
	return []string{"bait", "Bait", "example.com", "+1555", "Business 1", "Client 1", "webhook-trigger", s.ghl.API().Token}
}
