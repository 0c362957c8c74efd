package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// The path of the hook that WebhookURL names. The sandbox answers on any
// location and id.
const hookPath = "/hooks/sandboxLocation/webhook-trigger/5a7d0b0e-0000-4000-8000-000000000001"

// run is one server from Start to Stop.
type run struct {
	server *http.Server
	addr   string
	served chan struct{}  // closed when Serve has returned
	conns  sync.WaitGroup // one for each connection until it is closed or hijacked
}

// Start listens on addr ("127.0.0.1:0" for a free port) and returns when
// connections are accepted. ctx bounds the start only. After a Stop it may be
// called again: the book is as it was.
func (s *Sandbox) Start(ctx context.Context, addr string) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("sandbox: listen on %q: %w (choose a free port, or port 0)", addr, err)
	}
	r := &run{addr: listener.Addr().String(), served: make(chan struct{})}
	r.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second, ConnState: r.track}
	if err := s.begin(r); err != nil {
		return errors.Join(err, listener.Close())
	}
	go func() {
		defer close(r.served)
		// Serve ends by Close only, or by a broken listener, which refuses
		// callers: they see what a GHL that is down looks like.
		_ = r.server.Serve(listener)
	}()
	return nil
}

func (s *Sandbox) begin(r *run) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	if s.run != nil {
		return fmt.Errorf("sandbox already listens on %s: stop it first", s.run.addr)
	}
	s.run = r
	return nil
}

// track counts connections. StateNew comes on Serve's own goroutine, so none
// is added once Serve has returned.
func (r *run) track(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		r.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		r.conns.Done()
	}
}

// Stop closes listener and connections and keeps the book: from outside, GHL
// is down and refuses connections. Delayed actions still happen. Without a
// Start it does nothing.
func (s *Sandbox) Stop() { s.stop() }

func (s *Sandbox) stop() *run {
	s.mu.Lock()
	r := s.run
	s.run = nil
	s.mu.Unlock()
	if r != nil {
		// Close reports the listener's error only, which nobody can use: it is gone.
		_ = r.server.Close()
		<-r.served
	}
	return r
}

// Close stops the sandbox for good: hanging requests end without an answer and
// no goroutine of it is left. The book and the log stay readable. It is safe to
// call twice.
func (s *Sandbox) Close() {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.ending)
	}
	s.mu.Unlock()
	r := s.stop()
	s.handlers.Wait()
	if r != nil {
		r.conns.Wait()
	}
}

// Addr is the address listened on, as host:port; empty unless started.
func (s *Sandbox) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return ""
	}
	return s.run.addr
}

// URL is the root of the sandbox's own endpoints, without a slash at the end;
// empty unless started. Where it listens on every address of the machine, this
// is the one that the machine itself calls: the daemon takes http to no other.
func (s *Sandbox) URL() string {
	addr := s.Addr()
	if addr == "" {
		return ""
	}
	if all, err := netip.ParseAddrPort(addr); err == nil && all.Addr().IsUnspecified() {
		addr = fmt.Sprintf("127.0.0.1:%d", all.Port())
	}
	return "http://" + addr
}

// WebhookURL is what GHL_WEBHOOK_URL is set to; empty unless started.
func (s *Sandbox) WebhookURL() string {
	root := s.URL()
	if root == "" {
		return ""
	}
	return root + hookPath
}
