package admin

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"ghlsync/internal/mappingtest"
	"ghlsync/internal/operate"
	"ghlsync/state"
)

func TestProbes(t *testing.T) {
	t.Parallel()
	r := newRig(t, "a-token")
	for _, p := range []Phase{Starting, Snapshotting, Streaming, Standby, Reconnecting, Stopped} {
		r.live.set(func(l *live) { l.capture = Capture{Phase: p, LastError: "at bait.example.com"} })
		r.answers(http.StatusOK, "alive", http.MethodGet, "/healthz", "")
		want, word := http.StatusServiceUnavailable, "capture is "+string(p)
		if p == Streaming || p == Standby {
			want, word = http.StatusOK, `"ready":true`
		}
		code, text, _ := r.ask(http.MethodGet, "/readyz", "")
		if code != want || !strings.Contains(text, word) || strings.Contains(text, "bait") {
			t.Errorf("%s: %d %s", p, code, text)
		}
	}
}

func TestTellsWhereItListens(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	if want := "http server listens\" component=http addr=" + r.Addr(); !strings.Contains(r.log.String(), want) {
		t.Errorf("no %q in %s", want, r.log)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, "a-token", mappingtest.Failed("1"))
	for _, path := range []string{"/api/v1/status", "/api/v1/mappings", "/api/v1/mappings/1", "/elsewhere"} {
		for _, wrong := range []string{"X: y", "Authorization: Bearer a-toke", "Authorization: Bearer ", "Authorization: Basic a-token", "Authorization: a-token"} {
			r.answers(http.StatusUnauthorized, "HTTP_TOKEN", http.MethodGet, path, "", wrong)
		}
	}
	r.answers(http.StatusUnauthorized, "HTTP_TOKEN", http.MethodPost, "/api/v1/mappings/retry", `{"failed":true}`)
	r.answers(http.StatusOK, `"health":"degraded"`, http.MethodGet, "/api/v1/status", "", "Authorization: bearer a-token")
	// With a token the name that the client used does not matter.
	r.answers(http.StatusOK, "health", http.MethodGet, "/api/v1/status", "", "Authorization: Bearer a-token", "Host: ghlsync.example.com")
	if _, err := r.client("other").Status(t.Context()); !errors.Is(err, ErrToken) {
		t.Errorf("client with a wrong token: %v", err)
	}
	if _, err := r.client("a-token").Status(t.Context()); err != nil {
		t.Errorf("client with the token: %v", err)
	}
}

func TestWithoutTokenOnlyLocalNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	for _, host := range []string{"rebound.example.com", "rebound.example.com:80", "10.0.0.1:8089"} {
		r.answers(http.StatusForbidden, "HTTP_TOKEN", http.MethodGet, "/api/v1/mappings", "", "Host: "+host)
	}
	for _, host := range []string{"localhost", "localhost:1", "127.0.0.1:8089", "[::1]:8089", "[::1]"} {
		r.answers(http.StatusOK, "mappings", http.MethodGet, "/api/v1/mappings", "", "Host: "+host)
	}
	r.answers(http.StatusOK, "alive", http.MethodGet, "/healthz", "", "Host: rebound.example.com")
}

func TestOtherSitesCannotChangeAnything(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Failed("1"))
	const path, body = "/api/v1/mappings/retry", `{"failed":true}`
	for _, h := range []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example.com"} {
		r.answers(http.StatusForbidden, "", http.MethodPost, path, body, h)
	}
	if m, err := r.client("").Show(t.Context(), "1", Show{}); err != nil || m.SyncStatus != string(state.Failed) {
		t.Errorf("after requests from elsewhere: %s, %v", m.SyncStatus, err)
	}
	r.answers(http.StatusOK, `"done":1`, http.MethodPost, path, body, "Sec-Fetch-Site: same-origin")
}

func TestBodies(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Failed("1"))
	for body, says := range map[string]string{
		"":                           "empty",
		"bait":                       "the body is not",
		`{"ids":["1"],"force":true}`: "the body is not",
		`{"ids":[],"failed":false}`:  "either event ids or",
		`{"all":true}`:               "either event ids or",
		`{"ids":["` + strings.Repeat("x", maxBody) + `"]}`: "larger than",
	} {
		code, text, _ := r.ask(http.MethodPost, "/api/v1/mappings/retry", body)
		if code != http.StatusBadRequest || !strings.Contains(text, says) || strings.Contains(text, "bait") {
			t.Errorf("%.40q: %d %s; want %q", body, code, text, says)
		}
	}
}

