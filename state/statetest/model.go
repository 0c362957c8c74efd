package statetest

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"pgregory.net/rapid"

	"ghlsync/state"
)

// model is what a store holds, in memory.
type model map[state.EventID]*state.Mapping

// where returns rows in the order of their ids.
func (m model) where(selects func(*state.Mapping) bool) (rows []*state.Mapping) {
	for _, id := range slices.Sorted(maps.Keys(m)) {
		if selects(m[id]) {
			rows = append(rows, m[id])
		}
	}
	return rows
}

// recount counts rows one by one.
func (m model) recount() (c state.Counts) {
	for _, row := range m {
		c.Move(state.Class{}, row.Class())
	}
	return c
}

// testModel saves any rows over any rows, gives some transactions up, and
// compares the store with the model in each and after each.
func testModel(r *rig) {
	r.checkFresh(func(t *rapid.T, r *rig) {
		m := model{}
		for range rapid.IntRange(1, 4).Draw(t, "transactions") {
			m = r.step(t, m)
			r.compare(t, m)
		}
	})
}

// modelIDs are few, so that rows are saved over each other.
var modelIDs = []state.EventID{"b/c", "d e", "é", "'", "A", "a"}

// step is one transaction. It returns what is committed after it.
func (r *rig) step(t *rapid.T, m model) model {
	tx := r.begin()
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	next := maps.Clone(m)
	for range rapid.IntRange(1, 4).Draw(t, "saves") {
		row := mapping(t, oneOf(t, "id", modelIDs...))
		known, err := tx.Load(r.Context(), []state.EventID{row.ID})
		if err != nil {
			t.Fatal(err)
		}
		r.same("loaded", next[row.ID], known[row.ID])
		if old := known[row.ID]; old != nil {
			row.SetStored(old.Stored())
		}
		if err := tx.Save(r.Context(), row); err != nil {
			t.Fatal(err)
		}
		next[row.ID] = row
	}
	r.compareWithin(t, tx, next)
	if rapid.Bool().Draw(t, "gives up") {
		return m
	}
	if err := tx.Commit(r.Context()); err != nil {
		t.Fatal(err)
	}
	return next
}

// compare asks everything that can be asked outside of a Tx.
func (r *rig) compare(t *rapid.T, m model) {
	r.same("counts", m.recount(), r.counts())
	f := filter(t)
	r.same(fmt.Sprintf("list of %+v", f), m.where(func(row *state.Mapping) bool { return selects(f, row) }), r.list(f, "", 100))
	for _, id := range modelIDs {
		got, err := r.Get(r.Context(), id)
		if m[id] == nil && errors.Is(err, state.ErrNotFound) {
			continue
		}
		if err != nil {
			t.Fatalf("get %q: %v", id, err)
		}
		r.same("get", m[id], got)
	}
}

// compareWithin asks everything that can be asked within one.
func (r *rig) compareWithin(t *rapid.T, tx state.Tx, m model) {
	f, at := filter(t), some(t, "now")
	d := state.Due{Now: at, Limit: len(modelIDs), From: moment(t, "from"), Before: moment(t, "before")}
	ask := func(what string, want []*state.Mapping, question func() ([]*state.Mapping, error)) {
		got, err := question()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r.same(what, want, got)
	}
	ctx, all := r.Context(), len(modelIDs)
	ask("page", m.where(func(row *state.Mapping) bool { return selects(f, row) }),
		func() ([]*state.Mapping, error) { return tx.Page(ctx, f, "", all) })
	ask("due", m.due(d), func() ([]*state.Mapping, error) { return byID(tx.Due(ctx, d)) })
	ask("leased", m.leased(at), func() ([]*state.Mapping, error) { return byID(tx.Leased(ctx, at, all)) })
	next, err := tx.NextDue(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.same("next due", m.nextDue(), next)
	n, err := tx.CountFusible(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	r.same("fusible", len(m.where(func(row *state.Mapping) bool { return fusible(row, at) })), n)
}

// byID puts rows in the order of their ids: that of rows of one time is not
// promised. The order by time is testDue's.
func byID(rows []*state.Mapping, err error) ([]*state.Mapping, error) {
	slices.SortFunc(rows, func(a, b *state.Mapping) int { return cmp.Compare(a.ID, b.ID) })
	return rows, err
}

func (m model) due(d state.Due) []*state.Mapping {
	return m.where(func(row *state.Mapping) bool {
		today := !row.StartsAt.IsZero() && !row.StartsAt.Before(d.From) && row.StartsAt.Before(d.Before)
		urgent := d.Before.IsZero() || row.Wanted == state.Absent || today
		return !row.NextAttempt.IsZero() && !row.NextAttempt.After(d.Now) && urgent
	})
}

func (m model) leased(before time.Time) []*state.Mapping {
	return m.where(func(row *state.Mapping) bool { return !row.LeaseUntil.IsZero() && row.LeaseUntil.Before(before) })
}

func (m model) nextDue() (next time.Time) {
	for _, row := range m {
		if at := row.NextAttempt; !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// filter is any filter, of few or many conditions.
func filter(t *rapid.T) (f state.Filter) {
	sometimes := rapid.IntRange(0, 3)
	maybe := func(name string, set func()) {
		if sometimes.Draw(t, name) == 0 {
			set()
		}
	}
	maybe("listed", func() { f.Listed = true })
	maybe("status", func() { f.Status = oneOf(t, "status", state.Synced, state.Pending, state.Failed) })
	maybe("held", func() { f.Held = true })
	maybe("drifted", func() { f.Drifted = true })
	maybe("query", func() { f.Query = oneOf(t, "query", texts...) })
	maybe("before", func() {
		v := version(t, "wanted before")
		f.WantedBefore = &v
	})
	maybe("wanted", func() { f.Wanted = oneOf(t, "wanted", state.Present, state.Absent) })
	maybe("fusible", func() { f.Fusible = some(t, "since") })
	return f
}
