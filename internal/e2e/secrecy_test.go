package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"

	"ghlsync/ghl/sandbox"
)

// bait is in every secret and in every value of a client and an event, but for ids:
// nothing that is shown may hold it. The phone number's digits are bait of their own.
const (
	bait      = "bait"
	baitPhone = "5550199731"
	baitTorn  = "u:41973" // a user and what a # or a / leaves of a password

	baitToken    = "bait-http-token-0123"
	baitSecret   = "bait-callback-secret-0123"
	baitAPIToken = "bait-pit-0123"
	baitPassword = "bait-db-password"
)

// audience collects what people and programs get to see, and from where.
type audience struct {
	*rig
	seen map[string]string
}

func (a *audience) sees(where, text string) { a.seen[where] += text }

// wantNothingSecret goes through all that was seen.
func (a *audience) wantNothingSecret() {
	a.t.Helper()
	for where, text := range a.seen {
		for _, secret := range []string{bait, baitPhone, baitTorn, "webhook-trigger"} {
			if at := strings.Index(strings.ToLower(text), secret); at >= 0 {
				a.t.Errorf("%s shows %q: …%s", where, secret, text[max(0, at-200):min(len(text), at+40)])
			}
		}
	}
}

// runs a command and sees all that it prints.
func (a *audience) runs(args ...string) string {
	a.t.Helper()
	out, errs, _ := a.run(args...)
	a.sees(strings.Join(args, " "), out+errs)
	return out + errs
}

// asks for a path and sees the whole answer.
func (a *audience) asks(method, path, token, body string) string {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, "http://"+a.addr()+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var header bytes.Buffer
	if err := resp.Header.Write(&header); err != nil {
		a.t.Fatal(err)
	}
	a.sees(method+" "+path, resp.Status+header.String()+string(text))
	return string(text)
}

