package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

func TestReadOverHTTP(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	r.mustSend(t, "d2", body(ghl.Created, "event 2/ü", ""))
	r.mustSend(t, "d3", body(ghl.Deleted, "e1", "ghl_000001"))

	var book []sandbox.Appointment
	r.call(t, http.MethodGet, "/sandbox/appointments", "", 200, &book)
	if len(book) != 1 || book[0].ID != "ghl_000002" || book[0].ClientEmail != "client@example.com" {
		t.Errorf("%+v", book)
	}
	r.call(t, http.MethodGet, "/sandbox/appointments?sentra_event_id=event+2%2F%C3%BC", "", 200, &book)
	if len(book) != 1 || book[0].SentraEventID != "event 2/ü" {
		t.Errorf("%+v", book)
	}
	r.call(t, http.MethodGet, "/sandbox/appointments?sentra_event_id=e1", "", 200, &book)
	if len(book) != 0 {
		t.Errorf("%+v", book)
	}

	var log []sandbox.Request
	r.call(t, http.MethodGet, "/sandbox/requests?after=1&limit=1", "", 200, &log)
	if len(log) != 1 || log[0].Number != 2 || log[0].DeliveryID != "d2" || log[0].Body != body(ghl.Created, "event 2/ü", "") {
		t.Errorf("%+v", log)
	}
	r.call(t, http.MethodGet, "/sandbox/requests?after=x", "", 400, nil)

	var stats sandbox.Stats
	r.call(t, http.MethodGet, "/sandbox/stats", "", 200, &stats)
	if stats.Requests != 3 || stats.Live != 1 || stats != r.Stats() {
		t.Errorf("%+v", stats)
	}
	r.call(t, http.MethodPost, "/sandbox/reset", "", 204, nil)
	if s := r.Stats(); s != (sandbox.Stats{}) || len(r.Appointments())+len(r.Requests()) != 0 {
		t.Errorf("after reset: %+v", s)
	}
	if a := r.mustSend(t, "d1", body(ghl.Created, "e1", "")); !strings.Contains(a.body, "ghl_000001") {
		t.Errorf("after reset: %+v", a)
	}
}

// What began before a reset is answered and changes nothing after it.
func TestResetCutsOffEarlierRequests(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.set(t, sandbox.Rule{DelayBefore: 300 * time.Millisecond})
	answered := make(chan error, 1)
	go func() {
		_, err := r.send(t.Context(), "d1", body(ghl.Created, "e1", ""))
		answered <- err
	}()
	r.wait(t, func(s sandbox.Snapshot) bool { return s.Stats.Requests == 1 })
	r.Reset()
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if s := r.Stats(); s != (sandbox.Stats{}) {
		t.Errorf("%+v", s)
	}
}

func TestIndexListsEndpoints(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.URL()+"/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	a, err := r.do(req)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"/sandbox/appointments", "/sandbox/requests", "/sandbox/stats", "/sandbox/violations", "/sandbox/faults", "/sandbox/reset", "hang_then_act"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("no %s in the index", want)
		}
	}
	r.call(t, http.MethodGet, "/nowhere", "", 404, nil)
	r.call(t, http.MethodGet, "/hooks/l/webhook-trigger/i", "", 405, nil)
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	one := body(ghl.Deleted, "e1", "")
	r := start(t, sandbox.Options{LogEntries: 3, LogBytes: 2 * len(one)})
	for range 5 {
		r.mustSend(t, "", one)
	}
	log := r.Requests()
	if len(log) != 3 || log[0].Number != 3 || log[2].Number != 5 {
		t.Fatalf("%+v", log)
	}
	if log[0].Body != "" || log[1].Body != one || log[2].Body != one {
		t.Errorf("bodies %+v", log)
	}
	if after := r.RequestsAfter(4, 0); len(after) != 1 || after[0].Number != 5 {
		t.Errorf("%+v", after)
	}
	// Delivery ids are remembered for as many requests.
	for i := range 4 {
		r.mustSend(t, fmt.Sprint("k", i), body(ghl.Created, "e2", ""))
	}
	r.mustSend(t, "k3", body(ghl.Created, "e2", ""))
	r.mustSend(t, "k0", body(ghl.Created, "e2", ""))
	if s := r.Stats(); s.Replays != 1 || s.Live != 5 {
		t.Errorf("%+v", s)
	}
}

