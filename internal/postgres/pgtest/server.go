package pgtest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"ghlsync/internal/postgres"
	"ghlsync/testdata/sentra"
)

const (
	startTimeout = 90 * time.Second
	stopTimeout  = 20 * time.Second
	// schemaTemplate is the database on the shared server that Database copies.
	schemaTemplate = "sentra_template"
)

// shared is the package's server, with the template of the data directory that Own copies too.
var shared struct {
	sync.Mutex
	template *postgres.Template
	server   *postgres.Server
	err      error // of the first attempt; every further test fails with it at once
}

// Main is Run, and exits with its code.
func Main(m *testing.M, options ...goleak.Option) { os.Exit(Run(m, options...)) }

// Run runs a package's tests, stops the shared server if one was started, and checks that no goroutine is left. It gives
// the tests' code, or 1 where the check or the stop fails.
func Run(m *testing.M, options ...goleak.Option) int {
	code := m.Run()
	if err := stopShared(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest: stop the shared server:", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			fmt.Fprintln(os.Stderr, "pgtest: the tests leave goroutines behind:", err)
			code = 1
		}
	}
	return code
}

func stopShared() error {
	shared.Lock()
	defer shared.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if shared.server != nil {
		if err := shared.server.Stop(ctx); err != nil {
			return err
		}
	}
	if shared.template != nil {
		return shared.template.Remove()
	}
	return nil
}

// Server is the package's shared server. A test must neither stop it nor change its settings: see Own.
func Server(t testing.TB) *postgres.Server {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.err = startShared()
	}
	if shared.err != nil {
		t.Fatalf("start the shared server: %v", shared.err)
	}
	return shared.server
}

// startShared runs under the lock.
func startShared() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	template, err := dataTemplate(ctx)
	if err != nil {
		return err
	}
	server, err := postgres.Start(ctx, postgres.Options{Template: template})
	if err != nil {
		return err
	}
	shared.server = server // from here on stopShared ends it, whatever happens below
	if err := execOn(ctx, server.URL("postgres"), "create database "+schemaTemplate); err != nil {
		return err
	}
	return execOn(ctx, server.URL(schemaTemplate), sentra.Schema)
}

// Major is the major version of the servers here, for what not every version has.
func Major(t testing.TB) int {
	t.Helper()
	return Server(t).Binaries().Major
}

// dataTemplate runs under the lock.
func dataTemplate(ctx context.Context) (*postgres.Template, error) {
	if shared.template == nil {
		template, err := postgres.NewTemplate(ctx, postgres.Binaries{}, "")
		if err != nil {
			return nil, err
		}
		shared.template = template
	}
	return shared.template, nil
}

// Own starts a server for this test alone, to stop, kill or configure; it goes with the test. Binaries, where given,
// are used, else those of the shared server. Databases on it come from DatabaseOn.
func Own(t testing.TB, o postgres.Options) *postgres.Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	if o.Binaries.Dir == "" && o.Template == nil {
		shared.Lock()
		template, err := dataTemplate(ctx)
		shared.Unlock()
		if err != nil {
			t.Fatalf("make a data directory: %v", err)
		}
		o.Template = template
	}
	server, err := postgres.Start(ctx, o)
	if err != nil {
		t.Fatalf("start a server: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := afterTest(t)
		defer cancel()
		if err := server.Stop(ctx); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	return server
}

// StandbySlot is the primary's physical slot that Standby streams from.
const StandbySlot = "standby"

// Standby starts a standby of a server from Own, which is restarted for it. database is the one that slots are
// synchronised by (Postgres 17 and later). When it has started, it receives what the primary writes.
func Standby(t testing.TB, primary *postgres.Server, database string, settings map[string]string) *postgres.Server {
	t.Helper()
	if err := execOn(t.Context(), primary.URL("postgres"), "select pg_create_physical_replication_slot('"+StandbySlot+"', true)"); err != nil {
		t.Fatalf("create the standby's slot: %v", err)
	}
	o := postgres.Options{Template: primary.Copy(), Standby: true, Settings: map[string]string{
		"primary_conninfo":     fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=%s", primary.Port(), database),
		"primary_slot_name":    StandbySlot,
		"hot_standby_feedback": "on",
	}}
	maps.Copy(o.Settings, settings)
	primary.Halt(t.Context())
	standby := Own(t, o)
	if err := primary.StartAgain(t.Context()); err != nil {
		t.Fatalf("start the primary again: %v", err)
	}
	// What found no primary at its start tries again by itself, but only after a minute.
	if err := standby.Restart(t.Context()); err != nil {
		t.Fatalf("start the standby again: %v", err)
	}
	return standby
}

// afterTest is a context for cleanups: the test's own has ended by then.
func afterTest(t testing.TB) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(t.Context()), stopTimeout)
}

// execOn runs statements, several of them allowed, on a connection of their own.
func execOn(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx) //nolint:errcheck // the statements' outcome is known by then
	_, err = conn.Exec(ctx, sql)
	return err
}
