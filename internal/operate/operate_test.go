package operate

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"ghlsync/internal/mappingtest"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var now = mappingtest.At.Add(time.Hour)

// rig is a store with an operator on it.
type rig struct {
	*Operator
	t     *testing.T
	store *sqlite.Store
	wakes int
	holds []bool
}

// Wake and Hold count what delivery is told.
func (r *rig) Wake() { r.wakes++ }

// Hold writes first, as delivery may do before it hears of anything.
func (r *rig) Hold(ctx context.Context, hold bool) error {
	r.holds = append(r.holds, hold)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tx, err := r.store.Begin(ctx)
	if err != nil {
		return err
	}
	return tx.Rollback()
}

func newRig(t *testing.T, rows ...*state.Mapping) *rig {
	t.Helper()
	r := &rig{t: t, store: mappingtest.Store(t, mappingtest.Path(t), rows...)}
	r.Operator = New(r.store, func() time.Time { return now }, r)
	return r
}

func (r *rig) must(v Verb, s Selection) Report {
	r.t.Helper()
	report, err := r.Do(r.t.Context(), v, s)
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

func (r *rig) get(id string) *state.Mapping {
	r.t.Helper()
	m, err := r.store.Get(r.t.Context(), state.EventID(id))
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// What somebody else did in GHL is undone on request: an appointment that is gone
// is made again, and its id is never taken again.
func TestRetryOfDrift(t *testing.T) {
	t.Parallel()
	deleted := mappingtest.Synced("b")
	deleted.Drift, deleted.DriftAt = state.DriftDeleted, mappingtest.At
	changed := mappingtest.Synced("a")
	changed.Drift, changed.DriftAt = state.DriftChanged, mappingtest.At
	gone := deleted.AppointmentID
	r := newRig(t, changed, deleted)
	if got := r.must(Retry, Selection{IDs: []string{"a", "b"}}); got.Done != 2 {
		t.Fatalf("%+v", got)
	}
	if m := r.get("a"); m.GHL != state.GHLPresent || m.GHLHash != "" || m.NextAttempt.IsZero() {
		t.Errorf("the changed one: %+v", m)
	}
	if m := r.get("b"); m.GHL != state.GHLAbsent || m.AppointmentID != "" || m.NextAttempt.IsZero() {
		t.Errorf("the deleted one: %+v", m)
	}
	tx, err := r.store.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	taken, err := tx.Taken(t.Context(), []string{gone})
	if err := errors.Join(err, tx.Rollback()); err != nil {
		t.Fatal(err)
	}
	if holder, known := taken[gone]; !known || holder != "" {
		t.Errorf("the id that is gone is not retired: %v", taken)
	}
}

func TestRetryByID(t *testing.T) {
	t.Parallel()
	r := newRig(t, mappingtest.Failed("a/1 ü"), mappingtest.Synced("b"), mappingtest.Untranslatable("c"))
	got := r.must(Retry, Selection{IDs: []string{"nobody", "c", "a/1 ü", "b", "a/1 ü"}})
	want := Report{Done: 1, Left: 3, Refused: []Refusal{
		{ID: "nobody", Unknown: true, Reason: "there is no mapping for this event"},
		{ID: "b", Reason: "it has not failed: it is synced"},
		{ID: "c", Reason: "its row cannot be translated (client_missing): it is tried again when the row changes in Sentra"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if m := r.get("a/1 ü"); m.Status() != state.Pending || !m.NextAttempt.Equal(now) {
		t.Errorf("status %s, next attempt %s", m.Status(), m.NextAttempt)
	}
	if r.wakes != 1 {
		t.Errorf("delivery was woken %d times", r.wakes)
	}
}

func TestRetryAllFailedGoesThroughEveryPage(t *testing.T) {
	t.Parallel()
	const failed, stuck = 2*page + 17, MaxRefusals + 20
	var rows []*state.Mapping
	for i := range failed {
		rows = append(rows, mappingtest.Failed(fmt.Sprintf("event-%04d", i)))
	}
	for i := range stuck {
		rows = append(rows, mappingtest.Untranslatable(fmt.Sprintf("stuck-%04d", i)))
	}
	r := newRig(t, append(rows, mappingtest.Held("held"), mappingtest.Synced("synced"))...)
	got := r.must(Retry, Selection{Failed: true})
	if got.Done != failed || got.Left != stuck || len(got.Refused) != MaxRefusals {
		t.Errorf("done %d, left %d, told %d", got.Done, got.Left, len(got.Refused))
	}
	counts, err := r.store.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := state.Counts{Total: failed + stuck + 2, Synced: 1, Pending: failed + 1, Failed: stuck, Held: 1}
	if counts != want {
		t.Errorf("counts %+v, want %+v", counts, want)
	}
}

func TestReleaseAndDrop(t *testing.T) {
	t.Parallel()
	r := newRig(t, mappingtest.Held("a"), mappingtest.Held("b"), mappingtest.Held("c"), mappingtest.Pending("p"))
	if got := r.must(Drop, Selection{IDs: []string{"a", "p"}}); got.Done != 1 || got.Left != 1 {
		t.Errorf("drop: %+v", got)
	}
	if got := r.must(Release, Selection{All: true}); got.Done != 2 || got.Left != 0 {
		t.Errorf("release: %+v", got)
	}
	if m := r.get("a"); m.Hold != state.Kept || !m.NextAttempt.IsZero() {
		t.Errorf("dropped: hold %q, next %s", m.Hold, m.NextAttempt)
	}
	if m := r.get("b"); m.Hold != state.Released || !m.NextAttempt.Equal(now) {
		t.Errorf("released: hold %q, next %s", m.Hold, m.NextAttempt)
	}
	if r.wakes != 2 {
		t.Errorf("delivery was woken %d times", r.wakes)
	}
	if got := r.must(Drop, Selection{All: true}); got.Done != 0 || r.wakes != 2 {
		t.Errorf("nothing held: %+v, %d wakes", got, r.wakes)
	}
}

func TestSelections(t *testing.T) {
	t.Parallel()
	ids := []string{"1"}
	for _, c := range []struct {
		v  Verb
		s  Selection
		ok bool
	}{
		{Retry, Selection{IDs: ids}, true},
		{Retry, Selection{Failed: true}, true},
		{Retry, Selection{All: true}, false},
		{Retry, Selection{}, false},
		{Retry, Selection{IDs: ids, Failed: true}, false},
		{Retry, Selection{IDs: []string{"1", ""}}, false},
		{Release, Selection{All: true}, true},
		{Release, Selection{Failed: true}, false},
		{Drop, Selection{IDs: ids}, true},
		{Drop, Selection{IDs: ids, All: true}, false},
		{"delete", Selection{IDs: ids}, false},
	} {
		err := c.s.Check(c.v)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSelection) {
			t.Errorf("%s %+v: %v", c.v, c.s, err)
		}
	}
}

// TestEndedContextDoesNothing: what is not durable is not reported as done.
func TestEndedContextDoesNothing(t *testing.T) {
	t.Parallel()
	store := mappingtest.Store(t, mappingtest.Path(t), mappingtest.Failed("a"))
	o := New(store, func() time.Time { return now }, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := o.Do(ctx, Retry, Selection{Failed: true})
	if err == nil || r.Done != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}