func TestOnRequestComesBeforeFaults(t *testing.T) {
	t.Parallel()
	arrivals := make(chan sandbox.Arrival, 1)
	r := start(t, sandbox.Options{OnRequest: func(a sandbox.Arrival) { arrivals <- a }})
	r.set(t, sandbox.Rule{Effect: sandbox.EffectHangBefore})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var sent sync.WaitGroup
	sent.Go(func() {
		if _, err := r.send(ctx, "d1", body(ghl.Created, "e1", "")); err == nil {
			t.Error("answered")
		}
	})
	before := time.Now()
	a := <-arrivals
	if a.Number != 1 || a.Operation != ghl.Created || a.EventID != "e1" || a.DeliveryID != "d1" || a.Time.Sub(before).Abs() > 5*time.Second {
		t.Errorf("%+v", a)
	}
	cancel()
	sent.Wait()
}

func TestMaxInFlightPerEvent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		events []string
		want   int
	}{
		"same event":   {[]string{"e1", "e1", "e1"}, 3},
		"other events": {[]string{"e1", "e2", "e3"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, sandbox.Options{})
			r.set(t, sandbox.Rule{DelayBefore: 300 * time.Millisecond})
			var sent sync.WaitGroup
			for _, event := range test.events {
				sent.Go(func() {
					if _, err := r.send(t.Context(), "", body(ghl.Created, event, "")); err != nil {
						t.Error(err)
					}
				})
			}
			sent.Wait()
			if s := r.Stats(); s.MaxInFlightPerEvent != test.want || s.MaxInFlight != 3 {
				t.Errorf("%+v, want %d", s, test.want)
			}
		})
	}
}

// Requests that hang for good are counted all the same, each behind the others.
func TestMaxInFlightPerEventOfHangingRequests(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.set(t, sandbox.Rule{Effect: sandbox.EffectHangBefore, Count: 3})
	ctx, cancel := context.WithCancel(t.Context())
	var sent sync.WaitGroup
	for range 3 {
		sent.Go(func() {
			if _, err := r.send(ctx, "", body(ghl.Created, "e1", "")); err == nil {
				t.Error("answered")
			}
		})
	}
	r.wait(t, func(s sandbox.Snapshot) bool { return s.Stats.Requests == 3 })
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	if s := r.Stats(); s.MaxInFlightPerEvent != 4 {
		t.Errorf("%+v", s)
	}
	cancel()
	sent.Wait()
}

// A client that gave up on one call and makes the next has one in flight.
func TestAbandonedRequestIsNotInFlight(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.set(t, sandbox.Rule{Effect: sandbox.EffectHangThenAct, ActAfter: time.Minute, Count: 5})
	for range 5 {
		r.abandon(t, "d1", body(ghl.Created, "e1", ""))
	}
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	if s := r.Stats(); s.MaxInFlightPerEvent != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWaitForEndsWithContextAndSandbox(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	never := func(sandbox.Snapshot) bool { return false }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.WaitFor(ctx, never); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- r.WaitFor(context.Background(), never) }()
	r.Close()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
	if err := r.Start(t.Context(), "127.0.0.1:0"); err == nil {
		t.Error("a closed sandbox starts again")
	}
}

