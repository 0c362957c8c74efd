package cdc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"
)

func TestStreamCarriesEveryKindOfChange(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	run := start(t, s, h.LSN, rec)

	r.db.Exec(t, insertSQL("a", "b", "c"))
	r.db.Exec(t, `UPDATE calendar_events SET title = 'New' WHERE id = 'a'`)
	r.db.Exec(t, `UPDATE calendar_events SET id = 'a2' WHERE id = 'a'`)
	r.db.Exec(t, `DELETE FROM calendar_events WHERE id = 'b'`)
	r.db.Exec(t, `DELETE FROM clients WHERE id = 1`) // cascades to a2 and c
	r.db.Exec(t, `BEGIN;`+strings.ReplaceAll(insertSQL("rolled back"), ", 1, ", ", 2, ")+`ROLLBACK`)
	r.db.Exec(t, `BEGIN; SAVEPOINT s;`+strings.ReplaceAll(insertSQL("lost"), ", 1, ", ", 2, ")+
		`ROLLBACK TO s;`+strings.ReplaceAll(insertSQL("kept"), ", 1, ", ", 2, ")+`COMMIT`)
	gid := r.db.Name
	r.db.Exec(t, `BEGIN;`+strings.ReplaceAll(insertSQL("prepared"), ", 1, ", ", 2, ")+`PREPARE TRANSACTION '`+gid+`'`)
	r.db.Exec(t, strings.ReplaceAll(insertSQL("before"), ", 1, ", ", 2, "))
	r.db.Exec(t, `COMMIT PREPARED '`+gid+`'`)
	r.db.Exec(t, `TRUNCATE calendar_events`)
	rec.awaitChanges(t, 12)
	run.stop(t)

	got := rec.brief()
	cascade := got[6:8]
	if !strings.HasPrefix(cascade[0], "delete ") || cascade[0] == cascade[1] {
		t.Errorf("cascade: %v", cascade)
	}
	want := []string{
		"insert a", "insert b", "insert c", "update a", "update a2 from a", "delete b", cascade[0], cascade[1],
		"insert kept", "insert before", "insert prepared", "truncate",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	first := rec.all()[0]
	for c, want := range map[Column]string{
		ID: "a", ClientID: "1", Title: "Event a", Type: "onboarding", StartDate: "2026-03-04", EndDate: "2026-03-05",
		StartTime: "10:00:00", EndTime: "11:30:00",
	} {
		if got := first.Row.Text(c); got != want {
			t.Errorf("%v is %q, want %q", c, got, want)
		}
	}
	if _, p := first.Row.Get(Description); p != Null {
		t.Errorf("description is %v", p)
	}
	if time.Since(first.Tx.CommitTime).Abs() > time.Minute {
		t.Errorf("committed at %v", first.Tx.CommitTime)
	}
}

// The order of commits decides what is known, not the order of rows: a
// transaction that wrote first and commits last is new after a restart.
func TestRestartSkipsExactlyWhatIsDurable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	run := start(t, s, h.LSN, rec)

	slow := r.db.Conn(t)
	if _, err := slow.Exec(t.Context(), "BEGIN;"+insertSQL("slow")); err != nil {
		t.Fatal(err)
	}
	r.db.Exec(t, insertSQL("quick"))
	rec.awaitChanges(t, 1)
	run.stop(t)
	durable := rec.at()
	if got := r.confirmed(t); got != durable {
		t.Errorf("confirmed %s on leaving, durable is %s", got, durable)
	}
	if _, err := slow.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	s = r.open(t)
	rec = newRecorder(durable)
	run = start(t, s, durable, rec)
	rec.awaitChanges(t, 1)
	run.stop(t)
	if diff := cmp.Diff([]string{"insert slow"}, rec.brief()); diff != "" {
		t.Error(diff)
	}

	// What was handed over and not made durable comes again, whole.
	r.db.Exec(t, "BEGIN;"+insertSQL("x", "y")+"COMMIT")
	for range 2 {
		s = r.open(t)
		again := newRecorder(rec.at())
		again.hold = true
		run = start(t, s, rec.at(), again)
		again.awaitChanges(t, 2)
		run.stop(t)
		if diff := cmp.Diff([]string{"insert x", "insert y"}, again.brief()); diff != "" {
			t.Error(diff)
		}
	}
}

