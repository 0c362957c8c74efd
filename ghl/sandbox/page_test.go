package sandbox_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

// ask sends a request with the given headers; Host stands for the host.
func (r *rig) ask(t *testing.T, method, path, form string, headers map[string]string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.URL()+path, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range headers {
		if name == "Host" {
			req.Host = value
		}
		req.Header.Set(name, value)
	}
	a, err := r.do(req)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var asBrowser = map[string]string{"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

func TestFrontIsAPageForBrowsersAndTextForOthers(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	page := r.ask(t, http.MethodGet, "/", "", asBrowser)
	if !strings.HasPrefix(page.body, "<!doctype html>") || !strings.Contains(page.body, r.WebhookURL()) {
		t.Errorf("a browser gets %.200s", page.body)
	}
	text := r.ask(t, http.MethodGet, "/", "", map[string]string{"Accept": "*/*"})
	if !strings.HasPrefix(text.body, "GHL sandbox\n") {
		t.Errorf("curl gets %.200s", text.body)
	}
	for _, path := range []string{"/", "/sandbox/base.css", "/sandbox/page.css", "/sandbox/live.js"} {
		h := r.ask(t, http.MethodGet, path, "", asBrowser).header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: policy %q lacks %s", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, h)
		}
	}
}

func TestForeignRequestsAreRefused(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	_, port, _ := strings.Cut(r.Addr(), ":")
	for _, c := range []struct {
		name, method, path string
		headers            map[string]string
		want               int
	}{
		{"another site's form", http.MethodPost, "/sandbox/reset", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"the page's button from another site", http.MethodPost, "/sandbox/page/reset", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"an older browser on another site", http.MethodDelete, "/sandbox/faults", map[string]string{"Origin": "http://elsewhere.example"}, 403},
		{"another port of this machine", http.MethodPost, "/sandbox/reset", map[string]string{"Origin": "http://127.0.0.1:1"}, 403},
		{"a rebound name reads", http.MethodGet, "/sandbox/requests", map[string]string{"Host": "elsewhere.example:" + port}, 403},
		{"a rebound name sees the page", http.MethodGet, "/", map[string]string{"Host": "elsewhere.example", "Accept": "text/html"}, 403},
		{"a rebound name writes", http.MethodPost, "/sandbox/reset", map[string]string{"Host": "elsewhere.example"}, 403},
		{"a name that begins well", http.MethodGet, "/", map[string]string{"Host": "127.0.0.1.elsewhere.example"}, 403},
		{"a name that ends well", http.MethodGet, "/", map[string]string{"Host": "notlocalhost"}, 403},
		{"localhost", http.MethodGet, "/", map[string]string{"Host": "localhost:" + port}, 200},
		{"IPv6", http.MethodGet, "/", map[string]string{"Host": "[::1]:" + port}, 200},
		{"a program", http.MethodPost, "/sandbox/reset", nil, 204},
		{"the page itself", http.MethodPost, "/sandbox/page/reset", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": r.URL()}, 303},
		{"the page itself in an older browser", http.MethodPost, "/sandbox/page/reset", map[string]string{"Origin": r.URL()}, 303},
	} {
		if a := r.ask(t, c.method, c.path, "", c.headers); a.status != c.want {
			t.Errorf("%s: status %d, want %d: %s", c.name, a.status, c.want, a.body)
		}
	}
}

// The webhook goes by whatever name containers have for it.
func TestWebhookTakesAnyHost(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	hook := strings.TrimPrefix(r.WebhookURL(), r.URL())
	a := r.ask(t, http.MethodPost, hook, body(ghl.Created, "e1", ""), map[string]string{"Host": "ghl.example", "Content-Type": "application/json"})
	if a.status != http.StatusOK {
		t.Errorf("status %d: %s", a.status, a.body)
	}
}

func TestFormsRefuseWhatTheyCannotDo(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	for _, c := range []struct{ path, form string }{
		{"preset", "preset=unheard-of"},
		{"preset", "preset=down&count=some"},
		{"preset", "preset=down&count=-1"},
		{"preset", "preset=down&percent=0"},
		{"preset", "preset=down&percent=101"},
		{"rules", "rules={"},
		{"rules", "rules=" + url.QueryEscape(`{"no_such_field":1}`)},
		{"remove", "id=ghl_000001"},
	} {
		a := r.ask(t, http.MethodPost, "/sandbox/page/"+c.path, c.form, nil)
		if a.status != http.StatusBadRequest || len(r.Faults().Rules) != 0 {
			t.Errorf("%s %s: status %d (%s), in force %v", c.path, c.form, a.status, a.body, r.Faults())
		}
	}
}

func TestEveryPresetIsPlayed(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	for _, p := range sandbox.Presets() {
		a := r.ask(t, http.MethodPost, "/sandbox/page/preset?from=2024-01-15&weeks=1", "percent=50&count=3&preset="+p.Key, nil)
		if a.status != http.StatusSeeOther || a.header.Get("Location") != "/?from=2024-01-15&weeks=1" {
			t.Errorf("%s: status %d to %q: %s", p.Key, a.status, a.header.Get("Location"), a.body)
		}
		rules := r.Faults().Rules
		if len(rules) != 1 || rules[0].Count != 3 || rules[0].Probability != 0.5 ||
			rules[0].Effect != p.Rule.Effect && p.Rule.Effect != "" || rules[0].ActAfter != p.Rule.ActAfter {
			t.Errorf("%s puts %+v in force", p.Key, rules)
		}
	}
}

func TestCalendarShowsTheWeeksAskedFor(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.mustSend(t, "d1", body(ghl.Created, "e1", "")) // on 15 January 2024
	for i := range 10 {
		r.Put(sandbox.Appointment{Fields: sandbox.Fields{StartDate: "2024-02-01", StartTime: "10:00", EventTitle: "Crowd " + strconv.Itoa(i)}})
	}
	r.Put(sandbox.Appointment{Fields: sandbox.Fields{EventTitle: "Some day"}})
	for _, c := range []struct {
		path       string
		days       int
		has, lacks []string
	}{
		{"/", 42, []string{"Jan 2024 <b>1</b>", "Feb 2024 <b>10</b>", "Some day"}, []string{"entry-ghl_000001", "Crowd"}},
		{"/?from=2024-01-17&weeks=1", 7, []string{"entry-ghl_000001", `id="day-2024-01-15"`, `id="day-2024-01-21"`, "2024-01-15 10:00 – 11:00"}, []string{"Crowd"}},
		{"/?from=2024-01-15", 42, []string{"entry-ghl_000001", "Crowd 7", "and 2 more", `href="/?from=2024-01-29&amp;weeks=1"`}, []string{"Crowd 8"}},
		{"/?from=2024-02-01&weeks=1", 7, []string{"Crowd 9"}, []string{"more</a>"}},
	} {
		page := r.ask(t, http.MethodGet, c.path, "", asBrowser).body
		if days := strings.Count(page, `id="day-`); days != c.days {
			t.Errorf("%s: %d days, want %d", c.path, days, c.days)
		}
		for _, want := range c.has {
			if !strings.Contains(page, want) {
				t.Errorf("%s lacks %q", c.path, want)
			}
		}
		for _, unwanted := range c.lacks {
			if strings.Contains(page, unwanted) {
				t.Errorf("%s has %q", c.path, unwanted)
			}
		}
	}
}

func TestRequestByNumber(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	r.mustSend(t, "d2", body(ghl.Created, "e2", ""))
	var one sandbox.Request
	r.call(t, http.MethodGet, "/sandbox/requests/1", "", http.StatusOK, &one)
	if one.Number != 1 || one.DeliveryID != "d1" || one.Body == "" || one.Ended.Before(one.Time) {
		t.Errorf("request 1 is %+v", one)
	}
	for _, n := range []string{"0", "3", "-1", "x"} {
		r.call(t, http.MethodGet, "/sandbox/requests/"+n, "", http.StatusNotFound, nil)
	}
}

// follow opens the live stream at a root.
func (r *rig) follow(t *testing.T, root string) *bufio.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, root+"/sandbox/live", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() }) // the sandbox has ended it, well or not
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("live is %q", got)
	}
	return bufio.NewReader(resp.Body)
}

