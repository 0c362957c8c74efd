package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pglogrepl"
	"go.uber.org/goleak"

	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// The test binary plays other processes, which can be killed.
const (
	playVariable = "GHLSYNC_TEST_PLAY"
	pathVariable = "GHLSYNC_TEST_STATE"
)

func TestMain(m *testing.M) {
	switch os.Getenv(playVariable) {
	case "hold":
		play(hold)
	case "write":
		play(writeForEver)
	default:
		goleak.VerifyTestMain(m)
	}
}

func play(part func(context.Context, *sqlite.Store) error) {
	ctx := context.Background()
	s, err := sqlite.Open(ctx, os.Getenv(pathVariable), sqlite.Options{})
	if err == nil {
		err = part(ctx, s)
	}
	fmt.Println("failed:", err)
	os.Exit(1)
}

// hold announces an address, says so, and waits to be killed.
func hold(_ context.Context, s *sqlite.Store) error {
	if err := s.Announce("127.0.0.1:4321"); err != nil {
		return err
	}
	fmt.Println("holding")
	select {}
}

// rowsPerCommit is how many rows the writer changes with each checkpoint.
const rowsPerCommit = 25

// writeForEver moves the checkpoint by one and the revision of every row with it,
// and tells the number of each commit once it is durable.
func writeForEver(ctx context.Context, s *sqlite.Store) error {
	var prev *state.Checkpoint
	for n := int64(1); ; n++ {
		tx, err := s.Begin(ctx)
		if err != nil {
			return err
		}
		for i := range rowsPerCommit {
			m := &state.Mapping{ID: state.EventID(fmt.Sprint("row-", i)), Wanted: state.Present, GHL: state.GHLAbsent, Revision: n, Payload: []byte(strings.Repeat("x", 500))}
			if n > 1 {
				m.SetStored(m.Class())
			}
			if err := tx.Save(ctx, m); err != nil {
				return err
			}
		}
		next := state.Checkpoint{Slot: "ghlsync", LSN: pglogrepl.LSN(n), Capturer: "me"}
		if err := tx.SetCheckpoint(ctx, prev, next); err != nil {
			return err
		}
		if err := tx.Commit(ctx); err != nil {
			return err
		}
		prev = &next
		fmt.Println(n)
	}
}

// player is another process with the state open.
type player struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startPlayer(t *testing.T, part, path string) *player {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), playVariable+"="+part, pathVariable+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &player{t: t, cmd: cmd, lines: bufio.NewScanner(out)}
	t.Cleanup(p.kill)
	return p
}

func (p *player) line() string {
	p.t.Helper()
	if !p.lines.Scan() {
		p.t.Fatalf("the other process has ended: %v", p.lines.Err())
	}
	return p.lines.Text()
}

func (p *player) kill() {
	if p.cmd.ProcessState != nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Error(err)
	}
	_ = p.cmd.Wait() // killed, as meant
}

func TestLockWithinAProcess(t *testing.T) {
	t.Parallel()
	path := made(t)
	s := openAt(t, path)
	if err := s.Announce("127.0.0.1:5678"); err != nil {
		t.Fatal(err)
	}
	refuses(t, refusal(t, path), state.ErrLocked, "process "+strconv.Itoa(os.Getpid()), "127.0.0.1:5678", path)
	fill(t, s, "the first goes on")
}

// A file has one lock, by whatever name it is opened.
func TestLockByAnotherName(t *testing.T) {
	t.Parallel()
	path := made(t)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	openAt(t, path)
	refuses(t, refusal(t, link), state.ErrLocked, path)
	if _, held, err := sqlite.Holder(link); err != nil || !held {
		t.Errorf("held: %v, %v", held, err)
	}
}

func TestLockBetweenProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	p := startPlayer(t, "hold", path)
	if said := p.line(); said != "holding" {
		t.Fatal(said)
	}
	refuses(t, refusal(t, path), state.ErrLocked, "process "+strconv.Itoa(p.cmd.Process.Pid), "127.0.0.1:4321", path, "STATE_URL")
	h, held, err := sqlite.Holder(path)
	if err != nil || !held || h.PID != p.cmd.Process.Pid || h.HTTPAddr != "127.0.0.1:4321" {
		t.Errorf("holder %+v, %v, %v", h, held, err)
	}
	p.kill()
	if h, held, err := sqlite.Holder(path); err != nil || held {
		t.Errorf("after the kill: %+v, %v, %v", h, held, err)
	}
	fill(t, openAt(t, path), "ours now")
}

func TestHolderOfNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	if _, held, err := sqlite.Holder(path); held || err != nil {
		t.Errorf("never opened: %v, %v", held, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 0 {
		t.Errorf("asking has made %v, %v", entries, err)
	}
}

// A writer that is killed anywhere leaves whole commits: rows and checkpoint
// agree, and the last commit that was acknowledged is there.
func TestKilledWriter(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	for round := range 8 {
		p := startPlayer(t, "write", path)
		acknowledged := int64(0)
		for range 20 + 7*round {
			n, err := strconv.ParseInt(p.line(), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			acknowledged = n
		}
		p.kill()
		agree(t, path, acknowledged)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		for _, suffix := range []string{"-wal", "-shm"} {
			_ = os.Remove(path + suffix) // a clean close has removed them
		}
	}
}

func agree(t *testing.T, path string, acknowledged int64) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	cp, err := s.Checkpoint(t.Context(), "ghlsync")
	if err != nil || cp == nil || int64(cp.LSN) < acknowledged {
		t.Fatalf("checkpoint %+v, %v; %d was acknowledged", cp, err, acknowledged)
	}
	rows, err := s.List(t.Context(), state.Filter{}, "", 100)
	if err != nil || len(rows) != rowsPerCommit {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, m := range rows {
		if m.Revision != int64(cp.LSN) {
			t.Errorf("row %s is at %d, the checkpoint at %d", m.ID, m.Revision, cp.LSN)
		}
	}
	if c, err := s.Counts(t.Context()); err != nil || c.Total != rowsPerCommit {
		t.Errorf("counts %+v, %v", c, err)
	}
}
