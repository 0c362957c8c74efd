package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"ghlsync/internal/logging"
)

// Deadlines of a connection. Operator's verbs, which may go through many rows,
// extend the one for writing.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 15 * time.Second
	writeTimeout  = 30 * time.Second
	idleTimeout   = time.Minute
	verbTimeout   = 10 * time.Minute
	maxHeader     = 64 << 10
	maxBody       = 1 << 20

	// maxConnections at once: capture and delivery need file descriptors too.
	maxConnections = 256

	// stopGrace is how long a stop waits for requests that run, and for clients that
	// have connected and say nothing.
	stopGrace = time.Second
)

// Options set up a Server.
type Options struct {
	Addr    string // HTTP_ADDR; port 0 takes a free one
	Token   string // HTTP_TOKEN; "" only on a loopback address
	Service *Service
	// Callbacks need no token.
	Callbacks Callbacks
	Metrics   http.Handler // of /metrics, behind the token; nil: there is none
	Pages     Pages        // nil: there are none
	Log       *slog.Logger
}

// Pages are for people with a browser.
type Pages interface {
	// Handler makes their routes, which it guards with g. Requests from other sites
	// that would change something do not arrive there.
	Handler(g *Guard) http.Handler
	// Stop ends the answers that would go on for ever, and lets none begin. It does
	// not wait for them.
	Stop()
}

// Server is the daemon's HTTP server.
type Server struct {
	addr string
	log  *slog.Logger
	http *http.Server

	mu       sync.Mutex
	listener net.Listener
	served   chan struct{} // closed when Serve has returned
}

// New prepares a server; nothing is bound before Start.
func New(o Options) *Server {
	s := &Server{addr: o.Addr, log: o.Log.With(slog.String(logging.Component, "http"))}
	s.http = &http.Server{
		Handler:           newHandler(o, s.log),
		ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader,
		// net/http reports broken handshakes and panics here.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	if o.Pages != nil {
		s.http.RegisterOnShutdown(o.Pages.Stop)
	}
	return s
}

// Start listens and returns when connections are accepted. ctx bounds the start
// only.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return fmt.Errorf("the HTTP server already listens on %s", s.listener.Addr())
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.addr)
	if err != nil {
		return fmt.Errorf("listen on HTTP_ADDR=%s: %w; free the address, or set HTTP_ADDR to another one", s.addr, err)
	}
	s.listener, s.served = listener, make(chan struct{})
	s.log.Info("http server listens", slog.String(logging.Addr, listener.Addr().String()))
	go func() {
		defer close(s.served)
		if err := s.http.Serve(limit(listener, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("http server ended", slog.Any(logging.Error, err))
		}
	}()
	return nil
}

// Addr is where the server listens, as host:port; "" before Start.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Stop ends the server: requests that run get a moment to end, at most until ctx
// is done, then they are cut. What an operator asked for is done page by page, so
// that asking again goes on. It may be called twice, and without Start.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopGrace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close() // cut what did not end in time: that is no error
	}
	s.mu.Lock()
	served := s.served
	s.mu.Unlock()
	if served != nil {
		<-served
	}
	if err != nil {
		return fmt.Errorf("stop the HTTP server: %w", err)
	}
	return nil
}
