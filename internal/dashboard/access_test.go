package dashboard

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"ghlsync/internal/mappingtest"
	"ghlsync/state"
)

// acts are the addresses that change something.
var acts = []string{"/do/retry", "/do/release", "/do/drop", "/do/pause", "/do/resume"}

// private are pages that tell something.
var private = []string{"/", "/mappings", "/mappings?q=failed", "/event?id=failed", "/confirm/drop", "/nowhere"}

// unchanged checks that nobody has done anything.
func (r *rig) unchanged() {
	r.t.Helper()
	if r.status("failed") != state.Failed || r.status("held") != state.Pending || r.deliverer.Status().Paused {
		r.t.Error("somebody who may not has changed something")
	}
}

func TestWrongTokensSeeAndDoNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, "a-token", mappingtest.Failed("failed"), mappingtest.Held("held"))
	for _, header := range []string{"X: y", "Authorization: Bearer a-toke", "Cookie: ghlsync_session=guessed", "Cookie: ghlsync_session="} {
		for _, path := range private {
			a := r.visitor().ask(http.MethodGet, path, "", header)
			a.has(t, http.StatusOK, "Log in")
			if a.Request.URL.Path != "/login" || strings.Contains(a.body, "ghl-held") || strings.Contains(a.body, "part-") {
				t.Errorf("%s with %q shows %s", path, header, a.body)
			}
		}
		for _, path := range acts {
			r.visitor().ask(http.MethodPost, path, "all=1", header).has(t, http.StatusOK, "Log in")
		}
		r.visitor().ask(http.MethodGet, "/live", "", header).has(t, http.StatusUnauthorized)
	}
	r.unchanged()
	r.visitor().ask(http.MethodGet, "/", "", "Authorization: Bearer a-token").has(t, http.StatusOK, "Retry failed (1)")
}

func TestLogIn(t *testing.T) {
	t.Parallel()
	r := newRig(t, "a-token", mappingtest.Failed("failed"))
	v := r.visitor()
	a := v.post("/login", "token", "wrong", "back", "/mappings")
	a.has(t, http.StatusUnauthorized, "The token is missing or wrong.", `value="/mappings"`)
	a = v.post("/login", "token", "a-token", "back", "/mappings")
	if a.has(t, http.StatusOK, "failed"); a.Request.URL.Path != "/mappings" {
		t.Errorf("the login leads to %s", a.Request.URL)
	}
	// The session opens the API, too.
	v.get("/api/v1/mappings").has(t, http.StatusOK, `"sentra_event_id":"failed"`)
	v.post("/logout").has(t, http.StatusOK, "Log in")
	v.get("/mappings").has(t, http.StatusOK, "Log in")
	for range 20 {
		a = v.post("/login", "token", "wrong")
	}
	a.has(t, http.StatusTooManyRequests, "Too many wrong tokens")
	if log := r.log.String(); !strings.Contains(log, "login refused") || strings.Contains(log, "token=") {
		t.Errorf("the log says %s", log)
	}
}

func TestOtherSitesCannotAct(t *testing.T) {
	t.Parallel()
	r := newRig(t, "a-token", mappingtest.Failed("failed"), mappingtest.Held("held"))
	v := r.visitor()
	v.post("/login", "token", "a-token").has(t, http.StatusOK)
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example.com", "Origin: null"} {
		for _, path := range append(acts, "/login", "/logout") {
			v.ask(http.MethodPost, path, "all=1&token=a-token", header).has(t, http.StatusForbidden)
		}
	}
	r.unchanged()
	v.get("/").has(t, http.StatusOK, "Log out") // nobody has logged it out
	// A form of a page of our own, as a browser sends it where it does not trust the way.
	v.ask(http.MethodPost, "/do/pause", "", "Origin: http://"+r.Addr()).has(t, http.StatusOK, "Delivery is paused")
}

