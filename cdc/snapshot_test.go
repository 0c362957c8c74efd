package cdc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// Whatever commits around the creation of the slot is either in the snapshot or
// in the stream, by the rule 'commit LSN below C', and both together are the
// table.
func TestSnapshotAndStreamAreTheTable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	if _, err := s.EnsurePublication(t.Context()); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var writers sync.WaitGroup
	enough := make(chan struct{})
	const clients = 4
	for n := range clients {
		conn := r.db.Conn(t)
		writers.Go(func() { scribble(t, conn, rand.New(rand.NewPCG(seed, uint64(n))), enough) })
	}
	r.db.Await(t, "t", `SELECT count(*) > 30 FROM calendar_events`)
	h := r.slot(t, s)
	shown := map[string]string{}
	for _, row := range snapshotAll(t, s, h, 7) {
		shown[row.Row.Text(ID)] = row.Row.Text(Title)
	}
	close(enough)
	writers.Wait()

	rec := newRecorder(h.LSN)
	run := start(t, s, h.LSN, rec)
	end := r.walEnd(t)
	r.db.Exec(t, `SELECT pg_logical_emit_message(true, 'flush', '')`)
	rec.await(t, "all that was written", func() bool { return rec.at() >= end })
	run.stop(t)
	for _, c := range rec.all() {
		if c.Tx.CommitLSN < h.LSN {
			t.Errorf("%s committed at %s, below the consistent point %s", c.Key, c.Tx.CommitLSN, h.LSN)
		}
		switch {
		case c.Kind == Delete:
			delete(shown, c.Key)
		case c.OldKey != "":
			delete(shown, c.OldKey)
			fallthrough
		default:
			shown[c.Key] = c.Row.Text(Title)
		}
	}
	table := map[string]string{}
	rows, err := r.db.Conn(t).Query(t.Context(), `SELECT id, title FROM calendar_events`)
	if err != nil {
		t.Fatal(err)
	}
	var id, title string
	if _, err := pgx.ForEachRow(rows, []any{&id, &title}, func() error { table[id] = title; return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(table, shown); diff != "" {
		t.Error(diff)
	}
	if len(rec.all()) == 0 || len(table) == 0 {
		t.Error("nothing was written after the slot, or all of it deleted: the test tests nothing")
	}
}

// scribble writes in transactions of one to three changes until it is enough.
func scribble(t *testing.T, conn *pgx.Conn, random *rand.Rand, enough <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-enough:
			return
		default:
		}
		var sql strings.Builder
		sql.WriteString("BEGIN;")
		for range 1 + random.IntN(3) {
			id := fmt.Sprintf("e%d", random.IntN(200))
			switch random.IntN(4) {
			case 0:
				fmt.Fprintf(&sql, "DELETE FROM calendar_events WHERE id = '%s';", id)
			case 1:
				fmt.Fprintf(&sql, "UPDATE calendar_events SET title = title || '.' WHERE id = '%s';", id)
			default:
				sql.WriteString(strings.TrimSuffix(insertSQL(id), ";") + fmt.Sprintf(" ON CONFLICT (id) DO UPDATE SET title = 'v%d';", random.IntN(1000)))
			}
		}
		end := "COMMIT"
		if random.IntN(5) == 0 {
			end = "ROLLBACK"
		}
		if _, err := conn.Exec(context.Background(), sql.String()+end); err != nil {
			// Two writers may lock each other out; the server ends one of them.
			if stateOf(err) != "40P01" {
				t.Errorf("write: %v", err)
				return
			}
			if _, err := conn.Exec(context.Background(), "ROLLBACK"); err != nil {
				t.Errorf("roll back: %v", err)
				return
			}
		}
	}
}

