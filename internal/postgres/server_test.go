package postgres

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// ask returns a query's only value as text.
func ask(t *testing.T, s *Server, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // the answer is what counts
	rows, err := conn.Query(t.Context(), sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	values, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) { return string(row.RawValues()[0]), nil })
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.Join(values, ",")
}

func started(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	s := started(t, Options{Dir: dir, Settings: map[string]string{"application_name": `it's a \test`}})
	for name, want := range map[string]string{
		"wal_level": "logical", "max_wal_senders": "20", "max_replication_slots": "20", "max_prepared_transactions": "10",
		"fsync": "off", "synchronous_commit": "on", "autovacuum": "on", "listen_addresses": "127.0.0.1",
		"unix_socket_directories": "", "server_encoding": "UTF8", "wal_segment_size": "1MB", "application_name": `it's a \test`,
		"port": strconv.Itoa(s.Port()), "data_directory": s.DataDir(),
	} {
		if got := ask(t, s, "show "+name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got := ask(t, s, `select current_user || ' ' || usesuper from pg_user where usename = current_user`); got != "postgres true" {
		t.Errorf("connected as %s", got)
	}
	if got := ask(t, s, `show server_version`); !strings.HasPrefix(got, s.Binaries().Version) {
		t.Errorf("server %s from %v", got, s.Binaries())
	}
	info, err := os.Stat(s.DataDir())
	if err != nil {
		t.Fatal(err)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid == 0 {
		t.Error("the data belong to root")
	}
	if s.LogTail() == "" {
		t.Error("no log")
	}

	pid := s.PID()
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if exists(pid) || s.PID() != 0 {
		t.Errorf("process %d is still there", pid)
	}
	if left := entries(t, dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := s.StartAgain(t.Context()); !errors.Is(err, ErrStopped) {
		t.Errorf("started again after Stop: %v", err)
	}
}

func TestServersFromATemplateComeBack(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	template, err := NewTemplate(t.Context(), Binaries{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		away func(*testing.T, *Server)
	}{
		{"Restart", func(t *testing.T, s *Server) {
			if err := s.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"Halt", func(t *testing.T, s *Server) { s.Halt(t.Context()) }},
		{"Kill", func(_ *testing.T, s *Server) { s.Kill() }},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := started(t, Options{Template: template, Dir: dir, WALLevel: "replica"})
			ask(t, s, `create table kept as select 'yes' as value`)
			ask(t, s, `alter system set wal_level = 'minimal'`)
			ask(t, s, `alter system set max_wal_senders = '0'`)
			address, pid := s.URL("x y"), s.PID()
			test.away(t, s)
			if exists(pid) {
				t.Error("the process is still there")
			}
			for range 2 {
				if err := s.StartAgain(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if now := s.PID(); now == 0 || now == pid {
				t.Errorf("process %d after %d", now, pid)
			}
			if s.URL("x y") != address {
				t.Errorf("address %s became %s", address, s.URL("x y"))
			}
			if got := ask(t, s, `select value from kept`); got != "yes" {
				t.Errorf("the data are %q", got)
			}
			if got := ask(t, s, `show wal_level`); got != "minimal" {
				t.Errorf("wal_level %s: ALTER SYSTEM does not count", got)
			}
		})
	}
	if err := template.Remove(); err != nil {
		t.Fatal(err)
	}
	if left := entries(t, dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRestartWaitsForItsPort(t *testing.T) {
	t.Parallel()
	s := started(t, Options{})
	s.Halt(t.Context())
	taken, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port())))
	if err != nil {
		t.Fatal(err)
	}
	outcome := make(chan error, 1)
	go func() { outcome <- s.StartAgain(t.Context()) }()
	eventually(t, "the server meets a taken port", func() bool { return strings.Contains(s.LogTail(), "could not bind") })
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-outcome; err != nil {
		t.Fatal(err)
	}
}

func TestStartSaysWhyItFails(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		name    string
		ctx     context.Context
		options Options
		want    string
	}{
		{"a setting that does not exist", t.Context(), Options{Settings: map[string]string{"no_such": "1"}}, `unrecognized configuration parameter "no_such"`},
		{"a setting that does not fit", t.Context(), Options{Settings: map[string]string{"max_connections": "0"}}, `max_connections`},
		{"a level that does not exist", t.Context(), Options{WALLevel: "some"}, `invalid value for parameter "wal_level": "some"`},
		{"the server's port", t.Context(), Options{Settings: map[string]string{"port": "1"}}, `setting "port" cannot be "1" here`},
		{"a second line", t.Context(), Options{Settings: map[string]string{"jit": "off\nport = 1"}}, `setting "jit" cannot be`},
		{"another name", t.Context(), Options{Settings: map[string]string{"jit = on #": "off"}}, `setting "jit = on #" cannot be`},
		{"no time", cancelled, Options{}, context.Canceled.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.options.Dir = openFolder(t)
			s, err := Start(test.ctx, test.options)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("server %v, error %v; want %q", s, err, test.want)
			}
			if left := entries(t, test.options.Dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	if _, err := Start(t.Context(), Options{Dir: filepath.Join(t.TempDir(), "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
}

func TestFolderThatIsClosedToTheServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	if err := os.MkdirAll(filepath.Join(closed, "below"), 0o700); err != nil {
		t.Fatal(err)
	}
	stranger := account{name: "stranger", uid: 1 << 30, gid: 1 << 30}
	err := stranger.mayPass(filepath.Join(closed, "below"))
	if err == nil || !strings.Contains(err.Error(), "user stranger cannot enter "+filepath.Join(closed, "below")) {
		t.Errorf("a stranger may pass: %v", err)
	}
	if err := (account{}).mayPass(closed); err != nil {
		t.Errorf("the process itself may not pass: %v", err)
	}
	if err := stranger.mayPass("/"); err != nil {
		t.Errorf("nobody may enter the root folder: %v", err)
	}
}
