package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
)

// term sends the process a signal that asks it to end.
func (p *process) term() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// requests is how often GHL was called for the event.
func (r *rig) requests(id string) (n int) {
	for _, q := range r.ghl.Requests() {
		if q.EventID == id {
			n++
		}
	}
	return n
}

// The first SIGTERM lets calls in flight end and starts no other; the position is
// confirmed to Postgres.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	r := newRig(t, "GHL_TIMEOUT=30s")
	p := r.start()
	r.caughtUp()
	r.faults(sandbox.Rule{Event: "slow", DelayAfter: 1500 * time.Millisecond})
	r.insert("slow", "onboarding", "Slow")
	r.until("the call is in flight", func() bool { return r.requests("slow") == 1 })
	p.term()
	r.until("the stop is told", func() bool { return strings.Contains(p.stderr.String(), "calls in flight are waited for") })
	r.insert("late", "onboarding", "Late")
	if code := p.wait(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := r.requests("late"); n != 0 {
		t.Errorf("%d calls began after the signal", n)
	}
	out, _, _ := r.run("mappings", "show", "slow", "--json")
	if !strings.Contains(out, `"sync_status": "synced"`) || r.requests("slow") != 1 {
		t.Errorf("the call in flight was not recorded after %d requests:\n%s", r.requests("slow"), out)
	}
	if confirmed, durable := r.positions(); confirmed != durable {
		t.Errorf("the slot is confirmed up to %s, the checkpoint is %s", confirmed, durable)
	}
	r.start()
	r.caughtUp()
	r.same()
}

// positions are what is confirmed to Postgres and what the state has, of a daemon
// that is down.
func (r *rig) positions() (confirmed, durable string) {
	r.t.Helper()
	out, _, _ := r.run("status", "--json")
	var s status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		r.t.Fatal(err)
	}
	return r.db.QueryString(r.t, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", r.env["CDC_SLOT"]), s.Checkpoint.LSN
}

// A second SIGTERM cuts at once. The call is of unknown outcome then, and the next
// start repeats it under the same delivery id.
func TestSecondSignalCuts(t *testing.T) {
	t.Parallel()
	r := newRig(t, "GHL_TIMEOUT=50s")
	p := r.start()
	r.caughtUp()
	r.faults(sandbox.Rule{Event: "hanging", Count: 1, Effect: sandbox.EffectHangAfter})
	r.insert("hanging", "onboarding", "Hanging")
	r.until("the call is in flight", func() bool { return r.requests("hanging") == 1 })
	p.term()
	r.until("the stop is told", func() bool { return strings.Contains(p.stderr.String(), "calls in flight are waited for") })
	p.term()
	if code := p.wait(); code == 0 {
		t.Error("a cut daemon ends as if it had stopped in good order")
	}
	r.start()
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 || s.Replays != 1 {
		t.Errorf("%d doubles, %d replays; want the same call once more", s.Doubles, s.Replays)
	}
}

// An idle daemon ends within two seconds of SIGTERM.
func TestIdleStopIsQuick(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	p := r.start()
	r.caughtUp()
	if code, took := p.stop(); code != 0 || took > 2*time.Second {
		t.Errorf("exit code %d after %s", code, took)
	}
}

// memory is the process's peak resident memory in MiB.
func (p *process) memory() int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return kib >> 10
}

const manyEvents = `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type)
	SELECT format('%s-%%s', i), 1, 'Session ' || i, '2030-05-01', '2030-05-01', '10:00', '11:00', repeat('described ', 10), 'onboarding'
	FROM generate_series(1, %d) i`

// One transaction of many rows is taken whole or not at all, over a kill in the
// middle of it, in bounded memory.
func TestLargeTransaction(t *testing.T) {
	t.Parallel()
	const rows = 200_000
	r := newRig(t, "GHL_WEBHOOK_ENABLED=false")
	r.start()
	r.captured()
	r.db.Exec(t, fmt.Sprintf(manyEvents, "large", rows))
	// The state file grows by the transaction's WAL long before it is committed.
	before := walSize(r)
	r.until("the transaction is being taken", func() bool { return walSize(r) > before+1<<20 })
	if n := r.status().Mappings.Total; n > rows/2 {
		t.Errorf("%d rows of an open transaction can be seen", n)
	}
	r.proc.kill()
	if out, _, _ := r.run("mappings", "list", "--query", "large-", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("a part of the transaction is stored:\n%s", tail(out, 300))
	}
	p := r.start()
	r.until("all of it is there", func() bool { return r.status().Mappings.Total >= rows })
	r.captured()
	if n := p.memory(); n > 128 {
		t.Errorf("peak memory %d MiB", n)
	}
}

func walSize(r *rig) int64 {
	info, err := os.Stat(strings.TrimPrefix(r.env["STATE_URL"], "sqlite:") + "-wal")
	if err != nil {
		return 0
	}
	return info.Size()
}

// The daemon moves to another machine: the state file is copied while it is down,
// and everything goes on from there.
func TestStateMovesToAnotherPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.insert("before", "onboarding", "Before")
	r.caughtUp()
	r.proc.stop()
	from := strings.TrimPrefix(r.env["STATE_URL"], "sqlite:")
	if _, err := os.Stat(from + "-wal"); err == nil {
		t.Error("a daemon that has stopped leaves a WAL beside its state")
	}
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "moved.db")
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r.set("STATE_URL=sqlite:" + to)
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Edited meanwhile' WHERE id = 'before'")
	r.start()
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d doubles", s.Doubles)
	}
}
