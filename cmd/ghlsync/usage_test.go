package main

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ghlsync/internal/config"
	"ghlsync/internal/version"
)

func TestUsage(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, c := range []struct {
		args []string
		code int
		text string
	}{
		{nil, 0, "Available Commands"},
		{[]string{"--help"}, 0, "Exit codes"},
		{[]string{"help", "mappings", "retry"}, 0, "--failed"},
		{[]string{"mappings"}, 0, "release"},
		{[]string{"completion", "bash"}, 0, "__start_ghlsync"},
		{[]string{"frobnicate"}, 2, `!unknown command "frobnicate"`},
		{[]string{"mappings", "frobnicate"}, 2, `!unknown command "frobnicate"`},
		{[]string{"statsu", "--json"}, 2, `!unknown command "statsu" for "ghlsync"; did you mean status or state?`},
		{[]string{"mappings", "lst", "--json"}, 2, "!did you mean list?"},
		{[]string{"slot", "stat"}, 2, "!did you mean status?"},
		{[]string{"status", "--jsn"}, 2, "!See 'ghlsync status --help'"},
		{[]string{"run", "now"}, 2, "!ghlsync"},
		{[]string{"mappings", "show"}, 2, "!See 'ghlsync mappings show --help'"},
		{[]string{"mappings", "show", "1", "2"}, 2, "!ghlsync"},
		{[]string{"mappings", "retry"}, 2, "!either event ids or --failed"},
		{[]string{"mappings", "retry", "1", "--failed"}, 2, "!either event ids or --failed"},
		{[]string{"mappings", "drop", "--all", "1"}, 2, "!either event ids or --all"},
		{[]string{"mappings", "release", "--failed"}, 2, "!unknown flag"},
		{[]string{"mappings", "list", "--limit", "-1"}, 2, "!--limit -1"},
		{[]string{"sandbox", "--addr", "8090"}, 2, "!write HOST:PORT"},
		{[]string{"sandbox", "--addr", ":99999"}, 2, "!write HOST:PORT"},
		{[]string{"reconcile", "now"}, 2, "!See 'ghlsync reconcile --help'"},
		{[]string{"backfill"}, 2, "!one of --upcoming and --all"},
		{[]string{"backfill", "--upcoming", "--all"}, 2, "!one of --upcoming and --all"},
	} {
		p.expect(c.code, c.args, c.text)
	}
}

// TestHelpOfEveryCommand: each says what it is for, and shows how.
func TestHelpOfEveryCommand(t *testing.T) {
	t.Parallel()
	root := newRoot(streams{out: os.Stdout, err: os.Stderr})
	for _, cmd := range append(root.Commands(), slices.Concat(newMappings(streams{}).Commands(), newState(streams{}).Commands())...) {
		if cmd.Name() == "version" || cmd.Name() == "mappings" {
			continue
		}
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("%s: its help lacks something", cmd.CommandPath())
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.expect(0, []string{"version"}, "ghlsync ", version.Read().Go)
	var got version.Info
	if err := json.Unmarshal([]byte(p.expect(0, []string{"version", "--json"})), &got); err != nil || got.Go != version.Read().Go || got.Version == "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestConfigurationProblems(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "GHL_RATE=fast", "CDC_SLOT=Bad", "GHL_WEBHOOK_URL=http://example.com/hunter2", "GHL_DELET_FUSE=1")
	for _, args := range [][]string{{"run"}, {"config"}, {"config", "--json"}} {
		out, errs, code := p.run(args...)
		if code != 2 || strings.Contains(out+errs, "hunter2") {
			t.Errorf("%q: exit code %d\n%s%s", args, code, out, errs)
		}
		for _, want := range []string{
			"did you mean GHL_DELETE_FUSE?", "4 problems", "SENTRA_DATABASE_URL: is not set", "CDC_SLOT=Bad: ", "GHL_WEBHOOK_URL=http://example.com/…: ", "GHL_RATE=fast: ",
		} {
			if !strings.Contains(errs, want) {
				t.Errorf("%q: no %q in\n%s", args, want, errs)
			}
		}
	}
	// A command that uses none of these does not mind, but for what it uses.
	p.expect(1, []string{"mappings", "list"}, "!there is no state")
	p.expect(2, []string{"status"}, "!CDC_SLOT=Bad")
}

func TestRunWithoutADirectoryForItsState(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "SENTRA_DATABASE_URL=postgres://127.0.0.1:1/x", "GHL_WEBHOOK_URL=http://127.0.0.1:1/hook", "STATE_URL=sqlite:nowhere/state.db", "HTTP_ADDR=127.0.0.1:0")
	p.expect(1, []string{"run"}, "!there is no directory ", "!nowhere: make it, or set STATE_URL")
	if names := p.files(); len(names) != 0 {
		t.Errorf("it left %q behind", names)
	}
}