// Frames of one reader are apart; the last of them shows the last change.
func TestLiveFramesAreFew(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	began := time.Now()
	live := r.follow(t, r.URL())
	const calls = 200
	for i := range calls {
		r.mustSend(t, "", body(ghl.Created, "e"+strconv.Itoa(i), ""))
	}
	frames := 0
	for shown := false; !shown; {
		frame, err := live.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(frame, "data: ") {
			frames++
			shown = strings.Contains(frame, "<b>"+strconv.Itoa(calls)+"</b> in the book")
		}
	}
	if most := 1 + int(time.Since(began)/(200*time.Millisecond)); frames > most {
		t.Errorf("%d frames in %s, want at most %d", frames, time.Since(began), most)
	}
}

func TestLiveSendsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	live := r.follow(t, r.URL())
	first, err := live.ReadString('\n')
	if err != nil || !strings.Contains(first, "data-fade") {
		t.Fatalf("the first frame is %v %.200s", err, first)
	}
	r.set(t, sandbox.Rule{Status: 503})
	for {
		frame, err := live.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(frame, "data: ") {
			if !strings.Contains(frame, "503") || strings.Contains(frame, "data-fade") {
				t.Errorf("the frame of a fault is %s", frame)
			}
			return
		}
	}
}

// A server of somebody else's keeps its connections when the sandbox ends.
func TestLiveEndsWithTheSandbox(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	live := r.follow(t, server.URL)
	if _, err := live.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if _, err := io.Copy(io.Discard, live); err != nil {
		t.Errorf("the stream ends with %v, want its end", err)
	}
}
