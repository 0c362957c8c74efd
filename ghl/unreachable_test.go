package ghl_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl"
)

// closedAddr is a loopback address on which nothing listens.
func closedAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// silentAddr accepts connections and says nothing.
func silentAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String() // the kernel completes connections that nobody accepts
}

// tlsAddr serves TLS with a certificate that nobody signed.
func tlsAddr(t *testing.T) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // the failed handshake is the point
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// Before there is a connection nothing was sent: Retry, without a doubt.
func TestNeverSent(t *testing.T) {
	t.Parallel()
	plain := newSandbox(t)
	for name, test := range map[string]struct{ url, code string }{
		"refused":           {"http://" + closedAddr(t) + "/x", "CONNECTION_REFUSED"},
		"unknown authority": {"https://" + tlsAddr(t) + "/x", "TLS"},
		"no TLS there":      {strings.Replace(plain.WebhookURL(), "http:", "https:", 1), "TLS"},
		"handshake hangs":   {"https://" + silentAddr(t) + "/x", "CONNECT_TIMEOUT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWebhook(t, ghl.WebhookOptions{URL: test.url, Timeout: time.Second})
			expect(t, w.Send(t.Context(), request(ghl.Created, "e1", "d1")), ghl.Result{Outcome: ghl.Retry, Code: test.code})
		})
	}
	if n := plain.Stats().Requests; n != 0 {
		t.Errorf("%d requests", n)
	}
}

// A call has a connection to itself: HTTP/2, which shares one, is not offered.
func TestHTTP2IsNotOffered(t *testing.T) {
	t.Parallel()
	offered := make(chan []string, 1)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		offered <- hello.SupportedProtos
		return nil, nil
	}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // nobody has signed the certificate
	server.StartTLS()
	t.Cleanup(server.Close)
	newWebhook(t, ghl.WebhookOptions{URL: server.URL}).Send(t.Context(), request(ghl.Created, "e1", "d1"))
	if got := <-offered; slices.Contains(got, "h2") {
		t.Errorf("offered %q", got)
	}
}

func TestUnusableRequestIsNotSent(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	w := newWebhook(t, ghl.WebhookOptions{URL: s.WebhookURL()})
	for name, id := range map[string]string{"none": "", "line break": "a\r\nX: y", "blank": "a b", "non-ASCII": "ü", "long": strings.Repeat("x", 129)} {
		if res := w.Send(t.Context(), request(ghl.Created, "e1", id)); res.Outcome != ghl.Permanent || res.Code != "INVALID_REQUEST" {
			t.Errorf("%s: %+v", name, res)
		}
	}
	if res := w.Send(t.Context(), ghl.Request{Operation: ghl.Created, EventID: "e1", DeliveryID: "d1"}); res.Code != "INVALID_REQUEST" {
		t.Errorf("no body: %+v", res)
	}
	if n := s.Stats().Requests; n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestNewWebhookRefuses(t *testing.T) {
	t.Parallel()
	for _, o := range []ghl.WebhookOptions{
		{URL: "http://relay.example/topsecret"},
		{URL: "http://127.0.0.1/topsecret", Timeout: -1},
		{URL: "http://127.0.0.1/topsecret", Concurrency: -1},
	} {
		if _, err := ghl.NewWebhook(o); err == nil || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// The URL is the secret: no way of printing a client or a result shows it.
func TestURLStaysInside(t *testing.T) {
	t.Parallel()
	w := newWebhook(t, ghl.WebhookOptions{URL: "http://" + closedAddr(t) + "/hooks/topsecret"})
	res := w.Send(t.Context(), request(ghl.Created, "e1", "d1"))
	for _, shown := range []string{
		w.String(), fmt.Sprint(w), fmt.Sprintf("%v %+v %#v", w, w, w), fmt.Sprintf("%+v %#v", res, res), ghl.Explain(res.Code),
	} {
		if strings.Contains(shown, "topsecret") {
			t.Error(shown)
		}
	}
}
