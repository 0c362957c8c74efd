package statetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ghlsync/state"
)

func (r *rig) due(now time.Time, limit int) []state.EventID {
	r.Helper()
	return r.dueOf(state.Due{Now: now, Limit: limit})
}

func (r *rig) dueOf(d state.Due) []state.EventID {
	r.Helper()
	return ids(within(r, func(ctx context.Context, tx state.Tx) ([]*state.Mapping, error) { return tx.Due(ctx, d) }))
}

// testUrgency has the day begin at start.
func testUrgency(r *rig) {
	starting := func(id string, starts time.Time, next time.Time) *state.Mapping {
		m := pending(id, next)
		m.StartsAt = starts
		return m
	}
	day := 24 * time.Hour
	gone := retraction("gone", start)
	gone.NextAttempt, gone.StartsAt = start, start.Add(20*day)
	r.save(
		starting("in a week", start.Add(7*day), ago(time.Hour)), starting("tonight", start.Add(day-time.Microsecond), start),
		starting("at midnight", start, start), starting("tomorrow", start.Add(day), ago(time.Minute)),
		starting("yesterday", ago(time.Hour), ago(time.Hour)), starting("last year", ago(365*day), start),
		starting("who knows", time.Time{}, ago(time.Minute)), starting("who knows either", time.Time{}, ago(time.Hour)),
		starting("not due", start, start.Add(time.Microsecond)), starting("before 1970", time.UnixMicro(-1).UTC(), start),
		starting("1970", time.UnixMicro(0).UTC(), start), gone,
	)
	soon := []state.EventID{"at midnight", "tonight", "tomorrow", "in a week", "gone"}
	all := r.dueOf(state.Due{Now: start, Limit: 20, From: start})
	r.same("all", 11, len(all))
	r.same("the soonest first", soon, all[:5])
	position := func(id state.EventID) int { return slices.Index(all, id) }
	if position("who knows either") > position("who knows") {
		r.Errorf("the longest waiting are not first where no start is known: %v", all)
	}
	if position("last year") > position("yesterday") {
		r.Errorf("the past is not in its order: %v", all)
	}
	r.same("some of the soonest", soon[:3], r.dueOf(state.Due{Now: start, Limit: 3, From: start}))
	r.same("some of the rest too", all[:7], r.dueOf(state.Due{Now: start, Limit: 7, From: start}))
	r.same("without a day", 11, len(r.dueOf(state.Due{Now: start, Limit: 20})))
	r.same("what cannot wait", []state.EventID{"at midnight", "tonight", "gone"},
		r.dueOf(state.Due{Now: start, Limit: 20, From: start, Before: start.Add(day)}))
}

func testDue(r *rig) {
	next := func() time.Time {
		return within(r, func(ctx context.Context, tx state.Tx) (time.Time, error) { return tx.NextDue(ctx) })
	}
	if at := next(); !at.IsZero() {
		r.Errorf("an empty state is due at %s", at)
	}
	r.save(pending("a", ago(time.Second)), pending("b", ago(time.Minute)), pending("c", start), pending("d", start.Add(time.Microsecond)), synced("e"))
	if at := next(); !at.Equal(ago(time.Minute)) {
		r.Errorf("next due at %s", at)
	}
	r.same("due, the longest waiting first", []state.EventID{"b", "a", "c"}, r.due(start, 10))
	r.same("due, two of them", []state.EventID{"b", "a"}, r.due(start, 2))
	r.same("due a little later", 4, len(r.due(start.Add(time.Microsecond), 10)))
	r.same("due before all", 0, len(r.due(ago(time.Hour), 10)))
	r.save(pending("b", time.Time{}), pending("a", time.Time{}), pending("c", time.Time{}), pending("d", time.Time{}))
	if at := next(); !at.IsZero() {
		r.Errorf("with nothing scheduled, due at %s", at)
	}
}

