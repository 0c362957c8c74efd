package demo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
)

// Not parallel: it changes the working directory and the environment, neither
// of which may count.
func TestOnceFindsGHLEqualToSentraAndLeavesNothing(t *testing.T) {
	elsewhere := t.TempDir()
	if err := os.WriteFile(filepath.Join(elsewhere, ".env"), []byte("GHL_WEBHOOK_ENABLED=false\nSENTRA_EVENT_TYPES=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(elsewhere)
	t.Setenv("SENTRA_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nowhere")
	t.Setenv("HTTP_ADDR", "everywhere")

	r := newRig(t, true)
	running := 0
	r.begun = func(*stage) { running = len(processesOf(t, r.folder)) }
	began := time.Now()
	if err := Run(t.Context(), r.Options); err != nil {
		t.Fatalf("Run: %v\n%s", err, r.screen)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("took %s, more than 30 s", took)
	}
	if running < 2 {
		t.Errorf("%d processes name the server's folder while it runs: the look for leftovers is blind", running)
	}
	r.wantNothingLeft(t)
	if left, err := os.ReadDir(elsewhere); err != nil || len(left) != 1 {
		t.Errorf("working directory holds %v, %v; want its .env alone", left, err)
	}
	wantLines(t, r.screen.String())
}

// wantLines checks that each change has its line, with an answer and with times
// where GHL was called.
func wantLines(t *testing.T, text string) {
	t.Helper()
	for _, s := range script() {
		_, rest, found := strings.Cut(text, "\n"+left(s.does, wDoes))
		if !found {
			t.Errorf("no line for %q", s.does)
			continue
		}
		line, _, _ := strings.Cut(rest, "\n")
		if len(s.calls) == 0 {
			if !strings.Contains(line, "nothing sent") {
				t.Errorf("%q: %q, want that nothing was sent", s.does, line)
			}
			continue
		}
		operation := string(s.calls[0].operation)
		if !strings.Contains(line, operation) || !strings.Contains(line, " 200 ") || strings.Count(line, " ms") != 2 {
			t.Errorf("%q: %q, want %s, 200 and two times in ms", s.does, line, operation)
		}
	}
	for _, want := range []string{"✓ GHL's appointment book equals Sentra", "22 changes in Sentra, 6 of which rightly sent nothing", "median"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "\x1b[") {
		t.Error("colours, and no terminal")
	}
}

func TestOnceFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	r := newRig(t, true)
	var first, second, third sandbox.Appointment
	r.played = func(_ context.Context, s *stage, _ *player) error {
		book := s.sandbox.Appointments()
		first, second, third = book[0], book[1], book[2]
		s.sandbox.Remove(first.ID)
		double, changed := second, third
		double.ID = "ghl_double"
		s.sandbox.Put(double)
		changed.EventTitle = "Something else"
		s.sandbox.Put(changed)
		return nil
	}
	err := Run(t.Context(), r.Options)
	if !errors.Is(err, ErrVerdict) || !strings.Contains(err.Error(), "findings: 3") {
		t.Errorf("Run: %v, want a verdict of 3 findings\n%s", err, r.screen)
	}
	for _, want := range []string{
		"✗ ", "event " + first.SentraEventID + " (", "has no appointment", "has 2 appointments: ", "ghl_double",
		"event " + third.SentraEventID + ": event_title is ",
	} {
		if !strings.Contains(r.screen.String(), want) {
			t.Errorf("the screen does not say %q:\n%s", want, r.screen)
		}
	}
	r.wantNothingLeft(t)
}

func TestOnceSaysThatGHLGotNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, true)
	r.patience = time.Second
	r.begun = func(s *stage) {
		s.sandbox.Reset() // what the first snapshot may have brought already
		if err := s.sandbox.Set(sandbox.Faults{Rules: []sandbox.Rule{{Status: 503}}}); err != nil {
			t.Error(err)
		}
	}
	if err := Run(t.Context(), r.Options); !errors.Is(err, ErrVerdict) {
		t.Errorf("Run: %v, want a verdict\n%s", err, r.screen)
	}
	if text := r.screen.String(); !strings.Contains(text, "has no appointment") || !strings.Contains(text, "the daemon has not settled") {
		t.Errorf("the screen does not say that appointments are missing and calls pending:\n%s", text)
	}
	r.wantNothingLeft(t)
}

func TestCancelledStartLeavesNothing(t *testing.T) {
	t.Parallel()
	moments := []struct {
		name string
		file string // what must be there when the context ends
		once bool
	}{
		{"at once", "", true},
		{"at once, live", "", false},
		{"while the data is made", "ghlsync-postgres-*/data/PG_VERSION", false},
		{"while the server starts", "ghlsync-postgres-*/data/postmaster.pid", true},
		{"while the daemon starts", "ghlsync-postgres-*/ghlsync-state-*", true},
		{"while the state is made", "ghlsync-postgres-*/ghlsync-state-*/state.db", false},
	}
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, m.once)
			r.dir = publicDir(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := watch(ctx, r.Options)
			if m.file != "" {
				waitForFile(t, filepath.Join(r.dir, m.file))
			}
			cancel()
			err := endOf(t, ended)
			if m.once && !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v, want that it was cancelled\n%s", err, r.screen)
			}
			if !m.once && err != nil {
				t.Errorf("Run: %v, want nil: to end it is what people want\n%s", err, r.screen)
			}
			left, err := os.ReadDir(r.dir)
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
			wantNoProcess(t, r.dir)
		})
	}
}

// waitForFile polls until a file of the pattern exists.
func waitForFile(t *testing.T, pattern string) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 30_000 {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if len(found) > 0 {
			return
		}
		<-tick.C
	}
	t.Errorf("no file %s", pattern)
}
