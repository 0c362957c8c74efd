package dashboard

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/admin"
	"ghlsync/internal/mappingtest"
	"ghlsync/internal/operate"
	"ghlsync/internal/trend"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a dashboard in its server, on a real state and a real delivery to a
// sandbox; of the daemon only capture is missing.
type rig struct {
	*admin.Server
	t         testing.TB
	dash      *Dashboard
	store     *sqlite.Store
	ghl       *sandbox.Sandbox
	deliverer *deliver.Deliverer
	service   *admin.Service
	trend     *trend.Recorder
	log       *buffer
	clock     func() time.Time // of the trend

	mu      sync.Mutex
	capture admin.Capture
}

// buffer collects what is logged.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newRig makes the state of rows and starts everything on it.
func newRig(t testing.TB, token string, rows ...*state.Mapping) *rig {
	t.Helper()
	return newRigAt(t, mappingtest.Path(t), token, rows...)
}

// newRigAt is newRig on the state at path.
func newRigAt(t testing.TB, path, token string, rows ...*state.Mapping) *rig {
	t.Helper()
	r := &rig{
		t: t, log: new(buffer), clock: time.Now, ghl: sandbox.New(sandbox.Options{}),
		store:   mappingtest.Store(t, path, rows...),
		capture: admin.Capture{Phase: admin.Streaming, Since: mappingtest.At},
	}
	r.trend = trend.New(func() time.Time { return r.clock() })
	if err := r.ghl.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.ghl.Close)
	r.deliver()
	log := slog.New(slog.NewTextHandler(r.log, nil))
	r.service = &admin.Service{
		State: r.store, SlotName: mappingtest.Slot, Slots: slot{}, Version: "v1.2.3",
		Operator: operate.New(r.store, time.Now, r.deliverer), Live: r,
	}
	r.dash = New(Options{Service: r.service, Trend: r.trend, Log: log})
	r.Server = admin.New(admin.Options{Addr: "127.0.0.1:0", Token: token, Service: r.service, Pages: r.dash, Log: log})
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

func (r *rig) deliver() {
	r.t.Helper()
	hook, err := ghl.NewWebhook(ghl.WebhookOptions{URL: r.ghl.WebhookURL(), Timeout: 2 * time.Second, Concurrency: 2, Version: "test"})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(hook.Close)
	r.deliverer, err = deliver.New(deliver.Options{
		Store: r.store, Sender: hook, RetryBase: 50 * time.Millisecond, RetryCap: time.Second, Settle: -1, Hook: r.trend.Observe,
	})
	if err == nil {
		err = r.deliverer.Start(r.t.Context())
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if err := r.deliverer.Stop(context.WithoutCancel(r.t.Context())); err != nil {
			r.t.Error(err)
		}
	})
}

// Capture is admin.Live's.
func (r *rig) Capture() admin.Capture {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.capture
}

// setCapture changes what the daemon knows of capture.
func (r *rig) setCapture(c admin.Capture) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.capture = c
}

// Delivery is admin.Live's.
func (r *rig) Delivery() admin.Delivery {
	s := r.deliverer.Status()
	return admin.Delivery{
		Enabled: s.Enabled, Paused: s.Paused, PauseReason: s.PauseReason, Detail: s.Detail, Breaker: s.Breaker, InFlight: s.InFlight,
		PerSecond: 0.5, Quota: &admin.Quota{Max: 100, Remaining: 90, DailyMax: 200_000, DailyRemaining: 150_000},
	}
}

// slot is a slot in good order.
type slot struct{}

func (slot) Slot(context.Context) (*admin.Slot, error) {
	retained, lag := int64(37<<20), int64(4242)
	reserved, lsn := "reserved", "0/16B3748"
	return &admin.Slot{
		Name: mappingtest.Slot, Active: true, WALStatus: &reserved, ConfirmedFlushLSN: &lsn, RestartLSN: &lsn,
		RetainedWALBytes: &retained, LagBytes: &lag,
	}, nil
}

func (r *rig) url(path string) string { return "http://" + r.Addr() + path }

// status is what the state says of an event.
func (r *rig) status(id string) state.Status {
	r.t.Helper()
	m, err := r.store.Get(r.t.Context(), state.EventID(id))
	if err != nil {
		r.t.Fatal(err)
	}
	return m.Status()
}

// until polls with a deadline.
func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// visitor is somebody with a browser that runs no script.
type visitor struct {
	r      *rig
	client *http.Client
}

func (r *rig) visitor() *visitor {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	transport := &http.Transport{}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &visitor{r: r, client: &http.Client{Jar: jar, Transport: transport}}
}

// answer is what a visitor gets, redirects followed.
type answer struct {
	*http.Response
	body string
}

func (v *visitor) ask(method, path, body string, header ...string) answer {
	v.r.t.Helper()
	req, err := http.NewRequestWithContext(v.r.t.Context(), method, v.r.url(path), strings.NewReader(body))
	if err != nil {
		v.r.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
		if name == "Host" {
			req.Host = value
		}
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.r.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.r.t.Fatal(err)
	}
	return answer{resp, string(text)}
}

func (v *visitor) get(path string) answer { v.r.t.Helper(); return v.ask(http.MethodGet, path, "") }

func (v *visitor) post(path string, pairs ...string) answer {
	v.r.t.Helper()
	form := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return v.ask(http.MethodPost, path, form.Encode())
}

// has checks a page's status and that it holds texts.
func (a answer) has(t testing.TB, code int, texts ...string) {
	t.Helper()
	if a.StatusCode != code {
		t.Errorf("%s: %d, want %d", a.Request.URL, a.StatusCode, code)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s lacks %q:\n%s", a.Request.URL, text, a.body)
		}
	}
}