func TestPathsAndMethods(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.answers(http.StatusNotFound, "nothing at this path", http.MethodGet, "/api/v2/status", "")
	r.answers(http.StatusNotFound, "no mapping", http.MethodGet, "/api/v1/mappings/nobody", "")
	r.answers(http.StatusBadRequest, "empty", http.MethodGet, "/api/v1/mappings/", "")
	r.answers(http.StatusBadRequest, "status", http.MethodGet, "/api/v1/mappings?status=lost", "")
	r.answers(http.StatusBadRequest, "limit", http.MethodGet, "/api/v1/mappings?limit=x", "")
	r.answers(http.StatusBadRequest, "limit", http.MethodGet, "/api/v1/mappings?limit=-1", "")
	r.answers(http.StatusBadRequest, "limit", http.MethodGet, "/api/v1/mappings?limit=1001", "")
	r.answers(http.StatusBadRequest, "payload", http.MethodGet, "/api/v1/mappings/x?payload=perhaps", "")
	r.answers(http.StatusBadRequest, "attempts", http.MethodGet, "/api/v1/mappings/x?attempts=0", "")
	_, _, header := r.ask(http.MethodGet, "/api/v1/status", "")
	if header.Get("Cache-Control") != "no-store" || header.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		t.Errorf("header %v", header)
	}
}

// What goes wrong on our side is in the answer and in the log, which names the
// kind of question and not the event.
func TestOurOwnFailure(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := New(Options{
		Addr: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Service: &Service{StateError: errors.New("the state is damaged"), Live: Offline{}},
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, Server: s}
	r.answers(http.StatusInternalServerError, `{"error":"the state is damaged","mend":"see the daemon's log"}`, http.MethodGet, "/api/v1/mappings/event-1", "")
	if _, err := r.client("").Show(t.Context(), "event-1", Show{}); err == nil || err.Error() != "the state is damaged; see the daemon's log" {
		t.Errorf("the client says %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); strings.Count(text, "level=ERROR") != 2 || !strings.Contains(text, "{id...}") || strings.Contains(text, "event-1") {
		t.Errorf("log: %s", text)
	}
}

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	quiet := slog.New(slog.DiscardHandler)
	busy := New(Options{Addr: taken.Addr().String(), Service: &Service{Live: Offline{}}, Log: quiet})
	if err := busy.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "HTTP_ADDR="+taken.Addr().String()) {
		t.Errorf("a taken address: %v", err)
	}
	if err := busy.Stop(t.Context()); err != nil || busy.Addr() != "" {
		t.Errorf("stop without a start: %v, %q", err, busy.Addr())
	}

	s := New(Options{Addr: "127.0.0.1:0", Service: &Service{Live: Offline{}}, Log: quiet})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	_, err = NewClient(s.Addr(), "").Show(t.Context(), "event-1", Show{})
	if !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "event-1") {
		t.Errorf("after the stop: %v", err)
	}
}

// No client can hold a connection, or the memory for its header, for ever.
func TestConnectionsHaveBounds(t *testing.T) {
	t.Parallel()
	h := New(Options{Service: &Service{Live: Offline{}}, Log: slog.New(slog.DiscardHandler)}).http
	if h.ReadHeaderTimeout <= 0 || h.ReadTimeout <= 0 || h.WriteTimeout <= 0 || h.IdleTimeout <= 0 || h.MaxHeaderBytes <= 0 {
		t.Errorf("header %s, read %s, write %s, idle %s, header bytes %d", h.ReadHeaderTimeout, h.ReadTimeout, h.WriteTimeout, h.IdleTimeout, h.MaxHeaderBytes)
	}
}

// hanging is an Operator that is busy until the test lets it go.
type hanging struct{ begun, ended chan struct{} }

func (h hanging) Do(ctx context.Context, _ operate.Verb, _ operate.Selection) (operate.Report, error) {
	close(h.begun)
	<-ctx.Done()
	close(h.ended)
	return operate.Report{}, ctx.Err()
}

func (h hanging) SetPaused(context.Context, bool) (operate.Pause, error) { return operate.Pause{}, nil }

// A stop gives what runs a moment, even where its caller has all the time.
func TestStopCutsWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, ctx := range map[string]context.Context{"at once": gone, "after a moment": context.WithoutCancel(t.Context())} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testStopCuts(ctx, t)
		})
	}
}

func testStopCuts(ctx context.Context, t *testing.T) {
	t.Helper()
	h := hanging{begun: make(chan struct{}), ended: make(chan struct{})}
	s := New(Options{
		Addr: "127.0.0.1:0", Service: &Service{Live: Offline{}, Operator: h}, Log: slog.New(slog.DiscardHandler),
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	asked := make(chan error, 1)
	go func() {
		_, err := NewClient(s.Addr(), "").Do(context.WithoutCancel(t.Context()), operate.Retry, operate.Selection{Failed: true})
		asked <- err
	}()
	<-h.begun
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
	<-h.ended
	if err := <-asked; !errors.Is(err, ErrUnreachable) {
		t.Errorf("the client got %v", err)
	}
}
