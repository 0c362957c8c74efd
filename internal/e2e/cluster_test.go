package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
	postgresserver "ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// newShared is a rig whose state is in a database of its own, for any number of
// daemons.
func newShared(t *testing.T, env ...string) *rig {
	t.Helper()
	r := newRig(t, append([]string{"STATE_URL=" + pgtest.Database(t).URL}, env...)...)
	return r
}

// instances are the daemons that the state knows; none before there is a state.
func (r *rig) instances() []state.Instance {
	r.t.Helper()
	reader, err := postgres.OpenReadOnly(r.t.Context(), r.env["STATE_URL"])
	if err != nil {
		return nil // the caller polls
	}
	defer func() { _ = reader.Close() }()
	all, err := reader.Instances(r.t.Context())
	if err != nil {
		return nil
	}
	return all
}

// capturer is the one that captures by the state's word; zero: none does.
func (r *rig) capturer() state.Instance {
	r.t.Helper()
	all := r.instances()
	if i := slices.IndexFunc(all, func(i state.Instance) bool { return i.Capturer }); i >= 0 {
		return all[i]
	}
	return state.Instance{}
}

// joins starts one more daemon, waits until the state knows it, and says how.
func (r *rig) joins() (*process, state.Instance) {
	r.t.Helper()
	before := r.instances()
	p := r.launch()
	var self state.Instance
	r.until("the state knows the daemon", func() bool {
		for _, i := range r.instances() {
			if i.HTTPAddr != "" && !slices.ContainsFunc(before, func(b state.Instance) bool { return b.ID == i.ID }) {
				self = i
				return true
			}
		}
		return false
	})
	return p, self
}

// pair starts one that captures and one that stands by.
func (r *rig) pair() (first, second *process, standby state.Instance) {
	r.t.Helper()
	first = r.start()
	second, standby = r.joins()
	return first, second, standby
}

// takesOver waits until the one that stood by streams, and returns how long that
// took since the given time.
func (r *rig) takesOver(standby state.Instance, since time.Time) time.Duration {
	r.t.Helper()
	r.until("the standby captures", func() bool { return r.capturer().ID == standby.ID })
	r.until("the standby streams", func() bool { return r.phase(standby.HTTPAddr) == "streaming" })
	return time.Since(since)
}

// phase is what the daemon at an address says that it does.
func (r *rig) phase(addr string) string {
	r.t.Helper()
	var s struct{ Daemon struct{ Phase string } }
	if body := r.get("http://" + addr + "/api/v1/status"); body != nil {
		if err := json.Unmarshal(body, &s); err != nil {
			r.t.Fatal(err)
		}
	}
	return s.Daemon.Phase
}

// A state on a server holds what one in a file does, over a kill, and commands work
// on it with the daemon up and down.
func TestOneDaemonOnPostgres(t *testing.T) {
	t.Parallel()
	r := newShared(t)
	r.start()
	r.insert("event-1", "onboarding", "First")
	r.caughtUp()
	r.proc.kill()
	r.insert("event-2", "handover", "While nothing runs")
	if out, errs, code := r.run("mappings", "show", "event-1", "--json"); code != 0 {
		t.Errorf("show without a daemon: %d %s %s", code, out, errs)
	}
	if out, errs, code := r.run("pause"); code != 0 {
		t.Errorf("pause without a daemon: %d %s %s", code, out, errs)
	}
	r.start()
	r.captured()
	if s := r.status(); !s.Delivery.Paused || s.Mappings.Pending == 0 {
		t.Errorf("the pause does not hold: %+v", s)
	}
	// HTTP_ADDR names no port here: the command writes beside the daemon.
	if out, errs, code := r.run("resume"); code != 0 {
		t.Errorf("resume beside the daemon: %d %s %s", code, out, errs)
	}
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d appointments were booked twice", s.Doubles)
	}
	self := r.capturer()
	if code, _ := r.proc.stop(); code != 0 {
		t.Errorf("a stop ends with code %d", code)
	}
	if slices.ContainsFunc(r.instances(), func(i state.Instance) bool { return i.ID == self.ID }) {
		t.Error("it left without a farewell")
	}
}

// A graceful stop hands over at once, and loses nothing of what comes meanwhile.
func TestHandover(t *testing.T) {
	t.Parallel()
	r := newShared(t)
	first, _, standby := r.pair()
	r.caughtUp()
	r.insert("event-1", "onboarding", "Before")
	since := time.Now()
	if code, _ := first.stop(); code != 0 {
		t.Fatalf("a stop ends with code %d", code)
	}
	r.insert("event-2", "onboarding", "Between")
	t.Logf("took over after %s", r.takesOver(standby, since))
	r.caughtUp()
	r.same()
}