// Only synced types are shown, a step is bounded by what it looks at, and a
// client that does not exist is nil.
func TestSnapshotSteps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.db.Exec(t, `ALTER TABLE calendar_events DROP CONSTRAINT calendar_events_client_id_fkey;
		INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		SELECT 'e' || lpad(i::text, 3, '0'), CASE WHEN i = 50 THEN 99 ELSE 1 + i % 3 END, 'T', '2026-03-04', '2026-03-04', '10:00', '11:00',
			CASE WHEN i % 10 = 0 THEN 'handover' ELSE 'firstdraft' END FROM generate_series(1, 100) i`)
	s := r.open(t)
	h := r.slot(t, s)
	var ids []string
	calls := 0
	err := s.Snapshot(t.Context(), h, 15, func(_ context.Context, rows []SnapshotRow) error {
		calls++
		for _, row := range rows {
			id := row.Row.Text(ID)
			ids = append(ids, id)
			if (row.Client == nil) != (id == "e050") {
				t.Errorf("client of %s is %v", id, row.Client)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"e010", "e020", "e030", "e040", "e050", "e060", "e070", "e080", "e090", "e100"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
	if calls != 7 {
		t.Errorf("%d calls for 7 steps of 15 rows", calls)
	}
	stop := errors.New("enough")
	err = s.Snapshot(t.Context(), h, 15, func(context.Context, []SnapshotRow) error { return stop })
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func (r *rig) manyEvents(t *testing.T, n int) {
	t.Helper()
	r.db.Exec(t, fmt.Sprintf(`INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		SELECT 'e' || i, 1, 'T', '2026-03-04', '2026-03-04', '10:00', '11:00', 'handover' FROM generate_series(1, %d) i`, n))
}

// The app's ALTER TABLE gets its lock while a snapshot is being read and kept,
// and so does everybody behind it.
func TestSnapshotDoesNotHinderAlterTable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.manyEvents(t, 500)
	s := r.open(t)
	h := r.slot(t, s)
	app := r.db.Conn(t)
	if _, err := app.Exec(t.Context(), `SET lock_timeout = '1s'`); err != nil {
		t.Fatal(err)
	}
	seen := 0
	err := s.Snapshot(t.Context(), h, 50, func(ctx context.Context, rows []SnapshotRow) error {
		seen += len(rows)
		_, err := app.Exec(ctx, fmt.Sprintf(`ALTER TABLE calendar_events DROP CONSTRAINT calendar_events_type_check;
			ALTER TABLE calendar_events ADD CONSTRAINT calendar_events_type_check CHECK (type IN ('onboarding', 'handover'));
			ALTER TABLE clients ALTER phone SET NOT NULL; ALTER TABLE clients ALTER phone DROP NOT NULL;`+insertSQL("later%d"), seen, seen))
		if stateOf(err) == "23502" {
			return nil
		}
		return err
	})
	if err != nil || seen != 500 {
		t.Errorf("saw %d, %v", seen, err)
	}
}

// A table that is truncated or rewritten looks empty to the snapshot.
func TestSnapshotOfAChangedTableIsDiscarded(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"truncated":      `TRUNCATE calendar_events`,
		"rewritten":      `ALTER TABLE calendar_events ALTER title TYPE varchar USING title || '!'`,
		"client rewrite": `ALTER TABLE clients ALTER name TYPE varchar USING name || '!'`,
		"re-created":     `CREATE TABLE copy (LIKE calendar_events INCLUDING ALL); DROP TABLE calendar_events; ALTER TABLE copy RENAME TO calendar_events`,
		"row security":   `ALTER TABLE clients DISABLE ROW LEVEL SECURITY`,
		"column dropped": `ALTER TABLE calendar_events DROP COLUMN title`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.manyEvents(t, 30)
			s := r.open(t)
			h := r.slot(t, s)
			calls := 0
			err := s.Snapshot(t.Context(), h, 10, func(context.Context, []SnapshotRow) error {
				if calls++; calls == 1 {
					r.db.Exec(t, sql)
				}
				return nil
			})
			if !errors.Is(err, ErrTableChanged) {
				t.Errorf("while it was read: %v", err)
			}
			if name == "column dropped" {
				return // no rewrite: a snapshot that begins after it is whole
			}
			err = s.Snapshot(t.Context(), h, 10, func(context.Context, []SnapshotRow) error { return nil })
			if !errors.Is(err, ErrTableChanged) {
				t.Errorf("between slot and snapshot: %v", err)
			}
		})
	}
}

func TestSnapshotNeedsItsHandle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	pid := h.conn.PID()
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	// The server's process takes the snapshot with it when it ends, a moment later.
	r.db.Await(t, "0", "SELECT count(*) FROM pg_stat_activity WHERE pid = $1", pid)
	err := s.Snapshot(t.Context(), h, 10, func(context.Context, []SnapshotRow) error { return nil })
	if !errors.Is(err, ErrSnapshotGone) {
		t.Errorf("got %v", err)
	}
}

// A temporary slot serves a snapshot while the permanent one streams, and goes
// with its handle.
func TestTemporarySlot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	start(t, s, h.LSN, rec)
	r.db.Exec(t, insertSQL("a"))
	rec.awaitChanges(t, 1)
	temporary, err := s.CreateTemporary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if committed := rec.all()[0].Tx.CommitLSN; temporary.LSN <= committed {
		t.Errorf("consistent point %s, committed at %s", temporary.LSN, committed)
	}
	if rows := snapshotAll(t, s, temporary, 0); len(rows) != 1 {
		t.Errorf("got %d rows", len(rows))
	}
	if err := temporary.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.db.Await(t, "0", `SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1`, temporary.Slot)
}

func TestCreateCommandByVersion(t *testing.T) {
	t.Parallel()
	for want, got := range map[string]string{
		`CREATE_REPLICATION_SLOT "s" LOGICAL pgoutput EXPORT_SNAPSHOT`:                    createCommand(140011, "s", false, true),
		`CREATE_REPLICATION_SLOT "s" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`:          createCommand(140000, "s", true, false),
		`CREATE_REPLICATION_SLOT "s" LOGICAL pgoutput (SNAPSHOT 'export')`:                createCommand(160002, "s", false, true),
		`CREATE_REPLICATION_SLOT "s" LOGICAL pgoutput (SNAPSHOT 'export', FAILOVER true)`: createCommand(170000, "s", false, true),
		`CREATE_REPLICATION_SLOT "s" TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')`:      createCommand(180000, "s", true, true),
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