func testLeased(r *rig) {
	leased := func(id string, until time.Time) *state.Mapping {
		m := pending(id, time.Time{})
		m.LeaseOwner, m.LeaseUntil = "me", until
		m.Call = &state.Call{Operation: state.Create, State: state.InFlight, DeliveryID: "d-" + id, Body: []byte("{}"), Before: state.GHLAbsent, StartedAt: start}
		return m
	}
	r.save(leased("a", start), leased("b", ago(time.Second)), leased("c", start.Add(time.Hour)), pending("d", start))
	for _, c := range []struct {
		before time.Time
		limit  int
		want   int
	}{{start, 10, 1}, {start.Add(time.Microsecond), 10, 2}, {start.AddDate(100, 0, 0), 10, 3}, {start.AddDate(100, 0, 0), 2, 2}, {ago(time.Minute), 10, 0}} {
		got := within(r, func(ctx context.Context, tx state.Tx) ([]*state.Mapping, error) {
			return tx.Leased(ctx, c.before, c.limit)
		})
		if len(got) != c.want {
			r.Errorf("leased before %s, at most %d: %v", c.before, c.limit, ids(got))
		}
	}
}

// attempt is the n-th line of an event.
func attempt(id string, n int) state.Attempt {
	return state.Attempt{
		EventID: state.EventID(id), Operation: state.Update, DeliveryID: fmt.Sprint("d", n), StartedAt: start.Add(time.Duration(n) * time.Second),
		Duration: 1500 * time.Microsecond, HTTPStatus: 200 + n, Outcome: "retry", Code: "HTTP_5XX",
	}
}

func testAttempts(r *rig) {
	bare := state.Attempt{EventID: "a", Operation: state.Delete, DeliveryID: "d9", StartedAt: start.Add(time.Hour), Outcome: "delivered"}
	r.change(func(ctx context.Context, tx state.Tx) error {
		return tx.Record(ctx, attempt("a", 2), attempt("a", 1), attempt("b", 7), bare)
	})
	r.change(func(ctx context.Context, tx state.Tx) error { return tx.Record(ctx, attempt("a", 3)) })
	for _, c := range []struct {
		id    state.EventID
		limit int
		want  []state.Attempt
	}{
		{"a", 10, []state.Attempt{bare, attempt("a", 3), attempt("a", 2), attempt("a", 1)}},
		{"a", 2, []state.Attempt{bare, attempt("a", 3)}},
		{"b", 10, []state.Attempt{attempt("b", 7)}},
		{"c", 10, nil},
	} {
		got, err := r.Attempts(r.Context(), c.id, c.limit)
		if err != nil {
			r.Fatal(err)
		}
		r.same(fmt.Sprintf("%d of %s", c.limit, c.id), c.want, got)
	}
}

func testLastAttempt(r *rig) {
	is := func(want time.Time) {
		r.Helper()
		got, err := r.LastAttempt(r.Context())
		if err != nil || !got.Equal(want) {
			r.Errorf("last attempt %s, %v, want %s", got, err, want)
		}
	}
	is(time.Time{})
	r.save(pending("a", start))
	is(time.Time{})
	m := pending("b", start)
	m.LastAttempt = start
	r.save(m)
	is(start)
	r.change(func(ctx context.Context, tx state.Tx) error { return tx.Record(ctx, attempt("a", 5)) })
	is(start.Add(5 * time.Second))
	m = pending("c", start)
	m.LastAttempt = start.Add(time.Second)
	r.save(m)
	is(start.Add(5 * time.Second))
	// It outlives the lines.
	r.prune(start.AddDate(1, 0, 0), start.AddDate(1, 0, 0), 100)
	is(start.Add(5 * time.Second))
}

func testPause(r *rig) {
	for _, want := range []time.Time{{}, start, start.Add(time.Hour), {}, {}} {
		r.change(func(ctx context.Context, tx state.Tx) error { return tx.SetPaused(ctx, want) })
		if got, err := r.PausedAt(r.Context()); err != nil || !got.Equal(want) {
			r.Errorf("paused at %s, %v, want %s", got, err, want)
		}
	}
}

func (r *rig) prune(tombstones, attempts time.Time, limit int) (n int) {
	r.Helper()
	r.change(func(ctx context.Context, tx state.Tx) (err error) {
		n, err = tx.Prune(ctx, tombstones, attempts, limit)
		return err
	})
	return n
}

