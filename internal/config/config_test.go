package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/translator"
)

func required(more map[string]string) *Environment {
	all := map[string]string{
		"SENTRA_DATABASE_URL": "postgres://u:hunter2@localhost/sentra",
		"GHL_WEBHOOK_URL":     "https://example.com/hooks/hunter2",
	}
	maps.Copy(all, more)
	return FromMap(all)
}

func load(t *testing.T, more map[string]string) Config {
	t.Helper()
	c, _, err := Load(t.Context(), required(more), All()...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := load(t, nil)
	if got := c.Sentra.EchoPattern.Regexp().String(); got != translator.DefaultEcho {
		t.Errorf("echo pattern %q, the translator's default is %q", got, translator.DefaultEcho)
	}
	want := GHL{
		Mode: Webhook, WebhookURL: "https://example.com/hooks/hunter2", WebhookEnabled: true,
		Rate: 8, Burst: 20, Settle: time.Minute, Concurrency: 8, Timeout: 15 * time.Second,
		RetryBase: time.Second, RetryCap: 5 * time.Minute, Drift: DriftReport, DeleteFuse: 50,
		APIURL: "https://services.leadconnectorhq.com", IgnoreFreeSlot: true,
	}
	if diff := cmp.Diff(want, c.GHL); diff != "" {
		t.Errorf("GHL (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(CDC{Slot: "ghlsync", Publication: "ghlsync", Create: true, OnSlotLoss: Resync, Canary: 30 * time.Second}, c.CDC); diff != "" {
		t.Errorf("CDC (-want +got)\n%s", diff)
	}
	if got := []any{
		c.Sentra.EventsTable, c.Sentra.ClientsTable, strings.Join(c.Sentra.EventTypes, "+"), c.Sentra.Timezone.Location(),
		c.Sentra.Backfill, c.State.URL.Path, c.HTTP.Addr, c.HTTP.Token, c.Log.Level.Level(), c.Log.Format,
	}; fmt.Sprint(got) != "[public.calendar_events public.clients onboarding+handover UTC none ghlsync.db 127.0.0.1:8089  INFO auto]" {
		t.Errorf("got %v", got)
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	c := load(t, map[string]string{
		"SENTRA_ECHO_PATTERN": "", "SENTRA_TIMEZONE": "Europe/Berlin", "SENTRA_EVENT_TYPES": " meeting , call ",
		"STATE_URL": "sqlite:///var/lib/x.db", "GHL_WEBHOOK_ENABLED": "false", "LOG_LEVEL": "DEBUG",
	})
	if c.Sentra.EchoPattern.Regexp() != nil {
		t.Error("an empty echo pattern does not switch the test off")
	}
	if got := c.Sentra.Timezone.Location().String(); got != "Europe/Berlin" {
		t.Errorf("time zone %s", got)
	}
	if !slices.Equal(c.Sentra.EventTypes, EventTypes{"meeting", "call"}) {
		t.Errorf("types %q", c.Sentra.EventTypes)
	}
	if c.State.URL.Path != "/var/lib/x.db" || c.State.URL.String() != "sqlite:/var/lib/x.db" {
		t.Errorf("state %q", c.State.URL)
	}
	if c.GHL.WebhookEnabled || c.Log.Level.Level() != slog.LevelDebug {
		t.Errorf("enabled %v, level %s", c.GHL.WebhookEnabled, c.Log.Level)
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Rate{
		"8/s": 8, "500/s": 500, "100/10s": 10, "300/m": 5, "0.5/s": 0.5, " 3 / s ": 3,
		"8": 0, "/s": 0, "-1/s": 0, "0/s": 0, "NaN/s": 0, "Inf/s": 0, "8/": 0, "8/0s": 0, "8/fortnight": 0, "8/10": 0,
	} {
		var got Rate
		if err := got.EnvDecode(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	c := load(t, map[string]string{"HTTP_TOKEN": "hunter2", "CALLBACK_SECRET": "hunter2-hunter2-hunter2", "GHL_API_TOKEN": "hunter2"})
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "token", c.HTTP.Token, "all", c)
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %q", c, c, c, c.HTTP.Token, c.HTTP.Token), string(encoded), logged.String()} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("a secret shows in %s", text)
		}
	}
	if c.HTTP.Token.Reveal() != "hunter2" {
		t.Error("the secret itself is lost")
	}
}

func TestTornPasswordIsNotTakenForAHost(t *testing.T) {
	t.Parallel()
	for _, special := range []string{"/", "#", "?"} {
		if got := shownURL("postgres://user:12" + special + "34@db.example.com/sentra"); got != "set" {
			t.Errorf("with %s: got %q", special, got)
		}
	}
}

func TestEnvironReadsFileOfDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, ok := Environ(dir).Lookup("GHL_RATE"); ok {
		t.Fatal("found without a file")
	}
	path := filepath.Join(dir, ".env")
	if err := os.WriteFile(path, []byte("GHL_RATE=3/s\nPATH=/nowhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := Environ(dir)
	if got, _ := env.Lookup("GHL_RATE"); got != "3/s" {
		t.Errorf("GHL_RATE %q", got)
	}
	if got, _ := env.Lookup("PATH"); got != os.Getenv("PATH") {
		t.Errorf("the file beats the environment: %q", got)
	}
}

func TestFileThatEverybodyReadsIsWarnedAbout(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1, 0o604: 1} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := Load(t.Context(), Environ(filepath.Dir(path)), NeedLog)
		if err != nil || len(warnings) != want {
			t.Errorf("%o: %q, %v", mode, warnings, err)
		}
	}
}

func TestUnreadableFileIsAProblem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".env"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, _, err := Load(t.Context(), Environ(dir), NeedLog)
	if err == nil || !strings.Contains(err.Error(), ".env: cannot be read: is a directory") {
		t.Errorf("got %v", err)
	}
}

// assignment finds variables in .env.example, commented out or not.
var assignment = regexp.MustCompile(`(?m)^#?([A-Z][A-Z0-9_]+)=(.*)$`)

func TestExampleNamesEveryVariableWithItsDefault(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	example := make(map[string]string)
	for _, m := range assignment.FindAllStringSubmatch(string(text), -1) {
		example[m[1]] = strings.Trim(m[2], "'")
	}
	var names []string
	for _, v := range variables() {
		names = append(names, v.name)
		required := v.name == "SENTRA_DATABASE_URL" || v.name == "GHL_WEBHOOK_URL"
		if !required && example[v.name] != v.def {
			t.Errorf("%s: .env.example says %q, the default is %q", v.name, example[v.name], v.def)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(example))); diff != "" {
		t.Errorf("names (-config +.env.example)\n%s", diff)
	}
}

func TestExampleIsAValidFile(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	var env Environment
	if env.file, env.problem = parseFile(text); env.problem != nil {
		t.Fatal(env.problem)
	}
	if _, warnings, err := Load(t.Context(), &env, All()...); err != nil || len(warnings) > 0 {
		t.Errorf("%v %v", err, warnings)
	}
}

// explained finds a variable of .env.example with the line above it.
var explained = regexp.MustCompile(`(?m)^# (.+)\n#?([A-Z][A-Z0-9_]+)=`)

// settingsTable is README's table of settings, made of the fields of Config and
// the explanations of .env.example.
func settingsTable(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../.env.example")
	if err != nil {
		t.Fatal(err)
	}
	meaning := make(map[string]string)
	for _, m := range explained.FindAllStringSubmatch(string(text), -1) {
		meaning[m[2]] = m[1]
	}
	var b strings.Builder
	b.WriteString("| variable | default | |\n|---|---|---|\n")
	for _, v := range variables() {
		if meaning[v.name] == "" {
			t.Errorf(".env.example has no explanation above %s", v.name)
		}
		def := ""
		if v.def != "" {
			def = "`" + v.def + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.name, def, strings.ReplaceAll(meaning[v.name], "|", "\\|"))
	}
	return b.String()
}

func TestReadmeHasEverySetting(t *testing.T) {
	t.Parallel()
	const path, opening, closing = "../../README.md", "by a test -->\n", "<!-- /settings -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), opening)
	got, after, closed := strings.Cut(rest, closing)
	if !found || !closed {
		t.Fatal("README.md has no settings section")
	}
	want := settingsTable(t)
	if *update {
		if err := os.WriteFile(path, []byte(before+opening+want+closing+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("README.md (-want +got; rewrite with -update)\n%s", diff)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"kitten", "sitting", 3}, {"GHL_RATE", "GHL_RATE", 0}, {"abc", "cab", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// A state on a server is taken as it is, its options too, and shown without its
// password.
func TestStateOnAServer(t *testing.T) {
	t.Parallel()
	const url = "postgres://ghlsync:hunter2@db.example.com:5433/state?sslmode=verify-full&connect_timeout=5"
	c, _, err := Load(t.Context(), FromMap(map[string]string{"STATE_URL": url}), NeedState)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.State.URL; got.Postgres.Reveal() != url || got.Path != "" || got.String() != "postgres://db.example.com:5433/…" {
		t.Errorf("the state is %s", got)
	}
	for _, s := range c.Redacted() {
		if strings.Contains(s.Value, "hunter2") {
			t.Errorf("%s is shown as %s", s.Name, s.Value)
		}
	}
	_, _, err = Load(t.Context(), FromMap(map[string]string{"STATE_URL": "postgres://ghlsync:hun/ter2@db.example.com/state"}), NeedState)
	if err == nil || strings.Contains(err.Error(), "ter2") || !strings.Contains(err.Error(), "%2F") {
		t.Errorf("a password with a slash: %v", err)
	}
}