func TestWithoutATokenOnlyLocalNames(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Failed("failed"), mappingtest.Held("held"))
	for _, path := range private {
		a := r.visitor().ask(http.MethodGet, path, "", "Host: rebound.example.com")
		if a.has(t, http.StatusForbidden, "HTTP_TOKEN"); strings.Contains(a.body, "ghl-held") {
			t.Errorf("%s shows %s", path, a.body)
		}
	}
	for _, path := range acts {
		r.visitor().ask(http.MethodPost, path, "all=1", "Host: rebound.example.com").has(t, http.StatusForbidden)
	}
	r.visitor().ask(http.MethodGet, "/live", "", "Host: rebound.example.com").has(t, http.StatusUnauthorized)
	r.unchanged()
	a := r.visitor().get("/login?back=/mappings")
	if a.Request.URL.Path != "/mappings" {
		t.Errorf("the login of an open daemon leads to %s", a.Request.URL)
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Failed("failed"))
	closed := newRig(t, "a-token")
	answers := []answer{closed.visitor().get("/login"), closed.visitor().get("/live"), r.visitor().ask(http.MethodGet, "/", "", "Host: elsewhere")}
	for _, path := range append(private, assetURLs["app.css"], assetURLs["app.js"], "/mappings?status=wrong", "/assets/none.css") {
		answers = append(answers, r.visitor().get(path))
	}
	for _, a := range answers {
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s %d has %s %q", a.Request.URL, a.StatusCode, name, got)
			}
		}
		kept := strings.Contains(a.Header.Get("Cache-Control"), "immutable")
		if asset := a.StatusCode == http.StatusOK && strings.HasPrefix(a.Request.URL.Path, "/assets/"); kept != asset || !kept && a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s has Cache-Control %q", a.Request.URL, a.Header.Get("Cache-Control"))
		}
	}
}

// Pages name nothing outside, and everything that they name is there.
func TestPagesAreWhole(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Failed("failed"), mappingtest.Held("held"))
	inline := regexp.MustCompile(`<script>|<style|\sstyle=|\son[a-z]+=|javascript:|//[a-z]`)
	names := regexp.MustCompile(`(?:src|href|action)="([^"#]+)"`)
	for _, path := range private {
		a := r.visitor().get(path)
		if found := inline.FindString(a.body); found != "" {
			t.Errorf("%s has %q", path, found)
		}
		for _, m := range names.FindAllStringSubmatch(a.body, -1) {
			target := strings.ReplaceAll(m[1], "&amp;", "&")
			if !strings.HasPrefix(target, "/") {
				t.Errorf("%s names %s", path, target)
			}
			if strings.HasPrefix(target, "/do/") || target == "/logout" {
				continue
			}
			if b := r.visitor().get(target); b.StatusCode != http.StatusOK {
				t.Errorf("%s names %s, which answers %d", path, target, b.StatusCode)
			}
		}
	}
	if !strings.Contains(r.visitor().get(assetURLs["uPlot.iife.min.js"]).body, "Permission is hereby granted") {
		t.Error("the chart library goes without its licence")
	}
}

func TestClientDataIsOnOnePageAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	r.want("event-1")
	r.is("event-1", state.Synced)
	v := r.visitor()
	for _, path := range []string{"/", "/mappings", "/mappings?status=synced", "/mappings?q=event", "/mappings?q=bait"} {
		if a := v.get(path); strings.Contains(a.body, "bait") && !strings.Contains(path, "bait") || strings.Contains(a.body, clientEmail) {
			t.Errorf("%s shows client data: %s", path, a.body)
		}
	}
	v.get("/event?id=event-1").has(t, http.StatusOK, clientEmail)
	if strings.Contains(r.log.String(), clientEmail) {
		t.Errorf("the log has client data: %s", r.log)
	}
}

func TestBackGoesNowhereElse(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/mappings?q=a": "/mappings?q=a", "": "/", "//evil.example.com": "/", `/\evil.example.com`: "/", "https://evil.example.com/": "/",
		"javascript:alert(1)": "/", "mappings": "/", "/\x00": "/", "/event?id=a%2F%2Fb": "/event?id=a%2F%2Fb",
	} {
		if got := within(path); got != want {
			t.Errorf("%q leads to %q, want %q", path, got, want)
		}
	}
}