// testPruneTombstones has a row for each reason to stay, and all that may go.
func testPruneTombstones(r *rig) {
	old := ago(48 * time.Hour)
	stays := map[state.EventID]func(*state.Mapping){
		"parked":  func(m *state.Mapping) { m.Parked = "REJECTED" },
		"pending": func(m *state.Mapping) { m.GHL, m.NextAttempt = state.GHLPresent, start },
		"unsettled": func(m *state.Mapping) {
			m.UnsettledUntil, m.NextAttempt = start, start
		},
		"unknown": func(m *state.Mapping) {
			m.Call = &state.Call{Operation: state.Delete, State: state.Unknown, Body: []byte("{}")}
		},
		"held":    func(m *state.Mapping) { m.Hold = state.Held },
		"kept":    func(m *state.Mapping) { m.Hold, m.GHL = state.Kept, state.GHLPresent },
		"spared":  func(m *state.Mapping) { m.Hold = state.Kept },
		"leased":  func(m *state.Mapping) { m.LeaseUntil = start },
		"young":   func(m *state.Mapping) { m.UpdatedAt = ago(24 * time.Hour) },
		"present": func(m *state.Mapping) { *m = *synced("present"); m.UpdatedAt = old },
	}
	for id, why := range stays {
		m := tombstone(string(id), old)
		why(m)
		r.save(m)
	}
	released := tombstone("released", ago(28*time.Hour))
	released.Hold, released.Retracted = state.Released, true
	r.save(tombstone("t1", ago(30*time.Hour)), tombstone("t2", ago(24*time.Hour+time.Microsecond)), released)
	before := r.counts()
	for _, want := range []int{2, 1, 0} {
		if n := r.prune(ago(24*time.Hour), ago(24*time.Hour), 2); n != want {
			r.Errorf("pruned %d, want %d", n, want)
		}
	}
	r.same("what is left", slices.Sorted(maps.Keys(stays)), ids(r.list(state.Filter{}, "", 100)))
	r.same("counts", before, r.counts())
}

func testPruneAttempts(r *rig) {
	r.change(func(ctx context.Context, tx state.Tx) error {
		return tx.Record(ctx, attempt("a", 1), attempt("a", 2), attempt("b", 3), attempt("b", 4))
	})
	for _, want := range []int{2, 1, 0} {
		if n := r.prune(start, start.Add(4*time.Second), 2); n != want {
			r.Errorf("pruned %d, want %d", n, want)
		}
	}
	for id, want := range map[state.EventID]int{"a": 0, "b": 1} {
		if left, err := r.Attempts(r.Context(), id, 10); err != nil || len(left) != want {
			r.Errorf("%s: %d lines are left, %v", id, len(left), err)
		}
	}
}

// testPruneBesideSnapshot: a row retracted at or above the point of a snapshot
// that is being taken keeps that from bringing the event back.
func testPruneBesideSnapshot(r *rig) {
	at := func(id string, v state.Version) *state.Mapping {
		m := tombstone(id, ago(48*time.Hour))
		m.Version = v
		return m
	}
	r.save(at("below", state.Version{Epoch: 3, LSN: 99}), at("equal", state.Version{Epoch: 3, LSN: 100}),
		at("above", state.Version{Epoch: 3, LSN: 101}), at("older epoch", state.Version{Epoch: 2, LSN: 500}))
	cp := checkpoint(50, "me")
	cp.SnapshotLSN = 100
	r.change(func(ctx context.Context, tx state.Tx) error { return tx.SetCheckpoint(ctx, nil, cp) })
	r.prune(start, start, 100)
	r.same("during the snapshot", []state.EventID{"above", "equal"}, ids(r.list(state.Filter{}, "", 10)))
	done := cp
	done.SnapshotLSN = 0
	r.change(func(ctx context.Context, tx state.Tx) error { return tx.SetCheckpoint(ctx, &cp, done) })
	r.prune(start, start, 100)
	r.same("after it", 0, len(r.list(state.Filter{}, "", 10)))
}
