package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// errNotNow is a start that failed for a reason that passes: the port was taken in the meantime, or children of a
// killed postmaster still hold its shared memory.
var errNotNow = errors.New("cannot start at this moment")

// start runs the server until it accepts connections. The first start chooses the port, and another one where a
// stranger was quicker; later starts insist on the old one, since clients have its address.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	first := s.port == 0
	for {
		if first {
			port, err := freePort()
			if err != nil {
				return err
			}
			s.port = port
		}
		err := s.run(ctx)
		if !errors.Is(err, errNotNow) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// run starts the process once and waits until it is ready or gone.
func (s *Server) run(ctx context.Context) error {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	defer log.Close() //nolint:errcheck // the server has its own descriptor
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("open the server's log: %w", err)
	}
	cmd := s.place.account.command(s.place.binaries.path("postgres"), "-D", s.place.data(),
		"-c", "port="+strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	cmd.Stdout, cmd.Stderr = log, log
	p, err := s.place.folder.launch(cmd)
	if err != nil {
		return fmt.Errorf("run %s as %s: %w", cmd.Path, s.place.account.describe(), err)
	}
	s.process.Store(p)
	if err := s.awaitReady(ctx, p); err != nil {
		text := s.logFrom(before)
		if passes(text) && ctx.Err() == nil {
			err = errors.Join(errNotNow, err)
		}
		return fmt.Errorf("%w; the end of its log:\n%s", err, tail(text))
	}
	return nil
}

// passes recognises in the server's log (English: LC_ALL is C) what another attempt may not meet.
func passes(log string) bool {
	return strings.Contains(log, "could not bind IPv4 address") ||
		strings.Contains(log, "pre-existing shared memory block")
}

// awaitReady watches postmaster.pid as pg_ctl does. Unlike a connection it cannot be answered by another server that
// took the port. A server that is not ready when ctx ends is killed.
func (s *Server) awaitReady(ctx context.Context, p *process) error {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for !s.ready(p.pid) {
		select {
		case <-p.done:
			return fmt.Errorf("server ended before it was ready: %w", p.ending())
		case <-ctx.Done():
			p.signal(syscall.SIGKILL)
			<-p.done
			return fmt.Errorf("wait for the server: %w", ctx.Err())
		case <-poll.C:
		}
	}
	return nil
}

// ready reads postmaster.pid: its first line is the process id, its eighth the state, padded with blanks.
func (s *Server) ready(pid int) bool {
	text, err := os.ReadFile(filepath.Join(s.place.data(), "postmaster.pid"))
	if err != nil {
		return false // not written yet
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) > 7 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

// freePort finds a port that nobody listens on, below those that Linux (from 32768) and macOS (from 49152) give to
// outgoing connections: such a connection would keep a restarted server from its port.
func freePort() (int, error) {
	var last error
	for range 100 {
		port := 20_000 + rand.IntN(12_000)
		l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		return port, nil
	}
	return 0, fmt.Errorf("find a free port: %w", last)
}

func (s *Server) logFile() string { return filepath.Join(s.place.folder.path, "log") }

// LogTail is the end of the server's log, about 40 lines, "" after Stop.
func (s *Server) LogTail() string { return tail(s.logFrom(0)) }

func (s *Server) logFrom(offset int64) string {
	text, err := os.ReadFile(s.logFile())
	if err != nil || int64(len(text)) < offset {
		return "" // gone with the folder
	}
	return string(text[offset:])
}

// tail cuts a log down to what an error message can carry.
func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
