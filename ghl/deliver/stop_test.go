package deliver_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
)

func TestNewNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := deliver.New(deliver.Options{
		Concurrency: -1, Rate: -2, Burst: -3, Timeout: -time.Second, RetryBase: time.Minute, RetryCap: time.Second,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Store", "Sender", "Concurrency is -1", "Rate is -2", "Burst is -3", "Timeout is -1s", "RetryBase is 1m0s: use at most RetryCap (1s)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q: %v", want, err)
		}
	}
}

func TestStopWaitsForCallsInFlight(t *testing.T) {
	t.Parallel()
	sender := &heldSender{}
	sender.stop(false)
	r := newRig(t, sender.into)
	r.start()
	r.change(r.present("1", "Session A"), r.present("2", "Session A"))
	r.await("two calls are in flight", func() bool { return sender.held.Load() == 2 })
	time.AfterFunc(50*time.Millisecond, sender.release)
	r.stop()
	for _, id := range []string{"1", "2"} {
		if m := r.row(id); !m.Settled() || m.AppointmentID == "" {
			t.Errorf("event %s was not recorded: %+v", id, m)
		}
	}
	r.change(r.present("3", "Session A"))
	r.never("a stopped deliverer sends", func() bool { return len(r.requests("3")) > 0 })
	r.stop()
	if err := r.d.Start(t.Context()); err == nil {
		t.Error("a stopped deliverer starts again")
	}
}

// A call that was claimed ahead of a free worker does not begin after a stop. The
// next start makes it.
func TestStopBeginsNoClaimedCall(t *testing.T) {
	t.Parallel()
	store, sender := &flakyStore{lag: 5 * time.Millisecond}, &heldSender{}
	r := newRig(t, store.into, sender.into, func(r *rig) { r.o.Concurrency = 1 })
	r.start()
	var quick []state.Change
	for i := range 100 { // after which calls are known to be quicker than the store
		quick = append(quick, r.present(fmt.Sprintf("quick %d", i), "Session A"))
	}
	r.change(quick...)
	r.awaitIdle()
	sender.stop(false)
	r.change(r.present("1", "Session A"), r.present("2", "Session A"))
	r.await("one call is under way and one claimed", func() bool { return sender.held.Load() == 1 && r.d.Status().InFlight == 2 })
	time.AfterFunc(50*time.Millisecond, sender.release)
	r.stop()
	if n := len(r.requests("1")) + len(r.requests("2")); n != 1 {
		t.Errorf("%d calls left, want the one that was under way", n)
	}
	r.restart()
	r.awaitSettled("1", "2")
	r.wantOperations("1", "created")
	r.wantOperations("2", "created")
	r.wantClean()
}

// A stop whose deadline ends cuts the calls: their outcome is unknown, recorded,
// and found out by the next start.
func TestStopCutsCallsAtItsDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.Timeout = time.Minute })
	r.faults(sandbox.Rule{Effect: sandbox.EffectHangAfter, Count: 1})
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("the call is in flight", func() bool { return r.box.Stats().Acted == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := r.d.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the stop took %s", took)
	}
	m := r.row("1")
	if m.Call == nil || m.Call.State != state.Unknown || m.SyncError != ghl.CodeInterrupted || !m.LeaseUntil.IsZero() {
		t.Errorf("the cut call is not recorded as of unknown outcome: %+v", m)
	}
	r.restart()
	r.awaitSettled("1")
	r.wantOperations("1", "created created")
	r.wantRepeated(0, 1)
	r.wantTitles("1", "Session A")
	r.wantClean()
}

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.stop()
	if err := r.d.Start(t.Context()); err == nil {
		t.Error("it starts after a stop")
	}
}

// 5: a crash between claim and request, or between answer and record, doubles
// nothing. The state file is copied at that moment and delivery goes on from the
// copy, as after a power failure.
func TestCrashWhileACallIsInFlight(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]bool{"before the request left": true, "before the answer was recorded": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sender := &heldSender{}
			sender.stop(before)
			r := newRig(t, sender.into, func(r *rig) { r.o.Settle = 200 * time.Millisecond })
			r.start()
			r.change(r.present("1", "Session A"), r.present("2", "Session A"))
			r.await("both calls are held up", func() bool { return sender.held.Load() == 2 })
			crashed := copyState(t, r.path)
			sender.release()
			r.shut()

			again := newRig(t, func(again *rig) {
				again.o.Settle = r.o.Settle
				again.path, again.url, again.lsn = crashed, r.url, r.lsn
			})
			again.box.Close()
			again.box = r.box
			begin := time.Now()
			again.start()
			for _, id := range []string{"1", "2"} {
				if m := again.row(id); m.Call == nil || m.Call.State != state.Unknown || m.SyncError != state.CodeInterrupted {
					t.Fatalf("the crashed call of event %s is not of unknown outcome: %+v", id, m)
				}
			}
			if again.logs.count("calls of an earlier run", `"calls":2`) != 1 {
				t.Error("it is not said that calls were taken over")
			}
			again.change(again.present("2", "Session B"))
			again.awaitSettled("1", "2")
			if took := time.Since(begin); took < r.o.Settle {
				t.Errorf("repeated within %s of the start, want %s", took, r.o.Settle)
			}
			again.wantTitles("1", "Session A")
			again.wantTitles("2", "Session B")
			if before {
				again.wantOperations("1", "created")
			} else {
				again.wantOperations("1", "created created")
				again.wantRepeated(0, 1)
			}
			again.wantAudit("1", "create delivered 200", "create unknown 0 INTERRUPTED")
			again.wantClean()
		})
	}
}

// copyState copies a state file in which nothing is being written, as a crash
// leaves it.
func copyState(t *testing.T, path string) string {
	t.Helper()
	to := t.TempDir() + "/crashed.db"
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// A ping goes once around the loop, be it idle, busy with a store that fails, or
// gone.
func TestPing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	if err := r.d.Ping(t.Context()); err != nil {
		t.Errorf("idle: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 { // the loop may be quicker than the end of the context
		if err := r.d.Ping(canceled); err != nil {
			break
		}
	}
	r.stop()
	if err := r.d.Ping(t.Context()); err == nil {
		t.Error("a stopped deliverer answers")
	}
}
