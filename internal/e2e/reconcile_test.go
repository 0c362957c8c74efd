package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pglogrepl"

	"ghlsync/state/sqlite"
)

// blind lets things happen in Sentra that the daemon never sees: its checkpoint
// is moved past them while it does not run.
func (r *rig) blind(happens func()) {
	r.t.Helper()
	r.caughtUp()
	r.proc.stop()
	happens()
	lsn, err := pglogrepl.ParseLSN(r.db.QueryString(r.t, "SELECT pg_current_wal_flush_lsn()"))
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.moveCheckpoint(lsn); err != nil {
		r.t.Fatal(err)
	}
	r.start()
}

func (r *rig) moveCheckpoint(to pglogrepl.LSN) (err error) {
	ctx := r.t.Context()
	store, err := sqlite.Open(ctx, filepath.Join(r.dir, "state.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	cp, err := store.Checkpoint(ctx, r.env["CDC_SLOT"])
	if err != nil {
		return err
	}
	tx, err := store.Begin(ctx)
	if err != nil {
		return err
	}
	next := *cp
	next.LSN = to
	if err := tx.SetCheckpoint(ctx, cp, next); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit(ctx)
}

// kind is one kind of difference in a reconcile's report.
type kind struct {
	Count int
	IDs   []string
}

type reconciliation struct {
	DryRun    bool `json:"dry_run"`
	Streaming bool
	Events    int
	Missing   kind
	Extra     kind
	Stale     kind
	Snapshots int
}

// command runs a command that prints one document, and nothing else.
func (r *rig) document(into any, args ...string) {
	r.t.Helper()
	out, errs, code := r.run(append(args, "--json")...)
	if code != 0 || errs != "" {
		r.t.Fatalf("%q exits %d: %s%s", args, code, out, errs)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		r.t.Fatalf("%q: %v\n%s", args, err, out)
	}
}

func (r *rig) reconcile(args ...string) (got reconciliation) {
	r.t.Helper()
	r.document(&got, append([]string{"reconcile"}, args...)...)
	return got
}

func (r *rig) finds(got reconciliation, missing, extra, stale string) {
	r.t.Helper()
	for name, ids := range map[string][2]string{
		"missing": {strings.Join(got.Missing.IDs, " "), missing}, "extra": {strings.Join(got.Extra.IDs, " "), extra},
		"stale": {strings.Join(got.Stale.IDs, " "), stale},
	} {
		if ids[0] != ids[1] {
			r.t.Errorf("%s: %q, want %q", name, ids[0], ids[1])
		}
	}
}

// TestReconcile: what the daemon missed is reported, changes nothing in a dry
// run, and reaches GHL once it is mended, with the daemon up and down.
func TestReconcile(t *testing.T) {
	t.Parallel()
	for _, up := range []bool{true, false} {
		t.Run(fmt.Sprintf("daemon up %v", up), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.start()
			for i := range 3 {
				r.insert(fmt.Sprintf("event-%d", i), "onboarding", "First")
			}
			r.blind(r.missed)
			r.db.Exec(t, "UPDATE clients SET phone = '+15550109999' WHERE id = 2") // has one event in scope
			if !up {
				r.proc.stop()
			}
			calls := len(r.ghl.Requests())
			const extra, missing, stale = "event-0", "event-missed", "event-1 event-1700000005.000005"
			got := r.reconcile("--dry-run")
			if r.finds(got, missing, extra, stale); !got.DryRun || got.Streaming != up {
				t.Errorf("got %+v", got)
			}
			if out, errs, code := r.run("reconcile", "--dry-run"); code != 0 || errs != "" || !strings.Contains(out, "Nothing was changed") {
				t.Errorf("it exits %d: %s%s", code, out, errs)
			}
			if up {
				r.captured()
			}
			if n := r.acted(calls, "event-0", "event-1", "event-missed"); n != 0 {
				t.Errorf("a dry run led to %d calls", n)
			}
			r.finds(r.reconcile(), missing, extra, stale)
			if !up {
				r.start()
			}
			r.caughtUp()
			r.same()
			r.noDoubles()
			r.finds(r.reconcile(), "", "", "")
		})
	}
}

// acted counts the calls for the events, without the first ones.
func (r *rig) acted(without int, ids ...string) (n int) {
	for _, q := range r.ghl.Requests()[without:] {
		if slices.Contains(ids, q.EventID) {
			n++
		}
	}
	return n
}

// TestBackfillCommand: events from before the first start are pushed when asked
// for, the upcoming ones first.
func TestBackfillCommand(t *testing.T) {
	t.Parallel()
	r := newRig(t, "SENTRA_BACKFILL=none")
	r.start()
	r.caughtUp()
	if n := r.ghl.Stats().Live; n != 0 {
		t.Fatalf("%d appointments without a backfill", n)
	}
	var got struct{ Pushed, Left, Known int }
	r.document(&got, "backfill", "--upcoming", "--dry-run")
	if got.Pushed != 3 || got.Left != 2 {
		t.Errorf("got %+v", got)
	}
	r.document(&got, "backfill", "--upcoming")
	r.caughtUp()
	upcoming := r.db.QueryString(t, "SELECT count(*) FROM calendar_events WHERE type IN ('onboarding', 'handover') AND end_date > CURRENT_DATE")
	if n := r.ghl.Stats().Live; got.Pushed != 3 || fmt.Sprint(n) != upcoming {
		t.Errorf("%d appointments, pushed %d; %s are upcoming", n, got.Pushed, upcoming)
	}
	r.document(&got, "backfill", "--all")
	r.caughtUp()
	r.same()
	r.noDoubles()
}

// TestReconcileUnderLoad: while events that the daemon missed, and those that it
// knows, are deleted, moved, renamed, truncated and inserted again, a reconcile
// mends what was missed and brings nothing back. In the last round the daemon is
// killed in the middle of one.
func TestReconcileUnderLoad(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := newRig(t)
	r.start()
	const events, rounds = 1500, 4
	for round := range rounds {
		prefix := fmt.Sprintf("round-%d", round)
		r.db.Exec(t, bulk, prefix+"-seen", 0, events)
		r.blind(func() {
			r.db.Exec(t, bulk, prefix, 0, events)
			r.db.Exec(t, "DELETE FROM calendar_events WHERE id LIKE $1 || '-seen-%3'", prefix)
			r.db.Exec(t, "UPDATE calendar_events SET title = 'Missed' WHERE id LIKE $1 || '-seen-%5'", prefix)
		})
		load := r.commotion(seed+uint64(round), prefix, events)
		switch round {
		case rounds - 2:
			load.truncates.Store(1)
		case rounds - 1:
			r.killWhileReconciling()
		}
		got := r.reconcile()
		load.end()
		r.caughtUp()
		if diff := r.differences(); len(diff) > 0 {
			t.Errorf("round %d, seed %d: %d differences, as %s", round, seed, len(diff), diff[0])
		}
		t.Logf("round %d: %d missing, %d extra, %d stale of %d, in %d snapshots", round,
			got.Missing.Count, got.Extra.Count, got.Stale.Count, got.Events, got.Snapshots)
	}
	r.same()
	if n := r.ghl.Stats().Doubles; n > 0 {
		t.Errorf("%d doubles, seed %d", n, seed)
	}
}

// killWhileReconciling kills the daemon once the reconcile has its slot.
func (r *rig) killWhileReconciling() {
	r.t.Helper()
	cmd := r.command("reconcile")
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.slotForReconcile()
	r.proc.kill()
	_ = cmd.Wait() // it may have ended before
	r.start()
}

// slotForReconcile waits until a reconcile has its slot, or waits for it.
func (r *rig) slotForReconcile() {
	r.t.Helper()
	r.until("the reconcile has its slot", func() bool {
		return r.db.QueryString(r.t, "SELECT count(*) FROM pg_replication_slots WHERE temporary AND database = current_database()") != "0"
	})
}

// TestReconcileAtTheSameTime: the second is refused, and whoever leaves ends his
// own.
func TestReconcileAtTheSameTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.caughtUp()
	// A transaction that stays open holds up the slot, and with it the first.
	conn := r.db.Conn(t)
	for _, sql := range []string{"BEGIN", "SELECT pg_current_xact_id()"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	first, said := r.command("reconcile", "--dry-run"), &output{}
	first.Stderr = said
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	r.slotForReconcile() // else the second might be the first
	second := func() (string, int) {
		out, errs, code := r.run("backfill", "--all", "--dry-run")
		return out + errs, code
	}
	r.until("the first holds the second up", func() bool {
		said, code := second()
		return code == 1 && strings.Contains(said, "running already")
	})
	if err := first.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // the exit code tells
	if code := first.ProcessState.ExitCode(); code != 1 || !strings.Contains(said.String(), "broken off") {
		t.Errorf("the first exits %d: %s", code, said)
	}
	r.until("it is the second's turn", func() bool { _, code := second(); return code == 0 })
}

// TestFuseOfAReconcile: mass deletions that are found are held.
func TestFuseOfAReconcile(t *testing.T) {
	t.Parallel()
	r := newRig(t, "GHL_DELETE_FUSE=10")
	r.start()
	r.db.Exec(t, bulk, "event", 0, 20)
	r.caughtUp()
	r.blind(func() { r.db.Exec(t, "DELETE FROM calendar_events WHERE id LIKE 'event-%' AND title = 'Bulk'") })
	live := r.ghl.Stats().Live
	if got := r.reconcile(); got.Extra.Count != 20 {
		t.Errorf("got %+v", got)
	}
	if s := r.status(); s.Mappings.Held != 20 {
		t.Errorf("%d are held", s.Mappings.Held)
	}
	if _, errs, code := r.run("mappings", "drop", "--all"); code != 0 {
		t.Errorf("drop exits %d: %s", code, errs)
	}
	r.finds(r.reconcile(), "", "", "")
	if s := r.status(); s.Mappings.Held != 0 || s.Mappings.Pending != 0 {
		t.Errorf("got %+v", s.Mappings)
	}
	if n := r.ghl.Stats().Live; n != live {
		t.Errorf("%d appointments, %d before", n, live)
	}
}