// A commit record can start exactly where an idle keepalive ended.
func TestEqualityIsNew(t *testing.T) {
	t.Parallel()
	r := ownRig(t, map[string]string{"autovacuum": "off"})
	from := r.slot(t, r.open(t)).LSN
	for try := range 10 {
		s := r.open(t)
		rec := newRecorder(from)
		run := start(t, s, from, rec)
		conn := r.db.Conn(t)
		id := fmt.Sprintf("e%d", try)
		if _, err := conn.Exec(t.Context(), "BEGIN;"+insertSQL(id)); err != nil {
			t.Fatal(err)
		}
		r.db.Exec(t, `SELECT pg_logical_emit_message(true, 'flush', '')`)
		written := r.walEnd(t)
		rec.await(t, "an idle boundary behind the row", func() bool { return rec.at() >= written })
		run.stop(t)
		from = rec.at()
		if _, err := conn.Exec(t.Context(), "COMMIT"); err != nil {
			t.Fatal(err)
		}
		s = r.open(t)
		rec = newRecorder(from)
		run = start(t, s, from, rec)
		rec.awaitChanges(t, 1)
		run.stop(t)
		if diff := cmp.Diff([]string{"insert " + id}, rec.brief()); diff != "" {
			t.Fatal(diff)
		}
		if rec.all()[0].Tx.CommitLSN == from {
			return
		}
		from = rec.at()
	}
	t.Error("no commit record started at an idle boundary: the test does not test what it should")
}

// Other tables and other databases write WAL that is confirmed although nothing
// of it concerns us, also while a transaction of ours is open on the server.
func TestIdleAdvances(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	start(t, s, h.LSN, rec)
	conn := r.db.Conn(t)
	if _, err := conn.Exec(t.Context(), "BEGIN;"+insertSQL("open")); err != nil {
		t.Fatal(err)
	}
	r.db.Exec(t, `CREATE TABLE noise AS SELECT generate_series(1, 1000) AS n`)
	r.awaitConfirmed(t, r.walEnd(t))

	elsewhere := newRig(t)
	elsewhere.db.Exec(t, `CREATE TABLE noise AS SELECT generate_series(1, 1000) AS n`)
	r.awaitConfirmed(t, r.walEnd(t))
	if got := rec.brief(); len(got) != 0 {
		t.Errorf("got %v", got)
	}
	if _, err := conn.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	rec.awaitChanges(t, 1)
}

// Nothing is confirmed that the handler does not call durable, however far the
// stream is.
func TestConfirmsNoMoreThanIsDurable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	rec.hold = true
	run := start(t, s, h.LSN, rec)
	r.db.Exec(t, insertSQL("a"))
	rec.awaitChanges(t, 1)
	// The walsender hears from us again: the time of the last reply moves on.
	asked := r.db.QueryString(t, `SELECT clock_timestamp()`)
	r.db.Await(t, "t", `SELECT reply_time > $2::timestamptz FROM pg_stat_replication JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = $1`, r.cfg.Slot, asked)
	run.stop(t)
	if got := r.confirmed(t); got != h.LSN {
		t.Errorf("confirmed %s, durable is %s", got, h.LSN)
	}

	// A handler that claims more than it was given is not believed.
	s = r.open(t)
	rec = newRecorder(h.LSN)
	greedy := handlerFunc(func(ctx context.Context, c Chunk) (pglogrepl.LSN, error) {
		_, err := rec.Handle(ctx, c)
		return 1 << 60, err
	})
	run = start(t, s, h.LSN, greedy)
	rec.awaitChanges(t, 1)
	run.stop(t)
	if got := r.confirmed(t); got > rec.at() {
		t.Errorf("confirmed %s, handed over was %s", got, rec.at())
	}
}

type handlerFunc func(context.Context, Chunk) (pglogrepl.LSN, error)

func (f handlerFunc) Handle(ctx context.Context, c Chunk) (pglogrepl.LSN, error) { return f(ctx, c) }

func TestLargeTransactionComesInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	r.db.Exec(t, insertSQL("small"))
	r.db.Exec(t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		SELECT 'e' || i, 1, 'T', '2026-03-04', '2026-03-04', '10:00', '11:00', 'handover' FROM generate_series(1, 15000) i`)
	run := start(t, s, h.LSN, rec)
	rec.awaitChanges(t, 15001)
	run.stop(t)
	parts := 0
	for i, c := range rec.chunks {
		if rec.sizes[i] > maxRows {
			t.Errorf("a chunk of %d changes", rec.sizes[i])
		}
		if c.Open {
			parts++
		}
	}
	if parts < 2 || rec.chunks[0].Open || rec.sizes[0] != 1 {
		t.Errorf("%d open parts; the first chunk had %d changes", parts, rec.sizes[0])
	}
	if rec.all()[15000].Key != "e15000" {
		t.Errorf("last is %q", rec.all()[15000].Key)
	}
}

// While the store stands still and the mailbox is full, the server still hears
// from us; it would end the session otherwise.
func TestStatusWaitsForNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	inside, release := make(chan struct{}, 1), make(chan struct{})
	rec.inside = func(context.Context, Chunk) error {
		notify(inside)
		<-release
		return nil
	}
	r.db.Exec(t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		SELECT 'e' || i, 1, 'T', '2026-03-04', '2026-03-04', '10:00', '11:00', 'handover' FROM generate_series(1, 10000) i`)
	run := start(t, s, h.LSN, rec)
	<-inside
	for range 2 {
		asked := r.db.QueryString(t, `SELECT clock_timestamp()`)
		r.db.Await(t, "t", `SELECT reply_time > $2::timestamptz FROM pg_stat_replication JOIN pg_replication_slots ON pid = active_pid WHERE slot_name = $1`, r.cfg.Slot, asked)
	}
	close(release)
	rec.awaitChanges(t, 10000)
	run.stop(t)
}

