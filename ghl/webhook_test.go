package ghl_test

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

func newWebhook(t *testing.T, o ghl.WebhookOptions) *ghl.Webhook {
	t.Helper()
	w, err := ghl.NewWebhook(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func newSandbox(t *testing.T, rules ...sandbox.Rule) *sandbox.Sandbox {
	t.Helper()
	s := sandbox.New(sandbox.Options{})
	if err := s.Set(sandbox.Faults{Rules: rules}); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func request(op ghl.Operation, event, delivery string) ghl.Request {
	return ghl.Request{
		Operation: op, EventID: event, DeliveryID: delivery,
		Body: ghl.Envelope(op, event, "", []byte(strings.ReplaceAll(guideData, `"123"`, `"`+event+`"`))),
	}
}

// expect compares what decides; the duration only has to be there.
func expect(t *testing.T, got, want ghl.Result) {
	t.Helper()
	if got.Duration <= 0 {
		t.Errorf("duration %s", got.Duration)
	}
	got.Duration = 0
	if got != want {
		t.Errorf("result %+v\nwant   %+v", got, want)
	}
}

func TestSendAgainstSandbox(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule sandbox.Rule
		op   ghl.Operation
		want ghl.Result
	}{
		"create":       {sandbox.Rule{}, ghl.Created, ghl.Result{Outcome: ghl.Delivered, AppointmentID: "ghl_000001", HTTPStatus: 200}},
		"older":        {sandbox.Rule{Effect: sandbox.EffectOlder}, ghl.Created, ghl.Result{Outcome: ghl.Delivered, AppointmentID: "ghl_000001", HTTPStatus: 200}},
		"real":         {sandbox.Rule{Effect: sandbox.EffectReal}, ghl.Created, ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200}},
		"malformed":    {sandbox.Rule{Effect: sandbox.EffectMalformed}, ghl.Created, ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200}},
		"no update":    {sandbox.Rule{}, ghl.Updated, ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND", HTTPStatus: 200}},
		"no delete":    {sandbox.Rule{}, ghl.Deleted, ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND", HTTPStatus: 200}},
		"failure":      {sandbox.Rule{Code: "CONTACT_NOT_FOUND"}, ghl.Created, ghl.Result{Outcome: ghl.Permanent, Code: "CONTACT_NOT_FOUND", HTTPStatus: 200}},
		"draft":        {sandbox.Rule{Effect: sandbox.EffectDraft}, ghl.Created, ghl.Result{Outcome: ghl.Paused, Code: "WORKFLOW_INACTIVE", HTTPStatus: 200}},
		"redirect":     {sandbox.Rule{Effect: sandbox.EffectRedirect}, ghl.Created, ghl.Result{Outcome: ghl.Paused, Code: "REDIRECT", HTTPStatus: 302}},
		"redirect 307": {sandbox.Rule{Effect: sandbox.EffectRedirect, Status: 307}, ghl.Created, ghl.Result{Outcome: ghl.Paused, Code: "REDIRECT", HTTPStatus: 307}},
		"hook gone":    {sandbox.Rule{Status: 410}, ghl.Created, ghl.Result{Outcome: ghl.Paused, Code: "HOOK_GONE", HTTPStatus: 410}},
		"busy":         {sandbox.Rule{Status: 429, RetryAfter: "7"}, ghl.Created, ghl.Result{Outcome: ghl.Retry, Code: "HTTP_429", HTTPStatus: 429, RetryAfter: 7 * time.Second}},
		"down": {
			sandbox.Rule{Status: 503, RetryAfter: "Thu, 15 Jan 2026 12:00:30 GMT"},
			ghl.Created,
			ghl.Result{Outcome: ghl.Retry, Code: "HTTP_503", HTTPStatus: 503, RetryAfter: 30 * time.Second},
		},
		"bad gateway":  {sandbox.Rule{Status: 502, Act: sandbox.ActYes}, ghl.Created, ghl.Result{Outcome: ghl.Retry, Code: "HTTP_502", HTTPStatus: 502, MaybeActed: true}},
		"refused":      {sandbox.Rule{Status: 422, Body: `{"error_code":"SLOT_TAKEN"}`}, ghl.Created, ghl.Result{Outcome: ghl.Permanent, Code: "SLOT_TAKEN", HTTPStatus: 422}},
		"drop before":  {sandbox.Rule{Effect: sandbox.EffectDropBefore}, ghl.Created, ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", MaybeActed: true}},
		"drop after":   {sandbox.Rule{Effect: sandbox.EffectDropAfter}, ghl.Created, ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", MaybeActed: true}},
		"reset after":  {sandbox.Rule{Effect: sandbox.EffectDropAfter, Reset: true}, ghl.Created, ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", MaybeActed: true}},
		"cut":          {sandbox.Rule{Effect: sandbox.EffectCut}, ghl.Created, ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", HTTPStatus: 200, MaybeActed: true}},
		"hang":         {sandbox.Rule{Effect: sandbox.EffectHangAfter}, ghl.Created, ghl.Result{Outcome: ghl.Unknown, Code: "TIMEOUT", MaybeActed: true}},
		"slow":         {sandbox.Rule{DelayAfter: time.Minute}, ghl.Created, ghl.Result{Outcome: ghl.Unknown, Code: "TIMEOUT", MaybeActed: true}},
		"never before": {sandbox.Rule{Effect: sandbox.EffectHangBefore}, ghl.Deleted, ghl.Result{Outcome: ghl.Unknown, Code: "TIMEOUT", MaybeActed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t, test.rule)
			o := ghl.WebhookOptions{
				URL: s.WebhookURL(), Timeout: 10 * time.Second,
				Now: func() time.Time { return time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC) },
			}
			if test.want.Code == "TIMEOUT" {
				o.Timeout = 750 * time.Millisecond
			}
			expect(t, newWebhook(t, o).Send(t.Context(), request(test.op, "e1", "d1")), test.want)
			// A redirect that was followed or a call that was repeated would show here.
			if stats := s.Stats(); stats.Requests != 1 || stats.Violations != 0 {
				t.Errorf("%+v, want one request; violations %+v", stats, s.Violations())
			}
		})
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	got := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r }))
	t.Cleanup(server.Close)
	url := strings.Replace(server.URL, "http://", "http://relay:word@", 1) + "/hooks/a/webhook-trigger/b?x=1"
	req := request(ghl.Created, "e1", "d-1")
	newWebhook(t, ghl.WebhookOptions{URL: url, Version: "1.2.3"}).Send(t.Context(), req)
	r := <-got
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Idempotency-Key": "d-1", "X-Sentra-Delivery": "d-1", "User-Agent": "ghlsync/1.2.3",
	} {
		if v := r.Header.Values(name); len(v) != 1 || v[0] != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if user, password, _ := r.BasicAuth(); user != "relay" || password != "word" {
		t.Errorf("basic auth %q %q", user, password)
	}
	if r.Method != http.MethodPost || r.RequestURI != "/hooks/a/webhook-trigger/b?x=1" || r.ContentLength != int64(len(req.Body)) {
		t.Errorf("%s %s, length %d", r.Method, r.RequestURI, r.ContentLength)
	}
}

// GHL tells by headers how much of its rate is left.
func TestRateHeaders(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]ghl.Result{
		200: {Outcome: ghl.Delivered, HTTPStatus: 200, RetryAfter: 10 * time.Second},
		429: {Outcome: ghl.Retry, Code: "HTTP_429", HTTPStatus: 429, RetryAfter: 10 * time.Second},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-RateLimit-Max", "100")
			w.Header().Set("X-RateLimit-Remaining", "0")
			w.Header().Set("X-RateLimit-Interval-Milliseconds", "10000")
			w.Header().Set("Retry-After", "2") // the longer wait counts
			w.WriteHeader(status)
		}))
		t.Cleanup(server.Close)
		expect(t, newWebhook(t, ghl.WebhookOptions{URL: server.URL}).Send(t.Context(), request(ghl.Created, "e1", "d1")), want)
	}
}

