package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghlsync/internal/postgres/pgtest"
)

// binary is the built program; TestMain makes it once.
var binary string

func TestMain(m *testing.M) {
	code, err := withBinary(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func withBinary(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "ghlsync-cmd-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary = filepath.Join(dir, "ghlsync")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build: %w\n%s", err, out)
	}
	return pgtest.Run(m), nil
}

// place is a working directory with an environment.
type place struct {
	t   *testing.T
	dir string
	env []string
}

func newPlace(t *testing.T, env ...string) place {
	t.Helper()
	return place{t: t, dir: t.TempDir(), env: env}
}

func (p place) path(name string) string { return filepath.Join(p.dir, name) }

func (p place) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.path(name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// command prepares the program with nothing of the test's own environment.
func (p place) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	return cmd
}

// run gives stdout, stderr and exit code.
func (p place) run(args ...string) (stdout, stderr string, code int) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	cmd := p.command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		p.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// expect runs and checks the exit code, and that a stream has what it should:
// texts that begin with "!" are looked for in stderr, others in stdout.
func (p place) expect(code int, args []string, texts ...string) (stdout string) {
	p.t.Helper()
	out, errs, got := p.run(args...)
	if got != code {
		p.t.Errorf("%q: exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	for _, text := range texts {
		stream := out
		if rest, ok := strings.CutPrefix(text, "!"); ok {
			text, stream = rest, errs
		}
		if !strings.Contains(stream, text) {
			p.t.Errorf("%q: no %q in\n%s%s", args, text, out, errs)
		}
	}
	return out
}

// started is a program that runs on.
type started struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *firstLines
	done  chan struct{}
}

// start runs the program until the test ends it.
func (p place) start(args ...string) *started {
	p.t.Helper()
	cmd := p.command(context.WithoutCancel(p.t.Context()), args...)
	s := &started{t: p.t, cmd: cmd, lines: newFirstLines(), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = s.lines, io.Discard
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer close(s.done)
		_ = cmd.Wait() // the state tells
	}()
	p.t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-s.done
	})
	return s
}

// await waits for a text on stdout.
func (s *started) await(text string) string {
	s.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		all, more := s.lines.read()
		if strings.Contains(all, text) {
			return all
		}
		select {
		case <-more:
		case <-s.done:
			s.t.Fatalf("ended without %q: %s", text, all)
		case <-deadline.C:
			s.t.Fatalf("no %q: %s", text, all)
		}
	}
}

// stop sends a signal and gives the exit code.
func (s *started) stop(signal os.Signal) int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
	select {
	case <-s.done:
		return s.cmd.ProcessState.ExitCode()
	case <-time.After(30 * time.Second):
		s.t.Fatal("does not stop")
		return -1
	}
}