func TestCloseEndsHangingRequests(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	effects := []sandbox.Rule{
		{Effect: sandbox.EffectHangBefore},
		{Effect: sandbox.EffectHangAfter},
		{DelayBefore: time.Hour},
		{DelayAfter: time.Hour},
		{Effect: sandbox.EffectHangThenAct, ActAfter: time.Hour},
	}
	for i := range effects {
		effects[i].Count = 1
		effects[i].Event = fmt.Sprint("e", i)
	}
	r.set(t, effects...)
	var sent sync.WaitGroup
	for i := range effects {
		sent.Go(func() {
			if _, err := r.send(t.Context(), "", body(ghl.Created, fmt.Sprint("e", i), "")); err == nil {
				t.Error("answered")
			}
		})
	}
	r.wait(t, func(s sandbox.Snapshot) bool { return s.Stats.Requests == 5 && s.Acted == 2 })
	r.Close()
	sent.Wait()
	if s := r.Stats(); s.Acted != 2 {
		t.Errorf("acted while it closed: %+v", s)
	}
}

// Behind a server of somebody else's, Close waits for its own handlers.
func TestCloseAsHandlerOfAnotherServer(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	if err := s.Set(sandbox.Faults{Rules: []sandbox.Rule{{Effect: sandbox.EffectHangAfter}}}); err != nil {
		t.Fatal(err)
	}
	w, err := ghl.NewWebhook(ghl.WebhookOptions{URL: server.URL + "/hooks/l/webhook-trigger/i"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	send := func() ghl.Result {
		return w.Send(t.Context(), ghl.Request{Operation: ghl.Created, EventID: "e1", DeliveryID: "d1", Body: []byte(body(ghl.Created, "e1", ""))})
	}
	result := make(chan ghl.Result, 1)
	go func() { result <- send() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.WaitFor(ctx, func(s sandbox.Snapshot) bool { return s.Live == 1 }); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if line := s.Requests()[0]; !line.Done {
		t.Errorf("a handler outlives Close: %+v", line)
	}
	if res := <-result; res.Outcome != ghl.Unknown || res.Code != ghl.CodeConnectionLost {
		t.Errorf("%+v", res)
	}
	if res := send(); res.HTTPStatus != http.StatusServiceUnavailable {
		t.Errorf("after Close: %+v", res)
	}
}

// TestURLOfEveryAddress: a sandbox that listens everywhere names an address that
// can be called, and that the daemon takes a plain http webhook on.
func TestURLOfEveryAddress(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", ":0"} {
		s := sandbox.New(sandbox.Options{})
		t.Cleanup(s.Close)
		if err := s.Start(t.Context(), addr); err != nil {
			t.Fatal(err)
		}
		if _, err := ghl.ParseWebhookURL(s.WebhookURL()); err != nil {
			t.Errorf("%s: %s: %v", addr, s.WebhookURL(), err)
		}
	}
}

func TestStopIsGHLDown(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	addr := r.Addr()
	if err := r.Start(t.Context(), "127.0.0.1:0"); err == nil {
		t.Error("started twice")
	}
	url := r.WebhookURL()
	r.Stop()
	r.client.CloseIdleConnections()
	if r.URL() != "" || r.WebhookURL() != "" {
		t.Error("a stopped sandbox has an address")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.do(req); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, want a refused connection", err)
	}
	if err := r.Start(t.Context(), addr); err != nil {
		t.Fatal(err)
	}
	r.mustSend(t, "d2", body(ghl.Updated, "e1", "ghl_000001"))
	if book := r.Appointments(); len(book) != 1 || book[0].Changes != 1 {
		t.Errorf("%+v", book)
	}
	if err := sandbox.New(sandbox.Options{}).Start(t.Context(), addr); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("%v, want one that names %s", err, addr)
	}
}

// BenchmarkWebhook tells how many requests a second the sandbox takes with
// kept connections.
func BenchmarkWebhook(b *testing.B) {
	s := sandbox.New(sandbox.Options{})
	if err := s.Start(b.Context(), "127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	w, err := ghl.NewWebhook(ghl.WebhookOptions{URL: s.WebhookURL()})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		id := fmt.Sprint("e", n)
		res := w.Send(b.Context(), ghl.Request{Operation: ghl.Created, EventID: id, DeliveryID: id, Body: []byte(body(ghl.Created, id, ""))})
		if res.Outcome != ghl.Delivered {
			b.Fatalf("%+v", res)
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "requests/s")
}