// A relay that packs whatever its caller does not refuse to unpack must not hide
// a failure from us: unread, it would count as delivered.
func TestAnswerIsNotCompressed(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const failure = `{"success":false,"error_code":"CONTACT_NOT_FOUND"}`
		if r.Header.Get("Accept-Encoding") == "identity" {
			_, _ = io.WriteString(w, failure) // the client's side tells
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		packed := gzip.NewWriter(w)
		_, _ = io.WriteString(packed, failure)
		_ = packed.Close()
	}))
	t.Cleanup(server.Close)
	res := newWebhook(t, ghl.WebhookOptions{URL: server.URL}).Send(t.Context(), request(ghl.Created, "e1", "d1"))
	expect(t, res, ghl.Result{Outcome: ghl.Permanent, Code: "CONTACT_NOT_FOUND", HTTPStatus: 200})
}

// rawServer answers the first request of each connection with answer and
// closes the connection at the next, without a word.
type rawServer struct {
	listener net.Listener
	requests atomic.Int32
	conns    sync.WaitGroup
}

func newRawServer(t *testing.T, answer string) *rawServer {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{listener: listener}
	s.conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.conns.Go(func() { s.serve(conn, answer) })
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		s.conns.Wait()
	})
	return s
}

func (s *rawServer) serve(conn net.Conn, answer string) {
	defer func() { _ = conn.Close() }() // the test looks at the client's side
	buffer := make([]byte, 64<<10)
	for first := true; ; first = false {
		if _, err := conn.Read(buffer); err != nil { // requests here fit one segment
			return
		}
		s.requests.Add(1)
		if !first {
			return
		}
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
	}
}