// newAudience plants bait wherever something secret can be.
func newAudience(t *testing.T, env ...string) *audience {
	t.Helper()
	a := &audience{rig: newRig(t, env...), seen: make(map[string]string)}
	a.db.Exec(t, `UPDATE clients SET name = 'Bait Name', business_name = 'Bait Business', email = 'bait-' || id || '@example.com',
		phone = '+1`+baitPhone+`', notes = 'bait notes', address = 'bait address', website = 'bait site'`)
	a.db.Exec(t, "UPDATE calendar_events SET title = 'Bait Title', description = 'Bait Description'")
	u, err := url.Parse(a.db.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(u.User.Username(), baitPassword) // which the server does not ask for
	a.set("SENTRA_DATABASE_URL="+u.String(), "HTTP_TOKEN="+baitToken, "CALLBACK_SECRET="+baitSecret, "LOG_LEVEL=debug",
		"GHL_TIMEOUT=300ms", "GHL_SETTLE=1ms", "GHL_RETRY_CAP=100ms")
	return a
}

// everyFault is what can become of a call, with bait in all that GHL may put into an
// answer.
func everyFault(location string) []sandbox.Rule {
	const body = `{"success":false,"error":"Bait Name","error_code":"Bait Name ` + baitPhone + `","message":"bait@example.com"}`
	return []sandbox.Rule{
		{},
		{Effect: sandbox.EffectOlder},
		{Effect: sandbox.EffectReal},
		{Effect: sandbox.EffectDraft},
		{Effect: sandbox.EffectFailure, Code: "Bait Name not found"},
		{Effect: sandbox.EffectFailure, Code: "APPOINTMENT_NOT_FOUND"},
		{Status: 400, Body: body},
		{Status: 401, Body: body},
		{Status: 403, Body: body},
		{Status: 404, Body: body},
		{Status: 422, Body: body},
		{Status: 429, RetryAfter: "0", Body: body},
		{Status: 500, Body: body},
		{Status: 503, Body: "bait"},
		{Effect: sandbox.EffectRedirect, Location: location + "/bait"},
		{Effect: sandbox.EffectMalformed, Body: "<bait>"},
		{Effect: sandbox.EffectCut},
		{Effect: sandbox.EffectDropBefore},
		{Effect: sandbox.EffectDropAfter},
		{Effect: sandbox.EffectDropAfter, Reset: true},
		{Effect: sandbox.EffectHangBefore},
		{Effect: sandbox.EffectHangAfter},
	}
}

// suffer plays every fault, each on a new event, and waits until a call of it has ended.
func (a *audience) suffer() {
	a.t.Helper()
	for i, rule := range everyFault(a.ghl.URL()) {
		rule.Count = 2 // the look-ups of the API come first
		a.faults(rule)
		id := fmt.Sprintf("event-%d", i)
		a.insert(id, "onboarding", "Bait Title")
		a.until(id+" was tried", func() bool {
			return strings.Contains(a.asks(http.MethodGet, "/api/v1/mappings/"+id, baitToken, ""), `"last_sync_attempt":"`)
		})
	}
	a.faults()
}

// look shows all that a running daemon shows.
func (a *audience) look() {
	a.t.Helper()
	for _, path := range []string{
		"/healthz", "/readyz", "/metrics", "/api/v1/status", "/api/v1/mappings", "/api/v1/mappings?status=failed", "/api/v1/mappings?status=bait&q=%00",
		"/api/v1/mappings/event-1", "/api/v1/explain/event-1", "/api/v1/explain/event-8", "/api/v1/nothing",
	} {
		got := a.asks(http.MethodGet, path, baitToken, "")
		if path == "/api/v1/mappings?status=bait&q=%00" {
			a.seen["GET "+path] = strings.ReplaceAll(a.seen["GET "+path], `status \"bait\"`, "") // what was asked for comes back to who asked
		}
		if got == "" {
			a.t.Errorf("%s shows nothing", path)
		}
		a.asks(http.MethodGet, path, "bait-wrong-token-0123", "")
	}
	a.asks(http.MethodPost, "/api/v1/mappings/retry", baitToken, `{"bait":"`+baitPhone+`"}`)
	for _, command := range []string{
		"status", "status --json", "mappings list", "mappings list --json", "mappings show event-1", "mappings explain event-1", "mappings explain event-8 --json",
		"config", "config --json", "doctor", "doctor --json", "reconcile --dry-run", "slot status", "setup --print", "shadow --help", "version",
	} {
		if a.runs(strings.Fields(command)...) == "" {
			a.t.Errorf("%s prints nothing", command)
		}
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", a.proc.cmd.Process.Pid))
	if err != nil {
		a.t.Fatal(err)
	}
	a.sees("the command line", string(cmdline))
}

// callBack sends callbacks of people who may, and of people who may not.
func (a *audience) callBack() {
	a.t.Helper()
	const foreign = `{"sentra_event_id":"event-1","appointment_id":"bait id","success":false,"error_code":"Bait Name","name":"bait"}`
	for _, secret := range []string{"", "bait-wrong-secret-0123", baitToken, baitSecret} {
		for _, body := range []string{foreign, `{"bait":`, strings.Repeat("bait", 40<<10)} {
			a.asks(http.MethodPost, "/callbacks/ghl", secret, body)
			a.asks(http.MethodPost, "/callbacks/ghl/app", secret, body)
		}
	}
}

// TestNothingSecretShows: whatever GHL does and whoever asks, no secret and no value
// of a client shows in a log of either format, an answer, a metric, the output of a
// command, or what is left of a daemon that dies.
func TestNothingSecretShows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ mode, format string }{
		"webhook, text": {"webhook", "text"}, "webhook, json": {"webhook", "json"}, "api, json": {"api", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAudience(t, "LOG_FORMAT="+c.format)
			if c.mode == "api" {
				a.byAPI(func(api *sandbox.API) { api.Token = baitAPIToken })
			}
			a.start()
			a.suffer()
			a.callBack()
			a.look()
			a.ghl.Stop()
			a.insert("event-down", "handover", "Bait Title")
			a.until("GHL is down", func() bool {
				return strings.Contains(a.asks(http.MethodGet, "/api/v1/mappings/event-down", baitToken, ""), "CONNECTION_REFUSED")
			})
			a.look()
			// The runtime prints the stack of every goroutine, with their arguments.
			if err := a.proc.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
				t.Fatal(err)
			}
			a.proc.wait()
			said := a.proc.stderr.String()
			if !strings.Contains(said, "event-down") || !strings.Contains(said, "goroutine ") {
				t.Error("the log is not what was meant to be looked at")
			}
			a.sees("the log", said)
			a.wantNothingSecret()
		})
	}
}

