package statetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"ghlsync/state"
)

// selects is what a Filter means, in plain words.
func selects(f state.Filter, m *state.Mapping) bool {
	switch {
	case f.Listed && (m.Assumed || m.Wanted == state.Absent && m.Status() == state.Synced),
		f.Status != "" && m.Status() != f.Status,
		f.Held && m.Hold != state.Held,
		f.Query != "" && !strings.Contains(string(m.ID), f.Query) && !strings.Contains(m.AppointmentID, f.Query),
		f.WantedBefore != nil && (m.Wanted != state.Present || !m.Version.Before(*f.WantedBefore)),
		f.Wanted != "" && m.Wanted != f.Wanted,
		!f.Fusible.IsZero() && !fusible(m, f.Fusible):
		return false
	}
	return true
}

func fusible(m *state.Mapping, since time.Time) bool {
	return m.Retracted && !m.CommittedAt.IsZero() && !m.CommittedAt.Before(since) && (m.Hold == state.NotHeld || m.Hold == state.Held)
}

// recount counts rows one by one.
func recount(rows map[state.EventID]*state.Mapping) (c state.Counts) {
	for _, m := range rows {
		c.Move(state.Class{}, m.Class())
	}
	return c
}

// testModel saves any rows over any rows, gives some transactions up, and
// compares the store with a map after each.
func testModel(r *rig) {
	model := map[state.EventID]*state.Mapping{}
	rapid.Check(r.T, func(t *rapid.T) {
		tx := r.begin()
		defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
		next := maps.Clone(model)
		for range rapid.IntRange(1, 4).Draw(t, "saves") {
			m := mapping(t, state.EventID(oneOf(t, "id", texts...)))
			known, err := tx.Load(r.Context(), []state.EventID{m.ID})
			if err != nil {
				t.Fatal(err)
			}
			if old := known[m.ID]; old != nil {
				m.SetStored(old.Stored())
			}
			if err := tx.Save(r.Context(), m); err != nil {
				t.Fatal(err)
			}
			next[m.ID] = m
		}
		if rapid.Bool().Draw(t, "commits") {
			if err := tx.Commit(r.Context()); err != nil {
				t.Fatal(err)
			}
			model = next
		} else if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		r.same("counts", recount(model), r.counts())
		f := filter(t)
		var want []*state.Mapping
		for _, id := range slices.Sorted(maps.Keys(model)) {
			if selects(f, model[id]) {
				want = append(want, model[id])
			}
		}
		r.same(fmt.Sprintf("list of %+v", f), want, r.list(f, "", 100))
		if r.Failed() {
			t.FailNow()
		}
	})
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
	maybe("query", func() { f.Query = oneOf(t, "query", texts...) })
	maybe("before", func() {
		f.WantedBefore = &state.Version{Epoch: rapid.Int64Range(0, 1<<40).Draw(t, "before epoch"), LSN: 1 << 40}
	})
	maybe("wanted", func() { f.Wanted = oneOf(t, "wanted", state.Present, state.Absent) })
	maybe("fusible", func() { f.Fusible = time.UnixMicro(rapid.Int64Range(-1<<52, 1<<52).Draw(t, "since")).UTC() })
	return f
}

func testPaging(r *rig) {
	// Bytewise: upper case before lower, ASCII before the rest, a prefix first.
	sorted := []state.EventID{"10", "2", "A", "B", "a", "a ", "a/b", "ab", "b", "é", "日本"}
	for _, i := range []int{7, 3, 10, 0, 5, 2, 9, 1, 8, 4, 6} {
		r.save(synced(string(sorted[i])))
	}
	for limit := 1; limit <= len(sorted)+1; limit++ {
		var got []state.EventID
		var after state.EventID
		for {
			rows := r.list(state.Filter{}, after, limit)
			if len(rows) > limit {
				r.Fatalf("%d rows for a limit of %d", len(rows), limit)
			}
			if len(rows) == 0 {
				break
			}
			got = append(got, ids(rows)...)
			after = rows[len(rows)-1].ID
		}
		r.same(fmt.Sprintf("pages of %d", limit), sorted, got)
	}
	inside := within(r, func(ctx context.Context, tx state.Tx) ([]*state.Mapping, error) {
		return tx.Page(ctx, state.Filter{}, "a", 3)
	})
	r.same("a page within a tx", []state.EventID{"a ", "a/b", "ab"}, ids(inside))
}

// testFilters has a row for each filter that only that filter is about.
func testFilters(r *rig) {
	failed := pending("failed", time.Time{})
	failed.Parked, failed.SyncError = "CONTACT_NOT_FOUND", "CONTACT_NOT_FOUND"
	held := retraction("held", start)
	held.Hold, held.NextAttempt = state.Held, time.Time{}
	kept := retraction("kept", start)
	kept.Hold, kept.NextAttempt = state.Kept, time.Time{}
	released := retraction("released", start)
	released.Hold = state.Released
	assumed := synced("assumed")
	assumed.Assumed = true
	newer := synced("newer")
	newer.Version = state.Version{Epoch: 2, LSN: 1}
	r.save(failed, held, kept, released, assumed, newer, synced("synced"), pending("pending", start), tombstone("tombstone", start), retraction("late", start.Add(time.Microsecond)))
	for _, c := range []struct {
		f    state.Filter
		want string
	}{
		{state.Filter{}, "assumed failed held kept late newer pending released synced tombstone"},
		{state.Filter{Listed: true}, "failed held late newer pending released synced"},
		{state.Filter{Status: state.Failed}, "failed"},
		{state.Filter{Status: state.Synced, Listed: true}, "newer synced"},
		{state.Filter{Status: state.Pending}, "held late pending released"},
		{state.Filter{Held: true}, "held"},
		{state.Filter{Query: "ghl-n"}, "newer"},
		{state.Filter{Query: "ele"}, "released"},
		{state.Filter{Query: "%"}, ""},
		{state.Filter{Wanted: state.Absent}, "held kept late released tombstone"},
		{state.Filter{WantedBefore: &state.Version{Epoch: 1, LSN: 100}}, ""},
		{state.Filter{WantedBefore: &state.Version{Epoch: 1, LSN: 101}}, "assumed failed pending synced"},
		{state.Filter{WantedBefore: &state.Version{Epoch: 2, LSN: 2}}, "assumed failed newer pending synced"},
		{state.Filter{Fusible: start}, "held late"},
		{state.Filter{Fusible: start.Add(time.Microsecond)}, "late"},
		{state.Filter{Fusible: start, Held: true}, "held"},
	} {
		var got []string
		for _, id := range ids(r.list(c.f, "", 100)) {
			got = append(got, string(id))
		}
		r.same(fmt.Sprintf("%+v", c.f), c.want, strings.Join(got, " "))
	}
}
