package pipeline

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/state"
)

// assumed makes a rig whose baseline assumed seven events: four that are over,
// one that ends later today in the business's zone, one later still, and one that
// cannot be translated. Another came behind the baseline.
func assumed(t *testing.T) *rig {
	t.Helper()
	zone := time.FixedZone("east", 10*60*60)
	now := time.Date(2026, 3, 4, 20, 30, 0, 0, time.UTC) // 06:30 on the 5th over there
	r := newRig(t, func(o *Options) {
		o.Backfill, o.Zone = BackfillNone, zone
		o.Now = func() time.Time { return now }
	})
	r.captured()
	r.halt()
	r.opts.Source.Slot += "_2"
	for id, end := range map[string]string{
		"over-1": "2020-01-01 10:00", "over-2": "2026-03-04 23:00", "over-3": "2026-03-05 06:29", "over-4": "2026-03-04 24:00",
		"soon": "2026-03-05 06:31", "later": "2027-01-01 00:00",
	} {
		r.insert(id)
		r.db.Exec(t, "UPDATE calendar_events SET start_date = $2, end_date = $2, end_time = $3 WHERE id = $1", id, end[:10], end[11:])
	}
	r.insert("odd")
	r.db.Exec(t, "UPDATE calendar_events SET end_date = 'infinity' WHERE id = 'odd'")
	r.start()
	r.insert("new")
	r.captured()
	return r
}

func (r *rig) backfill(which Backfill, dry bool) BackfillReport {
	r.t.Helper()
	var last, of int64
	got, err := r.capture.Backfill(r.t.Context(), BackfillOptions{Which: which, DryRun: dry, Progress: func(done, total int64) { last, of = done, total }})
	if err != nil {
		r.t.Fatal(err)
	}
	if last != 8 || of != 8 {
		r.t.Errorf("progress ends with %d of %d", last, of)
	}
	return got
}

func (r *rig) reports(got, want BackfillReport) {
	r.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBackfillUpcoming(t *testing.T) {
	t.Parallel()
	r := assumed(t)
	want := BackfillReport{Which: BackfillUpcoming, DryRun: true, Pushed: 2, Left: 5, Known: 1}
	r.unchanged(func() { r.reports(r.backfill(BackfillUpcoming, true), want) })
	want.DryRun = false
	r.reports(r.backfill(BackfillUpcoming, false), want)
	for id, pushed := range map[string]bool{"over-1": false, "over-2": false, "over-3": false, "over-4": false, "odd": false, "soon": true, "later": true} {
		if m := r.get(id); m.Assumed == pushed || pushed != (m.Status() == state.Pending && m.GHL == state.GHLAbsent) {
			t.Errorf("%s: assumed %v, %s, GHL %s", id, m.Assumed, m.Status(), m.GHL)
		}
	}
	r.reports(r.backfill(BackfillUpcoming, false), BackfillReport{Which: BackfillUpcoming, Left: 5, Known: 3})
}

func TestBackfillAll(t *testing.T) {
	t.Parallel()
	r := assumed(t)
	want := BackfillReport{Which: BackfillAll, DryRun: true, Pushed: 6, Parked: 1, Known: 1}
	r.unchanged(func() { r.reports(r.backfill(BackfillAll, true), want) })
	want.DryRun = false
	r.reports(r.backfill(BackfillAll, false), want)
	if m := r.get("odd"); m.Status() != state.Failed || m.Parked != "bad_value:end_date" {
		t.Errorf("got %+v", m)
	}
	r.reports(r.backfill(BackfillAll, false), BackfillReport{Which: BackfillAll, Known: 8})
	r.differs(r.reconcile(true, nil), "", "", "")
}

func TestBackfillRefuses(t *testing.T) {
	t.Parallel()
	r := assumed(t)
	for _, which := range []Backfill{"", BackfillNone, "some"} {
		if _, err := r.capture.Backfill(t.Context(), BackfillOptions{Which: which}); !errors.Is(err, ErrWhich) {
			t.Errorf("%q: %v", which, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.unchanged(func() {
		if got, err := r.capture.Backfill(ctx, BackfillOptions{Which: BackfillAll}); err == nil || got.Pushed != 0 {
			t.Errorf("nobody asks any more: %+v, %v", got, err)
		}
	})
	r.halt()
	if _, err := r.capture.Backfill(t.Context(), BackfillOptions{Which: BackfillAll}); !errors.Is(err, errStopping) {
		t.Errorf("the daemon stops: %v", err)
	}
}

func TestBackfillGoesThroughEveryPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *Options) { o.Backfill = BackfillNone })
	r.captured()
	r.halt()
	r.opts.Source.Slot += "_2"
	const events = 2*backfillPage + 7
	ids := make([]string, events)
	for i := range ids {
		ids[i] = fmt.Sprintf("event-%04d", i)
	}
	r.insert(ids...)
	r.start()
	got, err := r.capture.Backfill(t.Context(), BackfillOptions{Which: BackfillAll})
	if err != nil || got.Pushed != events {
		t.Errorf("%+v, %v", got, err)
	}
	if counts, err := r.store.Counts(t.Context()); err != nil || counts != (state.Counts{Total: events, Pending: events}) {
		t.Errorf("counts %+v, %v", counts, err)
	}
}