func (s *rawServer) url() string { return "http://" + s.listener.Addr().String() + "/hook" }

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

// A re-used connection that breaks under a request must not make the transport
// send it again: net/http does so for a POST with Idempotency-Key if it can.
func TestBrokenKeptConnectionIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := newRawServer(t, okAnswer)
	w := newWebhook(t, ghl.WebhookOptions{URL: s.url()})
	expect(t, w.Send(t.Context(), request(ghl.Created, "e1", "d1")), ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200})
	expect(t, w.Send(t.Context(), request(ghl.Created, "e2", "d2")), ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", MaybeActed: true})
	if n := s.requests.Load(); n != 2 {
		t.Errorf("%d requests on the wire for two calls", n)
	}
}

func TestAnswersThatAreNotWhole(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		want   ghl.Result
	}{
		"chunks cut":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n5\r\nhello\r\n", ghl.Result{Outcome: ghl.Unknown, Code: "TIMEOUT", HTTPStatus: 200, MaybeActed: true}},
		"length not met":    {"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", ghl.Result{Outcome: ghl.Unknown, Code: "TIMEOUT", HTTPStatus: 200, MaybeActed: true}},
		"bad chunk":         {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", HTTPStatus: 200, MaybeActed: true}},
		"no HTTP":           {"220 mail.example ESMTP ready\r\n", ghl.Result{Outcome: ghl.Unknown, Code: "MALFORMED_ANSWER", MaybeActed: true}},
		"endless header":    {"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70<<10) + "\r\nContent-Length: 2\r\n\r\n{}", ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", MaybeActed: true}},
		"header only begun": {"HTTP/1.1 200 OK\r\nContent-", ghl.Result{Outcome: ghl.Unknown, Code: "TIMEOUT", MaybeActed: true}},
		"switch":            {"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", ghl.Result{Outcome: ghl.Unknown, Code: "MALFORMED_ANSWER", HTTPStatus: 101, MaybeActed: true}},
		"refusal cut":       {"HTTP/1.1 503 No\r\nContent-Length: 50\r\nRetry-After: 3\r\n\r\n{}", ghl.Result{Outcome: ghl.Retry, Code: "HTTP_503", HTTPStatus: 503, RetryAfter: 3 * time.Second}},
		"continue first":    {"HTTP/1.1 100 Continue\r\n\r\n" + okAnswer, ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRawServer(t, test.answer)
			w := newWebhook(t, ghl.WebhookOptions{URL: s.url(), Timeout: 750 * time.Millisecond})
			expect(t, w.Send(t.Context(), request(ghl.Created, "e1", "d1")), test.want)
			if n := s.requests.Load(); n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer string
		want   int32
	}{
		"small":        {`{"success":true}`, 1},
		"just 64 KiB":  {strings.Repeat("x", 64<<10), 1},
		"over the cap": {strings.Repeat("x", 4<<20), 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opened atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, test.answer) // the client may close in the middle of it
			}))
			server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateNew {
					opened.Add(1)
				}
			}
			server.Start()
			t.Cleanup(server.Close)
			w := newWebhook(t, ghl.WebhookOptions{URL: server.URL})
			for i := range 5 {
				res := w.Send(t.Context(), request(ghl.Created, "e1", fmt.Sprint("d", i)))
				expect(t, res, ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200})
			}
			if n := opened.Load(); n != test.want {
				t.Errorf("%d connections for five calls, want %d", n, test.want)
			}
		})
	}
}

