package deliver_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ghlsync/state"
)

// retraction is one transaction of Sentra's that retracts events and shows some
// of them again.
type retraction struct {
	after    time.Duration // since the first one
	ids      []string
	reinsert []string
	held     int // newly, by the fuse's own account
}

func ids(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("event-%02d", i))
	}
	return out
}

// The fuse counts, by commit time, what a minute retracts net of what GHL has. It
// holds all of it that has not left, and nothing that an operator released.
func TestDeleteFuse(t *testing.T) {
	t.Parallel()
	const limit = 5
	for name, c := range map[string]struct {
		limit int
		steps []retraction
		held  []string
	}{
		"as many as allowed": {limit, []retraction{{ids: ids(0, 5)}}, nil},
		"one too many":       {limit, []retraction{{ids: ids(0, 6), held: 6}}, ids(0, 6)},
		"off":                {0, []retraction{{ids: ids(0, 20)}}, nil},
		"within a minute, and those that have not left are held, too": {
			limit,
			[]retraction{{ids: ids(0, 3)}, {after: time.Minute, ids: ids(3, 6), held: 6}},
			ids(0, 6),
		},
		"over more than a minute": {
			limit,
			[]retraction{{ids: ids(0, 3)}, {after: time.Minute + time.Second, ids: ids(3, 6)}},
			nil,
		},
		"one more behind a blown fuse": {
			limit,
			[]retraction{{ids: ids(0, 6), held: 6}, {after: time.Second, ids: ids(6, 7), held: 1}},
			ids(0, 7),
		},
		"long behind a blown fuse": {
			limit,
			[]retraction{{ids: ids(0, 6), held: 6}, {after: time.Hour, ids: ids(6, 7)}},
			ids(0, 6),
		},
		"shown again in the same transaction": {limit, []retraction{{ids: ids(0, 8), reinsert: ids(5, 8)}}, nil},
		"what GHL never had":                  {limit, []retraction{{ids: append(ids(0, 5), "never-sent-1", "never-sent-2")}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.inGHL(ids(0, 20)...)
			r.change(r.present("never-sent-1", "Session A"), r.present("never-sent-2", "Session A"))
			begin := time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
			for i, s := range c.steps {
				if got := r.commit(begin.Add(s.after), c.limit, s.ids, s.reinsert); got != s.held {
					t.Errorf("step %d: %d are newly held, want %d", i, got, s.held)
				}
			}
			r.wantHeld(c.held...)
		})
	}
}

func TestReleasedRetractionsAreNotCountedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.inGHL(ids(0, 20)...)
	begin := time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	r.commit(begin, 5, ids(0, 8), nil)
	r.edit(eventIDs(ids(0, 8)), func(rows map[state.EventID]*state.Mapping, now time.Time) {
		for id, m := range rows {
			if id < "event-04" && !m.Release(now) || id >= "event-04" && !m.Drop(now) {
				t.Errorf("%s was not held", id)
			}
		}
	})
	if held := r.commit(begin.Add(time.Second), 5, ids(8, 13), nil); held != 0 {
		t.Errorf("%d are held beside those that were decided about", held)
	}
	r.wantHeld()
}

func eventIDs(ids []string) []state.EventID {
	out := make([]state.EventID, len(ids))
	for i, id := range ids {
		out[i] = state.EventID(id)
	}
	return out
}

// inGHL makes rows of events that GHL has.
func (r *rig) inGHL(ids ...string) {
	r.t.Helper()
	r.edit(nil, func(rows map[state.EventID]*state.Mapping, now time.Time) {
		for _, id := range ids {
			c := r.present(id, "Session A")
			c.Assume = true
			rows[c.ID], _ = state.Merge(nil, c, now)
		}
	})
}

// commit is what capture does with a transaction of Sentra's; it returns how many
// retractions the fuse newly holds.
func (r *rig) commit(at time.Time, limit int, retract, reinsert []string) (held int) {
	r.t.Helper()
	ctx := r.t.Context()
	tx, err := r.store.Begin(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing, and else the test has failed
	rows, err := tx.Load(ctx, eventIDs(retract))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, id := range retract {
		c := r.absent(id)
		c.CommittedAt = at
		m, _ := state.Merge(rows[c.ID], c, at)
		if slices.Contains(reinsert, id) {
			again := r.present(id, "Session B")
			again.CommittedAt = at
			m, _ = state.Merge(m, again, at)
		}
		if err := tx.Save(ctx, m); err != nil {
			r.t.Fatal(err)
		}
	}
	if held, err = state.BlowFuse(ctx, tx, at, limit, at); err != nil {
		r.t.Fatal(err)
	}
	if err := tx.Commit(ctx); err != nil {
		r.t.Fatal(err)
	}
	return held
}

func (r *rig) wantHeld(want ...string) {
	r.t.Helper()
	rows, err := r.store.List(r.t.Context(), state.Filter{Held: true}, "", 1000)
	if err != nil {
		r.t.Fatal(err)
	}
	var got []string
	for _, m := range rows {
		got = append(got, string(m.ID))
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("held are %q, want %q", got, want)
	}
}
