package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrStopped is the answer to starting a Server after Stop.
var ErrStopped = errors.New("server was stopped for good")

const (
	startTimeout = 60 * time.Second // crash recovery included
	// A fast shutdown waits for walsenders to hand over their last WAL, and a receiver may never take it.
	fastGrace      = 5 * time.Second
	immediateGrace = 5 * time.Second
)

// Server is one PostgreSQL server with its directory. Start makes it, Stop ends it.
type Server struct {
	place   place
	port    int
	process atomic.Pointer[process] // the last one started

	lifecycle sync.Mutex // held while the process is being started or stopped
	stopped   bool
}

// Start makes a data directory, runs a server on it and returns when it accepts connections, a second or two later
// (some 100 ms with a Template). ctx bounds the start alone: the server runs until Stop. On an error nothing remains;
// an error of the server's own carries the end of its log.
func Start(ctx context.Context, o Options) (*Server, error) {
	b := o.Binaries
	if o.Template != nil {
		b = o.Template.binaries
	}
	configuration, err := o.configuration()
	if err != nil {
		return nil, err
	}
	place, err := newPlace(ctx, b, o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{place: place}
	if err := s.create(ctx, o, configuration); err != nil {
		return nil, errors.Join(err, place.folder.remove())
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", place.binaries, err), place.folder.remove())
	}
	return s, nil
}

// create makes the data directory, from the template where there is one, and adds the configuration.
func (s *Server) create(ctx context.Context, o Options, configuration string) error {
	if t := o.Template; t == nil {
		if err := s.place.initdb(ctx, o.WALSegments); err != nil {
			return err
		}
	} else {
		err := copyTree(filepath.Join(t.folder.path, "data"), s.place.data())
		if err == nil && o.Standby {
			err = os.WriteFile(filepath.Join(s.place.data(), "standby.signal"), nil, 0o600)
		}
		if err == nil {
			err = s.place.account.own(s.place.data())
		}
		if err != nil {
			return fmt.Errorf("copy the template: %w", err)
		}
	}
	conf, err := os.OpenFile(filepath.Join(s.place.data(), "postgresql.conf"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("configure the server: %w", err)
	}
	_, err = conf.WriteString(configuration)
	if err := errors.Join(err, conf.Close()); err != nil {
		return fmt.Errorf("configure the server: %w", err)
	}
	return nil
}

// URL is the connection string of a database, as the superuser postgres. It holds no password.
func (s *Server) URL(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.User("postgres"), Host: "127.0.0.1:" + strconv.Itoa(s.port),
		Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Port is the server's TCP port on 127.0.0.1. It stays the same over restarts.
func (s *Server) Port() int { return s.port }

// PID is the process id of the postmaster, 0 while none runs.
func (s *Server) PID() int {
	if p := s.process.Load(); p.alive() {
		return p.pid
	}
	return 0
}

// DataDir is the data directory. Its files belong to the server's user.
func (s *Server) DataDir() string { return s.place.data() }

// Binaries are the programs that the server was started from.
func (s *Server) Binaries() Binaries { return s.place.binaries }

// Stop shuts the server down (fast: clients are cut off, and prepared work is kept) and removes its directory. One
// that does not follow within 5 s, or until ctx ends, is shut down at once. It waits until the process is gone and may
// be called again, which does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.stopped {
		return nil
	}
	s.stopped = true
	s.halt(ctx)
	return s.place.folder.remove()
}

// Halt shuts the server down as Stop does and keeps its data for StartAgain. Where none runs it does nothing.
func (s *Server) Halt(ctx context.Context) {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.halt(ctx)
}

// Kill ends the postmaster with SIGKILL and returns when it is gone. Its children notice and end by themselves soon
// after; StartAgain waits for them. Where none runs it does nothing.
func (s *Server) Kill() {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if p := s.process.Load(); p.alive() {
		p.signal(syscall.SIGKILL)
		<-p.done
	}
}

// StartAgain runs the server on its data and its port after Halt, Kill or a crash, and returns when it accepts
// connections. Where it runs already it does nothing; after Stop the error is ErrStopped.
func (s *Server) StartAgain(ctx context.Context) error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	return s.startAgain(ctx)
}

// Restart is Halt and StartAgain, with nobody in between.
func (s *Server) Restart(ctx context.Context) error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.halt(ctx)
	return s.startAgain(ctx)
}

func (s *Server) startAgain(ctx context.Context) error {
	if s.stopped {
		return ErrStopped
	}
	if s.PID() != 0 {
		return nil
	}
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("start %s again: %w", s.place.binaries, err)
	}
	return nil
}

// halt goes through PostgreSQL's shutdown modes: fast, immediate, and the kernel's.
func (s *Server) halt(ctx context.Context) {
	p := s.process.Load()
	if !p.alive() {
		return
	}
	p.signal(syscall.SIGINT)
	select {
	case <-p.done:
		return
	case <-ctx.Done():
	case <-time.After(fastGrace):
	}
	p.signal(syscall.SIGQUIT)
	select {
	case <-p.done:
		return
	case <-time.After(immediateGrace):
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}
