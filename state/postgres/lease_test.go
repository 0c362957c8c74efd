package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// Several daemons claim at the same time: each row is one's.
func TestClaimersNeverGetTheSameRow(t *testing.T) {
	t.Parallel()
	const rows, claimers = 200, 6
	db := pgtest.DatabaseWithoutSchema(t)
	fill(t, openAt(t, db.URL, postgres.Options{}), rows)
	var (
		mu    sync.Mutex
		taken = map[state.EventID]string{}
		all   sync.WaitGroup
	)
	for n := range claimers {
		owner, s := fmt.Sprint("worker ", n), openAt(t, db.URL, postgres.Options{}).Delivery()
		all.Go(func() {
			for got := -1; got != 0; {
				err := within(t.Context(), s, func(tx state.Tx) error {
					claimed, err := claim(t.Context(), tx, owner, begin0, 3)
					mu.Lock()
					defer mu.Unlock()
					for _, m := range claimed {
						if other := taken[m.ID]; other != "" {
							t.Errorf("%s claims %s, which %s has", owner, m.ID, other)
						}
						taken[m.ID] = owner
					}
					got = len(claimed)
					return err
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if len(taken) != rows {
		t.Errorf("%d of %d rows are claimed", len(taken), rows)
	}
}

// What one has locked, the other passes over and does not wait for: a row that is
// being claimed, and a call whose end is being recorded while its lease runs out.
func TestLockedRowsArePassedOver(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s := openAt(t, db.URL, postgres.Options{})
	fill(t, s, 4)
	var claimed []*state.Mapping
	must(t, s.Delivery(), func(tx state.Tx) (err error) {
		claimed, err = claim(t.Context(), tx, "slow", begin0, 2)
		return err
	})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	first, second := begin(t, s.Delivery()), begin(t, s.Delivery())
	if _, err := first.Load(ctx, []state.EventID{claimed[0].ID}); err != nil {
		t.Fatal(err)
	}
	mine, err := first.Due(ctx, state.Due{Now: begin0, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := second.Due(ctx, state.Due{Now: begin0, Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(mine) != 1 || len(theirs) != 1 || mine[0].ID == theirs[0].ID {
		t.Errorf("one gets %d rows, the other %d", len(mine), len(theirs))
	}
	leased, err := second.Leased(ctx, begin0.Add(time.Hour), 2)
	if err != nil {
		t.Fatal(err)
	}
	if len(leased) != 1 || leased[0].ID != claimed[1].ID {
		t.Errorf("%d calls are taken for lost", len(leased))
	}
}

// A daemon that dies while it claims leaves nothing claimed.
func TestDeadClaimerReleases(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s := openAt(t, db.URL, postgres.Options{})
	fill(t, s, 1)
	dead := begin(t, openAt(t, db.URL, postgres.Options{}).Delivery())
	if rows, err := claim(t.Context(), dead, "dead", begin0, 1); err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	pid, err := postgres.Backend(dead)
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(t, "select pg_terminate_backend($1, 10000)", pid)
	if err := dead.Commit(t.Context()); err == nil {
		t.Error("the dead commits")
	}
	must(t, s.Delivery(), func(tx state.Tx) error {
		rows, err := claim(t.Context(), tx, "alive", begin0, 1)
		if len(rows) != 1 {
			return errors.Join(err, errors.New("the row is still claimed"))
		}
		return err
	})
	if m := one(t, s, "event-000"); m.LeaseOwner != "alive" || m.Call.Tries != 1 {
		t.Errorf("it is leased by %q, after %d tries", m.LeaseOwner, m.Call.Tries)
	}
}

// finish records the end of a call as its worker would, and tells whether it could.
func finish(ctx context.Context, tx state.Tx, claimed *state.Mapping, now time.Time) (bool, error) {
	rows, err := tx.Load(ctx, []state.EventID{claimed.ID})
	if err != nil {
		return false, err
	}
	m := rows[claimed.ID]
	if !m.Holds(claimed.LeaseOwner, claimed.Call.DeliveryID, claimed.LeaseUntil) {
		return false, nil
	}
	m.Finish(now, state.Result{Outcome: state.Delivered, AppointmentID: "ghl-" + claimed.LeaseOwner})
	return true, tx.Save(ctx, m)
}

// abandon ends calls whose lease has run out.
func abandon(ctx context.Context, tx state.Tx, now time.Time) (int, error) {
	rows, err := tx.Leased(ctx, now, 10)
	if err != nil {
		return 0, err
	}
	for _, m := range rows {
		m.Abandon(now, time.Second)
	}
	return len(rows), tx.Save(ctx, rows...)
}

// A worker whose lease ran out marks nothing, whoever has the row by then: nobody,
// another, or itself with the same call once more.
func TestLostLeaseIsFenced(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]string{"nobody": "", "another": "other", "itself": "slow"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.DatabaseWithoutSchema(t)
			s := openAt(t, db.URL, postgres.Options{})
			fill(t, s, 1)
			var slow []*state.Mapping
			must(t, s.Delivery(), func(tx state.Tx) (err error) {
				slow, err = claim(t.Context(), tx, "slow", begin0, 1)
				return err
			})
			late := begin0.Add(2 * time.Minute)
			must(t, s.Delivery(), func(tx state.Tx) error {
				n, err := abandon(t.Context(), tx, late)
				if n != 1 {
					t.Errorf("%d calls are abandoned", n)
				}
				return err
			})
			if again != "" {
				must(t, s.Delivery(), func(tx state.Tx) error {
					_, err := claim(t.Context(), tx, again, late.Add(time.Hour), 1)
					return err
				})
			}
			before := one(t, s, "event-000")
			must(t, s.Delivery(), func(tx state.Tx) error {
				marked, err := finish(t.Context(), tx, slow[0], late.Add(2*time.Hour))
				if marked {
					t.Error("it marks the event")
				}
				return err
			})
			if m := one(t, s, "event-000"); m.AppointmentID != "" || m.LeaseOwner != before.LeaseOwner || m.Call.State != before.Call.State {
				t.Errorf("the row has changed: %+v", m)
			}
		})
	}
}

// The end of a call and the end of its lease meet: one of them counts, never both.
func TestFinishAgainstAbandon(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s, other := openAt(t, db.URL, postgres.Options{}), openAt(t, db.URL, postgres.Options{})
	fill(t, s, 30)
	var claimed []*state.Mapping
	must(t, s.Delivery(), func(tx state.Tx) (err error) {
		claimed, err = claim(t.Context(), tx, "slow", begin0, 30)
		return err
	})
	late := begin0.Add(2 * time.Minute)
	marked := map[state.EventID]bool{}
	var both sync.WaitGroup
	both.Go(func() {
		for _, m := range claimed {
			err := within(t.Context(), s.Delivery(), func(tx state.Tx) (err error) {
				marked[m.ID], err = finish(t.Context(), tx, m, late)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	abandoned := 0
	both.Go(func() {
		for range 5 {
			err := within(t.Context(), other.Delivery(), func(tx state.Tx) error {
				n, err := abandon(t.Context(), tx, late)
				abandoned += n
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	})
	both.Wait()
	for _, m := range claimed {
		now := one(t, s, m.ID)
		if marked[m.ID] != (now.GHL == state.GHLPresent) || marked[m.ID] == (now.Call != nil) {
			t.Errorf("%s: marked %t, but GHL is %s with the call %+v", m.ID, marked[m.ID], now.GHL, now.Call)
		}
		if marked[m.ID] {
			abandoned++
		}
	}
	if abandoned != len(claimed) {
		t.Errorf("%d ends of %d calls", abandoned, len(claimed))
	}
}

// Deliveries of several daemons each save what they claim and end; the counts are
// what a recount gives.
func TestCountsOfSeveralWriters(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s := openAt(t, db.URL, postgres.Options{})
	fill(t, s, 100)
	var all sync.WaitGroup
	for n := range 4 {
		owner, mine := fmt.Sprint("worker ", n), openAt(t, db.URL, postgres.Options{}).Delivery()
		all.Go(func() {
			for range 8 {
				err := within(t.Context(), mine, func(tx state.Tx) error {
					rows, err := claim(t.Context(), tx, owner, begin0, 2)
					for _, m := range rows {
						m.Finish(begin0, state.Result{Outcome: state.Delivered})
					}
					return errors.Join(err, tx.Save(t.Context(), rows...))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got, err := s.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := (state.Counts{Total: 100, Synced: 64, Pending: 36}); got != want {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

// Leases are reckoned by the server's clock, whatever the local one shows. It is
// read anew with every Tx.
func TestClockIsTheServers(t *testing.T) {
	t.Parallel()
	s := openAt(t, pgtest.DatabaseWithoutSchema(t).URL, postgres.Options{})
	year2000 := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	postgres.SetClock(s, year2000)
	if now := s.Now(); now.Before(year2000) || now.After(year2000.Add(time.Hour)) {
		t.Errorf("it is %s", now)
	}
	if err := begin(t, s.Delivery()).Rollback(); err != nil {
		t.Fatal(err)
	}
	if now := s.Now(); time.Since(now).Abs() > time.Hour || now.Location() != time.UTC {
		t.Errorf("it is %s after a Tx", now)
	}
}
