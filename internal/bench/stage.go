package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"ghlsync/internal/postgres"
	"ghlsync/state/sqlite"
	"ghlsync/testdata/sentra"
)

const slot = "ghlsync"

// stage is a Sentra with one client, and a folder for binary and state.
type stage struct {
	pg    *postgres.Server
	db    *pgx.Conn
	dir   string
	bin   string // the built ghlsync
	pgBin string
}

func newStage(ctx context.Context) (*stage, error) {
	pg, err := postgres.Start(ctx, postgres.Options{Settings: map[string]string{"max_wal_size": "8GB"}})
	if err != nil {
		return nil, err
	}
	st := &stage{pg: pg, pgBin: pg.Binaries().Dir}
	if err := st.fill(ctx); err != nil {
		return nil, errors.Join(err, st.close(context.WithoutCancel(ctx)))
	}
	return st, nil
}

func (st *stage) fill(ctx context.Context) (err error) {
	if st.dir, err = os.MkdirTemp("", "ghlsync-bench-"); err != nil {
		return err
	}
	st.bin = filepath.Join(st.dir, "ghlsync")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", st.bin, "ghlsync/cmd/ghlsync").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	if st.db, err = pgx.Connect(ctx, st.pg.URL("postgres")); err != nil {
		return err
	}
	for _, sql := range []string{sentra.Schema, "INSERT INTO clients (id, name, business_name, email, username, password) VALUES (1, 'Client 1', 'Business 1', 'client1@example.com', 'u', 'p')"} {
		if _, err := st.db.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (st *stage) close(ctx context.Context) error {
	var errs []error
	if st.db != nil {
		errs = append(errs, st.db.Close(ctx))
	}
	return errors.Join(append(errs, st.pg.Stop(ctx), os.RemoveAll(st.dir))...)
}

func (st *stage) exec(ctx context.Context, sql string, args ...any) error {
	_, err := st.db.Exec(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("%.60s: %w", sql, err)
	}
	return nil
}

// walEnd is where the server's WAL ends now. One more event behind it makes sure
// that a checkpoint follows at once.
func (st *stage) walEnd(ctx context.Context) (pglogrepl.LSN, error) {
	var text string
	if err := st.db.QueryRow(ctx, "SELECT pg_current_wal_lsn()::text").Scan(&text); err != nil {
		return 0, err
	}
	end, err := pglogrepl.ParseLSN(text)
	return end, errors.Join(err, st.exec(ctx, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		VALUES ($1, 1, 'Last', '2030-01-15', '2030-01-15', '10:00', '11:00', 'onboarding')`, "behind-"+text))
}

// process is the daemon, run as a process.
type process struct {
	cmd *exec.Cmd
}

// start runs the daemon on the state file at path.
func (st *stage) start(path string, env map[string]string) (*process, error) {
	vars := map[string]string{
		"SENTRA_DATABASE_URL": st.pg.URL("postgres"), "STATE_URL": "sqlite:" + path, "CDC_SLOT": slot,
		"GHL_WEBHOOK_URL": "http://127.0.0.1:9/hooks/l/webhook-trigger/x", "GHL_WEBHOOK_ENABLED": "false",
		"HTTP_ADDR": "127.0.0.1:0", "LOG_LEVEL": "warn", "LOG_FORMAT": "text",
	}
	maps.Copy(vars, env)
	p := &process{cmd: exec.Command(st.bin, "run")}
	p.cmd.Dir = st.dir
	p.cmd.Stdout, p.cmd.Stderr = os.Stderr, os.Stderr
	for k, v := range vars {
		p.cmd.Env = append(p.cmd.Env, k+"="+v)
	}
	return p, p.cmd.Start()
}

// reaches waits until the checkpoint is at or behind the LSN and no snapshot is
// pending. It opens the state once: opening checks pages, which would compete
// with what is measured.
func reaches(ctx context.Context, path string, lsn pglogrepl.LSN) (err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var state *sqlite.Reader
	defer func() {
		if state != nil {
			err = errors.Join(err, state.Close())
		}
	}()
	for {
		if _, held, err := sqlite.Holder(path); state == nil && held && err == nil {
			// Only beside a daemon: a state that nobody has open is read as one that does
			// not change. An error means that the daemon has not made it yet.
			state, _ = sqlite.OpenReadOnly(ctx, path)
		}
		if state != nil {
			cp, err := state.Checkpoint(ctx, slot)
			if err == nil && cp != nil && cp.SnapshotLSN == 0 && cp.LSN >= lsn && cp.LSN != 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// peak is the process's peak resident memory in bytes (VmHWM).
func (p *process) peak() (int64, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }() // opened for reading
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmHWM: peak memory is read from /proc, on Linux")
}

// stop ends the daemon in good order and waits.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return p.cmd.Wait()
}

func mib(bytes int64) string { return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20)) }
