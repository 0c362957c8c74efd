package admin

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ghlsync/internal/mappingtest"
	"ghlsync/internal/operate"
	"ghlsync/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// live is a daemon's knowledge that the test sets.
type live struct {
	mu       sync.Mutex
	capture  Capture
	delivery Delivery
}

func (l *live) Capture() Capture {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.capture
}

func (l *live) Delivery() Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.delivery
}

func (l *live) set(change func(*live)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// rig is a server on a real state file.
type rig struct {
	*Server
	t    *testing.T
	live *live
	log  *bytes.Buffer
	path string

	service *Service
}

func newRig(t *testing.T, token string, rows ...*state.Mapping) *rig {
	t.Helper()
	r := &rig{t: t, path: mappingtest.Path(t), log: new(bytes.Buffer), live: &live{
		capture:  Capture{Phase: Streaming, Since: mappingtest.At},
		delivery: Delivery{Enabled: true, Breaker: "closed"},
	}}
	store := mappingtest.Store(t, r.path, rows...)
	now := func() time.Time { return mappingtest.At.Add(time.Hour) }
	r.service = &Service{
		State: store, SlotName: mappingtest.Slot, Operator: operate.New(store, now, nil), Live: r.live, Version: "v1", Now: now,
	}
	r.Server = New(Options{
		Addr: "127.0.0.1:0", Token: token, Log: slog.New(slog.NewTextHandler(r.log, nil)), Service: r.service,
	})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *rig) client(token string) *Client { return NewClient(r.Addr(), token) }

// ask sends a request as it is and returns status, body and header.
func (r *rig) ask(method, path, body string, header ...string) (int, string, http.Header) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+r.Addr()+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

func (r *rig) answers(want int, contains, method, path, body string, header ...string) {
	r.t.Helper()
	code, text, _ := r.ask(method, path, body, header...)
	if code != want || !strings.Contains(text, contains) {
		r.t.Errorf("%s %s: %d %s; want %d with %q", method, path, code, text, want, contains)
	}
}