// TestNoWrongSettingShows: what was pasted wrongly is secret as well, and so is a
// password that the server refuses.
func TestNoWrongSettingShows(t *testing.T) {
	t.Parallel()
	a := newAudience(t, "HTTP_TOKEN=")
	a.set("SENTRA_DATABASE_URL=postgres://nobody:" + baitPassword + "@127.0.0.1:1/sentra?sslmode=disable&connect_timeout=1")
	for what, env := range map[string][]string{
		"no server":           nil,
		"no such role":        {"SENTRA_DATABASE_URL=" + strings.Replace(a.db.URL, "postgres@", "nobody_at_all:"+baitPassword+"@", 1)},
		"a # in it":           {"SENTRA_DATABASE_URL=postgres://" + baitTorn + "#bait@127.0.0.1:1/sentra?connect_timeout=1"},
		"torn by a /":         {"SENTRA_DATABASE_URL=postgres://" + baitTorn + "/bait@db.example.com/sentra"},
		"torn by a blank":     {"SENTRA_DATABASE_URL=host=127.0.0.1 port=1 password=1 bait=2"},
		"no port":             {"SENTRA_DATABASE_URL=postgres://u:bait@host:bait/sentra"},
		"a bad escape":        {"SENTRA_DATABASE_URL=postgres://u:bait%zz@host/sentra"},
		"a token as database": {"SENTRA_DATABASE_URL=" + baitAPIToken},
		"a blank in the URL":  {"GHL_WEBHOOK_URL=https://example.com/hooks/bait hook"},
		"plain http":          {"GHL_WEBHOOK_URL=http://example.com/hooks/bait"},
		"no URL":              {"GHL_WEBHOOK_URL=bait"},
		"a broken token":      {"GHL_MODE=api", "GHL_API_TOKEN=bait token"},
		"a short secret":      {"CALLBACK_SECRET=bait"},
		"a file too":          {"CALLBACK_SECRET_FILE=/nowhere", "CALLBACK_SECRET=" + baitSecret},
		"a short token":       {"HTTP_ADDR=0.0.0.0:0", "HTTP_TOKEN=bait"},
		"no key":              {"GHL_APP_PUBLIC_KEY=bait"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := &audience{rig: &rig{t: t, db: a.db, ghl: a.ghl, dir: t.TempDir(), env: make(map[string]string)}, seen: make(map[string]string)}
			for name, value := range a.env {
				b.env[name] = value
			}
			b.set(env...)
			b.set("STATE_URL=sqlite:state.db", "LOG_FORMAT=text")
			for _, command := range []string{"config", "doctor", "slot status", "status", "setup", "shadow"} {
				if command == "shadow" && env == nil {
					continue // it waits for the server
				}
				b.runs(strings.Fields(command)...)
			}
			p := b.launch()
			b.until("the daemon ended, or goes on trying", func() bool {
				select {
				case <-p.done:
					return true
				default:
					return strings.Contains(p.stderr.String(), "127.0.0.1:1")
				}
			})
			p.kill()
			b.sees("run", p.stderr.String())
			b.wantNothingSecret()
		})
	}
}

// TestNoLineIsForged: what comes from a database that others write to, or from GHL,
// stays in its line, and plays no tricks on a terminal.
func TestNoLineIsForged(t *testing.T) {
	t.Parallel()
	const id = "event-1\nforged line\x1b[2J\r"
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "LOG_FORMAT="+format, "LOG_LEVEL=debug", "CALLBACK_SECRET="+callbackSecret)
			r.faults(sandbox.Rule{Event: id, Count: 1, Effect: sandbox.EffectFailure, Code: "A\nforged line\x1b[2J"})
			r.start()
			r.insert(id, "onboarding", "Title")
			r.until("the event is parked", func() bool { return r.status().Mappings.Failed == 1 })
			r.post("/callbacks/ghl", `{"sentra_event_id":"event-1\nforged line","appointment_id":"a\nforged line"}`, http.Header{"Authorization": {"Bearer " + callbackSecret}})
			seen := map[string]string{"the log": r.proc.stderr.String()}
			for _, command := range [][]string{{"status"}, {"mappings", "list"}, {"mappings", "list", "--json"}, {"mappings", "show", id}, {"mappings", "explain", id}, {"mappings", "retry", id}} {
				out, errs, _ := r.run(command...)
				seen[strings.Join(command[:1], " ")] += out + errs
			}
			for where, text := range seen {
				for line := range strings.Lines(text) {
					if strings.HasPrefix(line, "forged") || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\x1b\r\n") {
						t.Errorf("%s holds %q", where, line)
					}
				}
			}
			if !strings.Contains(seen["the log"], "forged line") || !strings.Contains(seen["mappings"], "forged line") {
				t.Error("the id is nowhere to be seen")
			}
		})
	}
}
