package ghl_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"time"

	"ghlsync/ghl"
)

// proxyChild names the variable that makes the test binary a caller whose
// environment names a proxy: net/http reads that once in a process.
const proxyChild = "GHL_TEST_PROXY_CHILD"

// callThroughProxy calls a host elsewhere, which a proxy has to reach, and the
// given loopback URL, which none is asked for.
func callThroughProxy(loopback string) int {
	for url, want := range map[string]ghl.Outcome{
		"https://services.example/hooks/secret": ghl.Retry, // the proxy refuses
		loopback:                                ghl.Delivered,
	} {
		w, err := ghl.NewWebhook(ghl.WebhookOptions{URL: url, Timeout: 5 * time.Second})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		res := w.Send(context.Background(), request(ghl.Created, "e1", "d1"))
		w.Close()
		if res.Outcome != want {
			fmt.Printf("%s: %+v, want %s\n", w, res, want)
			return 1
		}
	}
	return 0
}

func TestProxyOfEnvironment(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.Host
		w.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(proxy.Close)
	s := newSandbox(t)
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), proxyChild+"="+s.WebhookURL(), "NO_PROXY=", "no_proxy=",
		"HTTP_PROXY="+proxy.URL, "HTTPS_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "https_proxy="+proxy.URL)
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	close(asked)
	var got []string
	for request := range asked {
		got = append(got, request)
	}
	if len(got) != 1 || got[0] != "CONNECT services.example:443" {
		t.Errorf("the proxy was asked for %q", got)
	}
	if n := s.Stats().Live; n != 1 {
		t.Errorf("%d appointments", n)
	}
}