// The capturing daemon is killed under load, again and again. The other takes over
// in time, the appointment book equals Sentra, and nothing is doubled.
func TestCapturerKilledUnderLoad(t *testing.T) {
	t.Parallel()
	r := newShared(t, "GHL_RETRY_BASE=10ms", "GHL_RETRY_CAP=50ms")
	r.faults(
		sandbox.Rule{Probability: 0.2, DelayBefore: 20 * time.Millisecond},
		sandbox.Rule{Probability: 0.2, DelayAfter: 20 * time.Millisecond},
	)
	first, second, standby := r.pair()
	load := r.play(7)
	for range 3 {
		since := time.Now()
		first.kill()
		t.Logf("took over after %s", r.takesOver(standby, since))
		first = second
		second, standby = r.joins()
	}
	load.end(t)
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d appointments were booked twice", s.Doubles)
	}
}

// A capturer that is frozen under load loses its place. When it wakes up it finds
// that out, moves nothing, and stands by.
func TestFrozenCapturerWakesUp(t *testing.T) {
	t.Parallel()
	r := newShared(t)
	first, second, standby := r.pair()
	frozen := r.capturer()
	load := r.play(11)
	since := time.Now()
	first.signal(syscall.SIGSTOP)
	t.Logf("took over after %s", r.takesOver(standby, since))
	first.signal(syscall.SIGCONT)
	r.until("the one that woke up stands by", func() bool { return r.phase(frozen.HTTPAddr) == "standby" })
	load.end(t)
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d appointments were booked twice", s.Doubles)
	}
	since = time.Now()
	second.kill()
	t.Logf("and back after %s", r.takesOver(frozen, since))
	r.insert("event-1", "onboarding", "After both")
	r.caughtUp()
	r.same()
}

// A call that a dead daemon left is ended by one that lives, without a restart, and
// repeated under its delivery id.
func TestCallsOfADeadDaemon(t *testing.T) {
	t.Parallel()
	r := newShared(t)
	r.faults(sandbox.Rule{Event: "event-1", Count: 1, Effect: sandbox.EffectHangAfter})
	r.set("GHL_TIMEOUT=30s") // the daemon dies first
	first, second, standby := r.pair()
	r.insert("event-1", "onboarding", "Acted on")
	r.until("GHL has acted", func() bool {
		return slices.ContainsFunc(r.ghl.Appointments(), func(a sandbox.Appointment) bool { return a.SentraEventID == "event-1" })
	})
	if r.owner("event-1") == standby.ID {
		second.kill()
	} else {
		first.kill()
	}
	r.until("one captures", func() bool { return r.owner("event-1") == "" && r.captures() })
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 || s.Replays != 1 {
		t.Errorf("%d doubles and %d replays, want the same call once more and no double", s.Doubles, s.Replays)
	}
}

// owner is who has a call of the event in flight.
func (r *rig) owner(id state.EventID) string {
	r.t.Helper()
	reader, err := postgres.OpenReadOnly(r.t.Context(), r.env["STATE_URL"])
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	m, err := reader.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return m.LeaseOwner
}

// Daemons that start at the same moment on an empty state take one snapshot, not one
// each, and one of them stands by.
func TestFirstStartOfTwo(t *testing.T) {
	t.Parallel()
	r := newShared(t)
	r.db.Exec(t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		SELECT 'many-' || n, 1, 'One of many', '2030-01-01', '2030-01-01', '09:00', '10:00', 'onboarding' FROM generate_series(1, 3000) AS n`)
	both := []*process{r.launch(), r.launch()}
	r.until("one captures", r.captures)
	r.caughtUp()
	r.same()
	starts, waits := 0, 0
	for _, p := range both {
		starts += strings.Count(p.stderr.String(), `"msg":"first start`) + strings.Count(p.stderr.String(), "starts over")
		waits += strings.Count(p.stderr.String(), `"msg":"waiting as standby`)
	}
	if starts != 1 || waits != 1 {
		t.Errorf("%d took a snapshot and %d stand by, want one and one", starts, waits)
	}
}

// The state's server dies under load, with two daemons on it. Both go on when it is
// back: nobody's calls are taken for a dead one's meanwhile, and nothing is doubled.
func TestStateRestarts(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, postgresserver.Options{})
	r := newRig(t, "STATE_URL="+pgtest.DatabaseOn(t, server).URL)
	first, second, _ := r.pair()
	load := r.play(13)
	r.until("there is load", func() bool { return r.ghl.Stats().Requests > 100 })
	for range 2 {
		server.Kill()
		if err := server.StartAgain(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.until("one captures again", r.captures)
	}
	load.end(t)
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d appointments were booked twice", s.Doubles)
	}
	for _, p := range []*process{first, second} {
		if strings.Contains(p.stderr.String(), "have an unknown outcome") {
			t.Error("calls of a living daemon were given up")
		}
		if code, _ := p.stop(); code != 0 {
			t.Errorf("a stop ends with code %d", code)
		}
	}
}

// captures reports whether one daemon captures, and streams.
func (r *rig) captures() bool {
	r.t.Helper()
	one := r.capturer()
	return one.ID != "" && r.phase(one.HTTPAddr) == "streaming"
}

