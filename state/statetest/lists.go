package statetest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ghlsync/state"
)

// selects is what a Filter means, in plain words.
func selects(f state.Filter, m *state.Mapping) bool {
	switch {
	case f.Listed && (m.Assumed || m.Wanted == state.Absent && m.Status() == state.Synced),
		f.Status != "" && m.Status() != f.Status,
		f.Held && m.Hold != state.Held,
		f.Drifted && m.Drift == state.NoDrift,
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
			if len(rows) > limit || len(got) > len(sorted) {
				r.Fatalf("%d rows behind %q for a limit of %d, %d before", len(rows), after, limit, len(got))
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
	newer.Drift = state.DriftChanged
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
		{state.Filter{Drifted: true}, "newer"},
		{state.Filter{Query: "ghl-n"}, "newer"},
		{state.Filter{Query: "ele"}, "released"},
		{state.Filter{Query: "ELE"}, ""},
		{state.Filter{Query: "%"}, ""},
		{state.Filter{Wanted: state.Present}, "assumed failed newer pending synced"},
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