func TestConfigShowsWhatIsInForce(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "GHL_RATE=3/s", "HTTP_TOKEN=hunter2")
	p.write(".env", "GHL_RATE=9/s\nSENTRA_DATABASE_URL=postgres://u:hunter2@db.example.com/sentra\nGHL_WEBHOOK_URL=https://example.com/hunter2\n")
	out := p.expect(0, []string{"config"}, "GHL_RATE ", "postgres://db.example.com/…")
	if strings.Contains(out, "hunter2") {
		t.Errorf("a secret shows:\n%s", out)
	}
	var settings []config.Setting
	if err := json.Unmarshal([]byte(p.expect(0, []string{"config", "--json"})), &settings); err != nil {
		t.Fatal(err)
	}
	got := make(map[string]config.Setting)
	for _, s := range settings {
		got[s.Name] = s
	}
	for _, want := range []config.Setting{
		{Name: "GHL_RATE", Value: "3/s", Origin: config.FromEnvironment},
		{Name: "GHL_WEBHOOK_URL", Value: "https://example.com/…", Origin: config.FromFile},
		{Name: "HTTP_TOKEN", Value: "set", Origin: config.FromEnvironment},
		{Name: "CALLBACK_SECRET", Origin: config.NotSet},
		{Name: "CDC_SLOT", Value: "ghlsync", Origin: config.FromDefault},
	} {
		if got[want.Name] != want {
			t.Errorf("got %+v, want %+v", got[want.Name], want)
		}
	}
}

// With GHL_MODE=api what is missing is of the API, and its token does not show.
func TestConfigByAPI(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "SENTRA_DATABASE_URL=postgres://u@db.example.com/sentra", "GHL_MODE=api", "GHL_API_TOKEN=pit-hunter2",
		"GHL_LOCATION_ID=loc1", "GHL_ONBOARDING_CALENDAR_ID=cal1", "GHL_API_URL=https://example.com/hunter2")
	for _, args := range [][]string{{"config"}, {"config", "--json"}} {
		out, errs, code := p.run(args...)
		if code != 2 || !strings.Contains(errs, "GHL_HANDOVER_CALENDAR_ID: is not set") || strings.Contains(errs, "GHL_WEBHOOK_URL") || strings.Contains(out+errs, "hunter2") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
		for _, want := range []string{"loc1", "cal1", "https://example.com/…"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %s in\n%s", want, out)
			}
		}
	}
}

func TestSandboxRunsUntilASignal(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		s := newPlace(t).start("sandbox", "--addr", "127.0.0.1:0")
		text := s.await("Ctrl-C")
		_, rest, _ := strings.Cut(text, "GHL_WEBHOOK_URL=")
		url, _, _ := strings.Cut(rest, "\n")
		resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(url[:strings.Index(url, "/hooks/")] + "/sandbox/appointments")
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("appointments: %s, %v", resp.Status, err)
		}
		for _, want := range []string{
			"GHL_MODE=api GHL_API_URL=http://127.0.0.1:", "GHL_API_TOKEN=pit-sandbox", "GHL_LOCATION_ID=sandboxLocation",
			"GHL_ONBOARDING_CALENDAR_ID=calOnboarding", "GHL_HANDOVER_CALENDAR_ID=calHandover",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in %s", want, text)
			}
		}
		if code := s.stop(signal); code != 0 {
			t.Errorf("%s: exit code %d", signal, code)
		}
	}
	newPlace(t).expect(1, []string{"sandbox", "--addr", "256.0.0.1:1"}, "!listen on")
}