// Sentra fails over to its standby while three daemons run and the capturing one is
// killed. What is left goes on from the new primary.
func TestFailoverOfThree(t *testing.T) {
	t.Parallel()
	p := newPair(t, nil, "STATE_URL="+pgtest.Database(t).URL)
	first, second, _ := p.pair()
	third, _ := p.joins()
	for i := range 20 {
		p.insert(fmt.Sprintf("event-%d", i), "onboarding", "Before")
	}
	p.caughtUp()
	first.kill()
	p.fail()
	p.insert("event-20", "handover", "After")
	p.until("one of the others captures", p.captures)
	p.caughtUp()
	p.same()
	if s := p.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d appointments were booked twice", s.Doubles)
	}
	for _, d := range []*process{second, third} {
		if code, _ := d.stop(); code != 0 {
			t.Errorf("a stop ends with code %d", code)
		}
	}
}

// Every daemon, and a command without one, tells who there is.
func TestStatusOfInstances(t *testing.T) {
	t.Parallel()
	r := newShared(t)
	first, _, standby := r.pair()
	type instances struct {
		Instances []struct {
			ID, Role string
			Alive    bool
		}
	}
	roles := func(document []byte) (all instances) {
		if err := json.Unmarshal(document, &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	all := roles(r.get("http://" + standby.HTTPAddr + "/api/v1/status")).Instances
	if len(all) != 2 || all[0].Role != "capturer" || all[1].Role != "standby" || all[1].ID != standby.ID || !all[0].Alive {
		t.Errorf("the standby tells of %+v", all)
	}
	first.kill()
	r.until("the killed one counts as gone", func() bool {
		out, _, _ := r.run("status", "--json")
		all := roles([]byte(out)).Instances
		return len(all) == 2 && !all[0].Alive && all[1].Role == "capturer" && all[1].Alive
	})
	out, _, _ := r.run("status")
	if !strings.Contains(out, "capturer at "+standby.HTTPAddr) || !strings.Contains(out, "gone, or frozen") {
		t.Errorf("the text is\n%s", out)
	}
}

// Commands beside daemons: what the state itself can do is done there, what one
// daemon alone can do is refused with its address, and done through it.
func TestCommandsBesideDaemons(t *testing.T) {
	t.Parallel()
	r := newShared(t)
	_, _, standby := r.pair()
	r.insert("event-1", "onboarding", "Made")
	r.caughtUp()
	capturer := r.capturer()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"doctor", -1, "a daemon whose HTTP server is at " + capturer.HTTPAddr},
		{"doctor", -1, "the state is on a server"},
		{"slot drop --yes", 1, "a daemon runs (its HTTP server is at " + capturer.HTTPAddr},
		{"reconcile --dry-run", 1, "a daemon works on the state (its HTTP server is at " + capturer.HTTPAddr},
		{"setup --accept-source", 0, "belongs to this source already"},
		{"backfill --all", 0, "0 pushed"},
		{"mappings retry event-1", -1, "it has not failed"},
		{"mappings explain event-1", 0, "event-1"},
	} {
		out, errs, code := r.run(strings.Fields(c.args)...)
		if c.code >= 0 && code != c.code || !strings.Contains(out+errs, c.says) {
			t.Errorf("%s ends with %d:\n%s%s", c.args, code, out, errs)
		}
	}
	r.set("HTTP_ADDR=" + capturer.HTTPAddr)
	if out, errs, code := r.run("reconcile", "--dry-run"); code != 0 {
		t.Errorf("reconcile through the capturer: %d\n%s%s", code, out, errs)
	}
	r.set("HTTP_ADDR=" + standby.HTTPAddr)
	if out, errs, code := r.run("reconcile", "--dry-run"); code != 1 || !strings.Contains(errs, "standby") {
		t.Errorf("reconcile through the standby: %d\n%s%s", code, out, errs)
	}
	// An operator's word to one is heeded by the other.
	if out, errs, code := r.run("pause"); code != 0 {
		t.Errorf("pause through the standby: %d\n%s%s", code, out, errs)
	}
	r.until("the other heeds it", func() bool { return strings.Contains(r.said(capturer), "delivery is paused by an operator") })
	r.insert("event-2", "onboarding", "Kept")
	r.until("it is captured", func() bool { return r.mapping("event-2") != nil })
	if n := r.requests("event-2"); n != 0 {
		t.Errorf("%d calls although delivery is paused", n)
	}
	if out, errs, code := r.run("resume"); code != 0 {
		t.Errorf("resume through the standby: %d\n%s%s", code, out, errs)
	}
	r.caughtUp()
	r.same()
}

// said is what the daemon of an instance has logged.
func (r *rig) said(i state.Instance) string {
	r.t.Helper()
	for _, p := range r.all {
		if log := p.stderr.String(); strings.Contains(log, i.HTTPAddr) {
			return log
		}
	}
	return ""
}

// signal sends one to the process.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// get is the body of an answer that is well, or nil.
func (r *rig) get(url string) []byte {
	r.t.Helper()
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return body
}
