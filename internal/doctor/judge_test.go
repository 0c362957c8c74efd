package doctor

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/cdc"
)

// What cannot be planted on a server here is judged by itself.

func TestLink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		link cdc.Link
		want Status
	}{
		{cdc.Link{Encrypted: true, Verified: true}, OK},
		{cdc.Link{Encrypted: true}, OK},
		{cdc.Link{Local: true}, OK},
		{cdc.Link{}, Warn},
	} {
		if got := judgeLink(c.link); got.Status != c.want {
			t.Errorf("%+v: %+v", c.link, got)
		}
	}
}

func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	ask := func(settings map[string]parameter) Result {
		return (&source{settings: settings}).slotIdle(t.Context())
	}
	const name = "idle_replication_slot_timeout"
	for _, settings := range []map[string]parameter{nil, {name: {"0", "s"}}} {
		if got := ask(settings); got.Status != OK {
			t.Errorf("%v: %+v", settings, got)
		}
	}
	got := ask(map[string]parameter{name: {"60", "s"}})
	if diff := cmp.Diff([]string{"ALTER SYSTEM SET idle_replication_slot_timeout = '0';", "SELECT pg_reload_conf();"}, got.SQL); got.Status != Warn || diff != "" {
		t.Errorf("%+v\n%s", got, diff)
	}
}

func TestStandbyNames(t *testing.T) {
	t.Parallel()
	ours := []string{"ghlsync stream", "ghlsync snapshot"}
	for _, c := range []struct {
		value, want string // want: what is left without ours
		counted     int
	}{
		{"", "", 0},
		{"a, b", `"a", "b"`, 0},
		{"*", `"real"`, 1},
		{`"*"`, `"real"`, 1},
		{`FIRST 2 (a, "ghlsync stream", *)`, `FIRST 2 ("a", "real")`, 2},
		{`any 1("GHLsync Snapshot",b)`, `any 1 ("b")`, 1},
		{`2 (a, "x ""y"" z")`, `2 ("a", "x ""y"" z")`, 0},
		{`"ghlsync stream"`, "", 1},
		{"ghlsync", `"ghlsync"`, 0},
	} {
		l := parseStandbys(c.value)
		counted := l.counting(ours)
		if got := l.without(counted, []string{"real"}).String(); got != c.want || len(counted) != c.counted {
			t.Errorf("%s: %s without %q, want %s", c.value, got, counted, c.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	target := &target{variable: webhookURL, url: &url.URL{Scheme: "https", Host: "hooks.example", Path: "/hunter2"}}
	got := target.unreachable(&net.DNSError{Err: "no such host", Name: "hooks.example", IsNotFound: true})
	want := Result{
		Status: Fail, Detail: "hooks.example: lookup hooks.example: no such host",
		Mend: "check the host name in GHL_WEBHOOK_URL, and this machine's name servers",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestProxy: beyond one nothing can be seen without a request.
func TestProxy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &url.URL{Scheme: "http", User: url.UserPassword("u", "hunter2"), Host: listener.Addr().String()}
	target := &target{url: &url.URL{Scheme: "https", Host: "hooks.example"}, options: Options{Now: time.Now}}
	target.cfg.GHL.WebhookEnabled = true
	if got := target.throughProxy(t.Context(), proxy, nil); got.Status != OK || strings.Contains(got.Detail, "hunter2") {
		t.Errorf("%+v", got)
	}
	if got := target.certificate(t.Context()); got.Status != Skipped {
		t.Errorf("%+v", got)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []error{nil, errors.New("proxy hunter2")} {
		if got := target.throughProxy(t.Context(), proxy, wrong); got.Status != Fail || strings.Contains(got.Detail, "hunter2") {
			t.Errorf("%+v", got)
		}
	}
}

func TestLiteral(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`it's`: `'it''s'`, `a\b`: `'a\b'`, "a\x1b[31m'\\": `U&'a\+00001B[31m''\\'`,
	} {
		if got := literal(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestNoTimeLeft: every check has a result, and those that had no time say so.
func TestNoTimeLeft(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	first := check{name: "first", run: func(context.Context) Result { cancel(); return good("") }}
	second := check{name: "second", run: func(context.Context) Result { return good("") }}
	third := check{name: "third", needs: []string{"second"}, run: second.run}
	got := examine(ctx, []check{first, second, third})
	want := []Result{
		{Name: "first", Status: OK},
		{Name: "second", Status: Skipped, Detail: "no time was left"},
		{Name: "third", Status: Skipped, Detail: "second was skipped"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