// A Handle in progress is finished when the stream is told to stop, and what it
// made durable is confirmed before the slot is free.
func TestStopFinishesTheHandleInProgress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	inside, release := make(chan struct{}), make(chan struct{})
	rec.inside = func(ctx context.Context, c Chunk) error {
		if len(c.Changes) > 0 {
			close(inside)
			<-release
		}
		return ctx.Err()
	}
	run := start(t, s, h.LSN, rec)
	r.db.Exec(t, insertSQL("a"))
	<-inside
	run.cancel(errStopped)
	close(release)
	run.stop(t)
	if diff := cmp.Diff([]string{"insert a"}, rec.brief()); diff != "" {
		t.Error(diff)
	}
	if got := r.confirmed(t); got != rec.at() {
		t.Errorf("confirmed %s, durable is %s", got, rec.at())
	}
	if active := r.db.QueryString(t, `SELECT active FROM pg_replication_slots WHERE slot_name = $1`, r.cfg.Slot); active != "f" {
		t.Error("the slot is still in use")
	}
}

func TestHandlerErrorEndsTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	full := errors.New("disk is full")
	rec.inside = func(_ context.Context, c Chunk) error {
		if len(c.Changes) > 0 {
			return full
		}
		return nil
	}
	run := start(t, s, h.LSN, rec)
	r.db.Exec(t, insertSQL("a"))
	if err := run.wait(t); !errors.Is(err, full) {
		t.Errorf("stream ended with %v", err)
	}
	if err := s.Stream(t.Context(), h.LSN, rec); err == nil {
		t.Error("a second stream was started on the same source")
	}
}

// A fast shutdown of the server waits until we have everything, which we make
// durable at once because it asks.
func TestServerShutdownIsAnswered(t *testing.T) {
	t.Parallel()
	r := ownRig(t, nil)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	rec.hold = true
	rec.inside = func(_ context.Context, c Chunk) error {
		rec.hold = c.Open || !c.Last.Now
		return nil
	}
	run := start(t, s, h.LSN, rec)
	r.db.Exec(t, insertSQL("a"))
	rec.awaitChanges(t, 1)
	if rec.at() != h.LSN {
		t.Fatal("something was made durable before the server asked")
	}
	r.db.Server.Halt(t.Context())
	if err := run.wait(t); !errors.Is(err, ErrConnectionLost) {
		t.Errorf("stream ended with %v", err)
	}
	if rec.at() == h.LSN {
		t.Error("the server asked, and nothing was made durable")
	}
}

// A canary comes back with the boundary of its transaction, also for a role that
// may write nothing else, and brings no change.
func TestCanaryComesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role, url := r.db.Role(t, "LOGIN REPLICATION BYPASSRLS")
	for _, grant := range []string{"SELECT ON calendar_events", "SELECT (id, name, business_name, email, phone) ON clients"} {
		r.db.Exec(t, "GRANT "+grant+" TO "+role)
	}
	h := r.slot(t, r.open(t))
	r.cfg.URL = url
	s := r.open(t)
	back := make(chan Chunk, 1)
	run := start(t, s, h.LSN, handlerFunc(func(_ context.Context, c Chunk) (pglogrepl.LSN, error) {
		if c.Last.Canary != "" {
			back <- c
		}
		return c.Last.End, nil
	}))
	if err := s.EmitCanary(t.Context(), "tweet"); err != nil {
		t.Fatal(err)
	}
	select {
	case c := <-back:
		if c.Last.Canary != "tweet" || len(c.Changes) > 0 || c.Transactions != 1 {
			t.Errorf("got %+v", c)
		}
	case <-time.After(patience):
		t.Fatal("the canary does not come back")
	}
	run.stop(t)
}
