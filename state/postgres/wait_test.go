package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// waiting counts those who wait for a lock of the state.
const waiting = `select count(*) from pg_locks where locktype = 'advisory' and not granted
	and database = (select oid from pg_database where datname = current_database())`

// waits checks that a Tx of next begins only after before has ended, in another
// daemon, and gives up when its context ends.
func waits(t *testing.T, db *pgtest.DB, before, next state.Store) {
	t.Helper()
	first := begin(t, before)
	impatient, cancel := context.WithCancel(t.Context())
	began := make(chan error, 2)
	start := func(ctx context.Context) {
		tx, err := next.Begin(ctx)
		if err == nil {
			err = tx.Rollback()
		}
		began <- err
	}
	go start(impatient)
	db.Await(t, "1", waiting)
	cancel()
	if err := soon(t, "the end of the wait", began); !errors.Is(err, context.Canceled) {
		t.Errorf("it does not wait, or not for its context: %v", err)
	}
	db.Await(t, "0", waiting) // who has given up does not stand in the way
	go start(t.Context())
	db.Await(t, "1", waiting)
	if err := first.Rollback(); err != nil {
		t.Error(err)
	}
	if err := soon(t, "the begin", began); err != nil {
		t.Error(err)
	}
}

// Capture is alone. Deliveries are open beside each other.
func TestWhoWaitsForWhom(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s, other := openAt(t, db.URL, postgres.Options{}), openAt(t, db.URL, postgres.Options{})
	waits(t, db, s, other)
	waits(t, db, s, other.Delivery())
	waits(t, db, s.Delivery(), other)
	first, second := begin(t, s.Delivery()), begin(t, other.Delivery())
	if err := errors.Join(first.Rollback(), second.Rollback()); err != nil {
		t.Error(err)
	}
}

// GHL names one appointment for two events, in answers to two daemons: the second
// that asks hears of the first.
func TestAppointmentIsGivenOnce(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s, other := openAt(t, db.URL, postgres.Options{}), openAt(t, db.URL, postgres.Options{})
	fill(t, s, 2)
	take := func(tx state.Tx, id state.EventID) (state.EventID, error) {
		rows, err := tx.Load(t.Context(), []state.EventID{id})
		if err != nil {
			return "", err
		}
		taken, err := tx.Taken(t.Context(), []string{"ghl-1"})
		if err != nil || taken["ghl-1"] != "" {
			return taken["ghl-1"], err
		}
		rows[id].AppointmentID = "ghl-1"
		return "", tx.Save(t.Context(), rows[id])
	}
	first := begin(t, s.Delivery())
	if holder, err := take(first, "event-000"); err != nil || holder != "" {
		t.Fatalf("it is %q's, %v", holder, err)
	}
	type answer struct {
		holder state.EventID
		err    error
	}
	second := make(chan answer, 1)
	go func() {
		var a answer
		a.err = within(t.Context(), other.Delivery(), func(tx state.Tx) (err error) {
			a.holder, err = take(tx, "event-001")
			return err
		})
		second <- a
	}()
	db.Await(t, "1", waiting)
	if err := first.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := soon(t, "the second answer", second); a.err != nil || a.holder != "event-000" {
		t.Errorf("the second is told of %q, %v", a.holder, a.err)
	}
}

// Two who capture find the same event unknown; the newer version stays, in
// whatever order they come.
func TestUnknownStaysUnknown(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s, other := openAt(t, db.URL, postgres.Options{}), openAt(t, db.URL, postgres.Options{})
	merge := func(ctx context.Context, tx state.Tx, lsn int64, then func()) error {
		rows, err := tx.Load(ctx, []state.EventID{"a"})
		if err != nil {
			return err
		}
		then()
		m, effect := state.Merge(rows["a"], upsert("a", lsn, begin0), begin0)
		if effect == state.Ignored {
			return nil
		}
		return tx.Save(ctx, m)
	}
	older := make(chan error, 1)
	must(t, s, func(tx state.Tx) error {
		return merge(t.Context(), tx, 20, func() {
			go func() {
				older <- within(t.Context(), other, func(tx state.Tx) error { return merge(t.Context(), tx, 10, func() {}) })
			}()
			db.Await(t, "1", waiting)
		})
	})
	if err := soon(t, "the older version", older); err != nil {
		t.Error(err)
	}
	if m := one(t, s, "a"); m.Version.LSN != 20 {
		t.Errorf("version %s is stored over 0/14", m.Version.LSN)
	}
}

// A Tx that a daemon leaves open while it hangs ends by itself, and in time.
func TestLeftOpen(t *testing.T) {
	t.Parallel()
	s := openAt(t, pgtest.DatabaseWithoutSchema(t).URL, postgres.Options{})
	tx := begin(t, s)
	value, err := postgres.Setting(t.Context(), tx, "idle_in_transaction_session_timeout")
	if err != nil {
		t.Fatal(err)
	}
	if limit, err := time.ParseDuration(value + "ms"); err != nil || limit <= 0 || limit > 2*time.Minute {
		t.Errorf("it may be idle for %s ms", value)
	}
}
