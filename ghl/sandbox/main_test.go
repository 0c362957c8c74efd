package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/openapicheck"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eventData is the guide's event_data for an id.
func eventData(id string) string {
	return `{"sentra_event_id":"` + id + `","client_id":456,"client_email":"client@example.com",` +
		`"client_phone":"+1234567890","client_name":"Client Business Name","event_title":"Onboarding Session",` +
		`"event_type":"onboarding","start_date":"2024-01-15","end_date":"2024-01-15","start_time":"10:00",` +
		`"end_time":"11:00","description":"Initial client onboarding","created_at":"2024-01-15T09:00:00Z",` +
		`"updated_at":"2024-01-15T09:00:00Z"}`
}

func body(op ghl.Operation, id, appointment string) string {
	return string(ghl.Envelope(op, id, appointment, []byte(eventData(id))))
}

// rig is a started sandbox and a client of it.
type rig struct {
	*sandbox.Sandbox
	client *http.Client
	spec   *openapicheck.Spec // of the calendar API; may be nil
}

func start(t *testing.T, o sandbox.Options) *rig {
	t.Helper()
	s := sandbox.New(o)
	if err := s.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
	})
	return &rig{Sandbox: s, client: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

type answer struct {
	status int
	header http.Header
	body   string
}

// send posts a webhook body; key may be empty.
func (r *rig) send(ctx context.Context, key, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.WebhookURL(), strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.GetBody = nil
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
		req.Header.Set("X-Sentra-Delivery", key)
	}
	return r.do(req)
}

func (r *rig) do(req *http.Request) (a answer, err error) {
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	read, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(read)}, err
}

func (r *rig) mustSend(t *testing.T, key, body string) answer {
	t.Helper()
	a, err := r.send(t.Context(), key, body)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// abandon posts a body and leaves as soon as the sandbox has it.
func (r *rig) abandon(t *testing.T, key, body string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := r.Stats().Requests
	ended := make(chan error, 1)
	go func() {
		_, err := r.send(ctx, key, body)
		ended <- err
	}()
	r.wait(t, func(s sandbox.Snapshot) bool { return s.Stats.Requests > before })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("left, but got %v", err)
	}
}

// call uses one of the sandbox's own endpoints and decodes the answer.
func (r *rig) call(t *testing.T, method, path, body string, wantStatus int, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.do(req)
	if err != nil {
		t.Fatal(err)
	}
	if a.status != wantStatus {
		t.Fatalf("%s %s: status %d, want %d: %s", method, path, a.status, wantStatus, a.body)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
	}
}

func (r *rig) set(t *testing.T, rules ...sandbox.Rule) {
	t.Helper()
	if err := r.Set(sandbox.Faults{Seed: 1, Rules: rules}); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) wait(t *testing.T, condition func(sandbox.Snapshot) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := r.WaitFor(ctx, condition); err != nil {
		t.Fatal(err)
	}
}
