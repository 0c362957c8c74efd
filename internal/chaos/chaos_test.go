package chaos

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ghlsync/ghl/sandbox"
	_ "ghlsync/internal/daemon" // the binary is built of it: a change of it makes the tests run again
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "ghlsync-chaos-test-")
	if err != nil {
		panic(err)
	}
	binary = sync.OnceValues(func() (Binary, error) { return Build(context.Background(), dir, false) })
	goleak.VerifyTestMain(m,
		// A proxy whose link is stuck keeps its goroutines: see straining.
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.Cleanup(func(code int) {
			_ = os.RemoveAll(dir) // a temporary folder
			os.Exit(code)
		}))
}

// binary builds the daemon once for all tests.
var binary func() (Binary, error)

// short is a run of a few seconds, of faults that any machine can play.
func short(t *testing.T, mode Mode, seed uint64) Options {
	t.Helper()
	o := Options{
		Seed: seed, Mode: mode, Dir: t.TempDir(), Rounds: 1, Round: 4 * time.Second, Faults: 6, Out: t.Output(),
		Kinds: []Kind{DaemonKilled, DaemonFrozen, BackendsGone, NetCut, NetHalfOpen, NetTorn, GHLFails, SlotDropped},
	}
	var err error
	if o.Binary, err = binary(); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestShortRun(t *testing.T) {
	t.Parallel()
	for mode, seed := range map[Mode]uint64{Webhook: 3111, API: 881} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			report, err := Run(t.Context(), short(t, mode, seed))
			if err != nil {
				t.Fatal(err)
			}
			if report.Rounds != 1 || len(report.Failures) > 0 {
				t.Errorf("%+v", report)
			}
			if len(report.Faults) < 3 || report.GHL.Acted < 20 || report.Samples == 0 || report.Attempts == 0 {
				t.Errorf("hardly anything happened: %+v", report)
			}
		})
	}
}

// The checks find what is wrong: a double, a loss, something resurrected, and a
// word too much in the log.
func TestChecksFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	o := short(t, Webhook, 1)
	s, err := open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if err := s.quiet(t.Context(), Round{}); err != nil || len(s.report.Failures) > 0 {
		t.Fatalf("%v, %v", err, s.report.Failures)
	}
	book := s.ghl.Appointments()
	s.ghl.Put(sandbox.Appointment{SentraEventID: book[0].SentraEventID, Fields: book[0].Fields})
	s.ghl.Remove(book[1].ID)
	s.ghl.Put(sandbox.Appointment{SentraEventID: "deleted", Fields: book[1].Fields})
	if _, err := s.daemon.log.WriteString("the client's name is Bait\n"); err != nil {
		t.Fatal(err)
	}
	s.daemon.alone = []string{"exit status 1"}
	if err := s.quiet(t.Context(), Round{}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"has 2 appointments", "has no appointment", `event "deleted"`, `the log holds "Bait"`, "ended by itself",
	} {
		if !slices.ContainsFunc(s.report.Failures, func(f string) bool { return strings.Contains(f, want) }) {
			t.Errorf("nothing tells %q: %q", want, s.report.Failures)
		}
	}
}

// A slot that is confirmed too far is wrong unless a hole, for which a new epoch
// begins, has made it anew.
func TestWatchFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		samples []sample
		hole    bool
		want    string
	}{
		"well":              {samples: []sample{{position{1, 500}, 400}, {position{1, 500}, 500}}},
		"confirmed too far": {samples: []sample{{position{1, 500}, 501}, {position{1, 600}, 501}}, want: "was confirmed up to"},
		"went back":         {samples: []sample{{position{1, 500}, 400}, {position{1, 450}, 400}}, want: "went back"},
		"older epoch":       {samples: []sample{{position{2, 500}, 400}, {position{1, 600}, 400}}, hole: true, want: "went back"},
		"made anew":         {samples: []sample{{position{1, 500}, 900}, {position{2, 900}, 900}}, hole: true},
		"without a reason":  {samples: []sample{{position{1, 500}, 400}, {position{2, 900}, 900}}, want: "nothing had made a hole"},
	} {
		w := &watch{epoch: 1}
		for _, s := range c.samples {
			w.judge(s)
		}
		got := strings.Join(w.settled(c.hole), "; ")
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A seed gives the same plan again, round by round, and another one another.
func TestPlanReplays(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 7, Round: 10 * time.Second, Faults: 6}
	if !reflect.DeepEqual(o.Plan(3), o.Plan(3)) {
		t.Error("a round is not the same again")
	}
	if reflect.DeepEqual(o.Plan(3).Load, o.Plan(4).Load) {
		t.Error("two rounds are the same")
	}
	met := make(map[Kind]bool)
	for n := range 300 {
		for _, f := range o.Plan(n).Faults {
			met[f.Kind] = true
		}
	}
	if len(met) != len(weights) {
		t.Errorf("%d kinds of faults come up, want %d", len(met), len(weights))
	}
}

// The wall clock of a daemon that is built for it is what the file says.
func TestBuiltClockIsWhatTheLibraryHas(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	overlay, err := clockOverlay(context.WithoutCancel(t.Context()), dir)
	if err != nil || overlay == "" {
		t.Fatalf("%q, %v", overlay, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "overlay_time.go"))
	if err != nil || !strings.Contains(string(text), "sec += shift.Load()") {
		t.Errorf("the library's clock is not shifted: %v", err)
	}
}
