package cdc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/internal/postgres/pgtest"
)

func TestStreamErrorsAreTyped(t *testing.T) {
	t.Parallel()
	t.Run("terminated", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		s := r.open(t)
		h := r.slot(t, s)
		rec := newRecorder(h.LSN)
		run := start(t, s, h.LSN, rec)
		r.db.Exec(t, insertSQL("a"))
		rec.awaitChanges(t, 1)
		r.db.Exec(t, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1`, r.cfg.Slot)
		if err := run.wait(t); !errors.Is(err, ErrConnectionLost) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("slot in use", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		s := r.open(t)
		h := r.slot(t, s)
		start(t, s, h.LSN, newRecorder(h.LSN))
		r.db.Await(t, "t", `SELECT active FROM pg_replication_slots WHERE slot_name = $1`, r.cfg.Slot)
		second := r.open(t)
		if err := second.Stream(t.Context(), h.LSN, newRecorder(0)); !errors.Is(err, ErrSlotActive) {
			t.Errorf("stream: %v", err)
		}
		if err := second.DropSlot(t.Context()); !errors.Is(err, ErrSlotActive) {
			t.Errorf("drop: %v", err)
		}
		if _, err := second.CreateSlot(t.Context()); !errors.Is(err, ErrSlotExists) {
			t.Errorf("create: %v", err)
		}
	})
	t.Run("no slot", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		s := r.open(t)
		if err := s.DropSlot(t.Context()); err != nil {
			t.Errorf("drop: %v", err)
		}
		if err := s.Stream(t.Context(), 0, newRecorder(0)); !errors.Is(err, ErrSlotMissing) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("slot by hand", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.cfg.Create = false
		s := r.open(t)
		_, err := s.CreateSlot(t.Context())
		found := Findings(err)
		if len(found) != 1 || found[0].Code != CodeSlot {
			t.Fatalf("got %v", err)
		}
		for _, sql := range append([]string{r.cfg.PublicationSQL()}, found[0].SQL...) {
			r.db.Exec(t, sql)
		}
		f, err := s.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if v := Judge(nil, f, r.cfg); v.Action != Adopt {
			t.Errorf("judged %v %v", v.Action, v.Err)
		}
	})
	t.Run("publication re-created", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		s := r.open(t)
		h := r.slot(t, s)
		r.db.Exec(t, insertSQL("a"))
		r.db.Exec(t, `DROP PUBLICATION `+r.cfg.Publication)
		r.db.Exec(t, insertSQL("b"))
		r.db.Exec(t, r.cfg.PublicationSQL())
		rec := newRecorder(h.LSN)
		err := start(t, s, h.LSN, rec).wait(t)
		if !errors.Is(err, ErrPublicationMissing) {
			t.Errorf("got %v", err)
		}
		// What came before the fault was handed over all the same.
		if diff := cmp.Diff([]string{"insert a"}, rec.brief()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("slot lost", func(t *testing.T) {
		t.Parallel()
		r := ownRig(t, map[string]string{"max_slot_wal_keep_size": "1MB", "min_wal_size": "2MB", "max_wal_size": "2MB"})
		s := r.open(t)
		h := r.slot(t, s)
		for range 8 {
			r.db.Exec(t, `CREATE TABLE IF NOT EXISTS noise (n text); INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 1000)`)
			r.db.Exec(t, `SELECT pg_switch_wal()`)
			r.db.Exec(t, `CHECKPOINT`)
		}
		f, err := s.Inspect(t.Context())
		if err != nil || !f.Slot.Lost() {
			t.Fatalf("slot %+v, %v", f.Slot, err)
		}
		if pgtest.Major(t) >= 17 && f.Slot.Invalidation != "wal_removed" {
			t.Errorf("the slot is lost by %q", f.Slot.Invalidation)
		}
		if err := s.Stream(t.Context(), h.LSN, newRecorder(0)); !errors.Is(err, ErrSlotLost) {
			t.Errorf("got %v", err)
		}
		prior := &Prior{LSN: h.LSN, SystemID: f.SystemID, Timeline: f.Timeline, Database: f.Database, Fingerprint: f.Fingerprint, BaselineDone: true}
		if v := Judge(prior, f, r.cfg); v.Action != Heal || !v.NewSlot || !v.DropSlot {
			t.Errorf("judged %+v", v)
		}
		if err := s.DropSlot(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// From Postgres 18 on a server may give up a slot that nobody uses for long.
func TestIdleSlotIsGivenUp(t *testing.T) {
	t.Parallel()
	timeout, reason := map[string]string{}, ""
	if pgtest.Major(t) >= 18 {
		timeout["idle_replication_slot_timeout"], reason = "1s", "idle_timeout"
	}
	r := ownRig(t, timeout)
	s := r.open(t)
	h := r.slot(t, s)
	var f Facts
	deadline := time.Now().Add(patience)
	for {
		// The server looks at idle slots when it checkpoints.
		r.db.Exec(t, `CHECKPOINT; SELECT pg_sleep(0.2)`)
		var err error
		if f, err = s.Inspect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if f.Slot.Invalidation == reason || time.Now().After(deadline) {
			break
		}
	}
	if f.Slot.Invalidation != reason || f.Slot.Lost() != (reason != "") {
		t.Fatalf("slot %+v, want it lost by %q", f.Slot, reason)
	}
	prior := &Prior{LSN: h.LSN, SystemID: f.SystemID, Timeline: f.Timeline, Database: f.Database, Fingerprint: f.Fingerprint, BaselineDone: true}
	v := Judge(prior, f, r.cfg)
	if reason == "" {
		if v.Action != Continue {
			t.Errorf("judged %+v", v)
		}
		return
	}
	if v.Action != Heal || !v.NewSlot || !strings.Contains(v.Reason, reason) {
		t.Errorf("judged %+v", v)
	}
	if err := s.Stream(t.Context(), h.LSN, newRecorder(0)); !errors.Is(err, ErrSlotLost) {
		t.Errorf("stream: %v", err)
	}
}

// A slot's creation waits for open transactions, for a bounded time; it says
// what it waits for, and the name is free again at once.
func TestSlotCreationIsHeldUp(t *testing.T) {
	t.Parallel()
	r := ownRig(t, nil)
	r.cfg.SlotWait = 300 * time.Millisecond
	s := r.open(t)
	if _, err := s.EnsurePublication(t.Context()); err != nil {
		t.Fatal(err)
	}
	free := func() {
		t.Helper()
		if n := r.db.QueryString(t, `SELECT count(*) FROM pg_replication_slots`); n != "0" {
			t.Errorf("%s slots are left", n)
		}
	}
	blocker := r.db.Conn(t)
	if _, err := blocker.Exec(t.Context(), "BEGIN;"+insertSQL("blocker")); err != nil {
		t.Fatal(err)
	}
	_, err := s.CreateSlot(t.Context())
	var heldUp *HeldUpError
	if !errors.As(err, &heldUp) || !errors.Is(err, ErrHeldUp) || len(Findings(err)) != 0 {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), fmt.Sprintf("server process %d (idle in transaction)", blocker.PgConn().PID())) || strings.Contains(err.Error(), "INSERT") {
		t.Errorf("error %q", err)
	}
	free()

	// Told to stop, it stops at once.
	ctx, cancel := context.WithCancelCause(t.Context())
	r.cfg.SlotWait = time.Hour
	patient := r.open(t)
	result := make(chan error)
	go func() {
		_, err := patient.CreateSlot(ctx)
		result <- err
	}()
	r.db.Await(t, "1", `SELECT count(*) FROM pg_replication_slots`)
	cancel(errStopped)
	if err := <-result; !errors.Is(err, errStopped) {
		t.Errorf("got %v", err)
	}
	free()

	if _, err := blocker.Exec(t.Context(), "PREPARE TRANSACTION 'forgotten'"); err != nil {
		t.Fatal(err)
	}
	if _, err = s.CreateSlot(t.Context()); !errors.As(err, &heldUp) || !strings.Contains(err.Error(), `prepared transaction "forgotten"`) {
		t.Errorf("got %v", err)
	}
	free()

	// It comes about as soon as the wait is over.
	go func() {
		h, err := patient.CreateSlot(t.Context())
		if err == nil {
			err = h.Close(context.Background())
		}
		result <- err
	}()
	r.db.Await(t, "1", `SELECT count(*) FROM pg_replication_slots`)
	r.db.Exec(t, `ROLLBACK PREPARED 'forgotten'`)
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// Under synchronous replication a commit is streamed before others can see it.
// A look-up waits until it is visible, and only then tells that a row is there,
// or is not.
func TestLookupsWaitForVisibility(t *testing.T) {
	t.Parallel()
	r := ownRig(t, nil)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	start(t, s, h.LSN, rec)
	r.db.Exec(t, insertSQL("old"))
	rec.awaitChanges(t, 1)
	writer, admin := r.db.Conn(t), r.db.Conn(t)
	for _, sql := range []string{`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`, `SELECT pg_reload_conf()`} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	r.db.Await(t, "nobody", `SHOW synchronous_standby_names`)
	// The setting reaches each session in its own time; a new one has it.
	writer = r.db.Conn(t)
	committed := make(chan error, 1)
	go func() {
		_, err := writer.Exec(context.Background(), `BEGIN;
			INSERT INTO clients (id, name, business_name, email, username, password) VALUES (77, 'N', 'B', 'n@example.com', 'n', 'x');
			DELETE FROM calendar_events;`+strings.ReplaceAll(insertSQL("new"), ", 1, ", ", 77, ")+`COMMIT`)
		committed <- err
	}()
	rec.awaitChanges(t, 3)
	xid := rec.all()[2].Tx.XID

	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, _, err := s.EventRow(short, xid, "new"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an invisible row was looked up: %v", err)
	}
	if _, err := s.Clients(short, []uint32{xid}, []string{"77"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an invisible client was looked up: %v", err)
	}
	type answer struct {
		clients map[string]Client
		found   bool
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		var a answer
		if a.clients, a.err = s.Clients(context.Background(), []uint32{rec.all()[0].Tx.XID, xid}, []string{"77", "1", "99"}); a.err == nil {
			_, a.found, a.err = s.EventRow(context.Background(), xid, "old")
		}
		answers <- a
	}()
	for _, sql := range []string{`ALTER SYSTEM RESET synchronous_standby_names`, `SELECT pg_reload_conf()`} {
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	a := <-answers
	want := map[string]Client{
		"77": {ID: "77", Name: "N", BusinessName: "B", Email: "n@example.com"},
		"1":  {ID: "1", Name: "Person 1", BusinessName: "Business 1", Email: "p1@example.com", Phone: "+49 1"},
	}
	if diff := cmp.Diff(want, a.clients); a.err != nil || diff != "" {
		t.Errorf("%v %s", a.err, diff)
	}
	if a.found {
		t.Error("a deleted row was found")
	}
	if row, found, err := s.EventRow(t.Context(), xid, "new"); err != nil || !found || row.Text(Title) != "Event new" {
		t.Errorf("found %v, %v", found, err)
	}
}

// The ordinary connection may break while the stream lives on.
func TestLookupsReconnect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	start(t, s, h.LSN, rec)
	for i := range 2 {
		r.db.Exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND application_name = 'ghlsync' AND backend_type = 'client backend'`, r.db.Name)
		r.db.Exec(t, insertSQL(fmt.Sprint(i)))
		rec.awaitChanges(t, i+1)
		if _, found, err := s.EventRow(t.Context(), rec.all()[i].Tx.XID, fmt.Sprint(i)); err != nil || !found {
			t.Errorf("found %v, %v", found, err)
		}
	}
}