// Four calls at once, again and again, need four connections in all.
func TestConcurrencyKeepsAsManyConnections(t *testing.T) {
	t.Parallel()
	const concurrency, rounds = 4, 5
	var opened atomic.Int32
	arrived, pass := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-pass
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	w := newWebhook(t, ghl.WebhookOptions{URL: server.URL, Concurrency: concurrency})
	for round := range rounds {
		var sent sync.WaitGroup
		for i := range concurrency {
			sent.Go(func() {
				if res := w.Send(t.Context(), request(ghl.Created, "e1", fmt.Sprintf("d%d-%d", round, i))); res.Outcome != ghl.Delivered {
					t.Errorf("%+v", res)
				}
			})
		}
		for range concurrency {
			<-arrived
		}
		for range concurrency {
			pass <- struct{}{}
		}
		sent.Wait()
	}
	if n := opened.Load(); n != concurrency {
		t.Errorf("%d connections, want %d", n, concurrency)
	}
}

func TestInterruptedWhileSent(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, sandbox.Rule{Effect: sandbox.EffectHangAfter})
	w := newWebhook(t, ghl.WebhookOptions{URL: s.WebhookURL()})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan ghl.Result, 1)
	go func() { result <- w.Send(ctx, request(ghl.Created, "e1", "d1")) }()
	wait, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := s.WaitFor(wait, func(s sandbox.Snapshot) bool { return s.Live == 1 }); err != nil {
		t.Fatal(err)
	}
	cancel()
	expect(t, <-result, ghl.Result{Outcome: ghl.Unknown, Code: "INTERRUPTED", MaybeActed: true})
}

func TestInterruptedBeforeSent(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	res := newWebhook(t, ghl.WebhookOptions{URL: s.WebhookURL()}).Send(ctx, request(ghl.Created, "e1", "d1"))
	expect(t, res, ghl.Result{Outcome: ghl.Retry, Code: "INTERRUPTED"})
	if n := s.Stats().Requests; n != 0 {
		t.Errorf("%d requests", n)
	}
}

// A deadline of the caller's is a time-out like the client's own.
func TestCallersDeadline(t *testing.T) {
	t.Parallel()
	s := newSandbox(t, sandbox.Rule{Effect: sandbox.EffectHangBefore})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	res := newWebhook(t, ghl.WebhookOptions{URL: s.WebhookURL()}).Send(ctx, request(ghl.Created, "e1", "d1"))
	expect(t, res, ghl.Result{Outcome: ghl.Unknown, Code: "TIMEOUT", MaybeActed: true})
}
