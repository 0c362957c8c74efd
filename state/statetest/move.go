package statetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ghlsync/state"
)

// Move fills a state, has carry export it and import it into another, of whatever
// backend, and compares all that can be asked of both.
func Move(t *testing.T, from, into Open, carry func(from, into state.Store) error) {
	t.Helper()
	source, target := &rig{TB: t, ctx: t.Context(), open: from}, &rig{TB: t, ctx: t.Context(), open: into}
	source.Store, target.Store = source.opened(), target.opened()
	defer source.close()
	defer target.close()
	source.fillForMove()
	if err := carry(source.Store, target.Store); err != nil {
		t.Fatal(err)
	}
	target.reopen()
	source.same("contents", source.contents(), target.contents())
	source.same("counts", source.counts(), target.counts())
	source.same("of the audit", source.sees().Attempts, target.sees().Attempts)
	for _, slot := range []string{"ghlsync", "other", "none"} {
		source.same("checkpoint of "+slot, source.checkpoint(slot), target.checkpoint(slot))
	}
	source.same("what is taken", source.retired(), target.retired())
}

// testExport: what an export has is what can be asked for, in the order that is
// promised.
func testExport(r *rig) {
	r.same("of an empty state", []state.Content{{Delivery: &state.Delivery{}}}, r.contents())
	r.fillForMove()
	want := []state.Content{
		{Checkpoint: r.checkpoint("ghlsync")},
		{Checkpoint: r.checkpoint("other")},
		{Delivery: &state.Delivery{PausedAt: start, LastAttempt: start.AddDate(200, 0, 0)}},
		{Retired: &state.Retired{AppointmentID: "retired", EventID: "a", At: start}},
		{Retired: &state.Retired{AppointmentID: "é", EventID: "gone", At: ago(time.Hour)}},
	}
	for _, m := range r.list(state.Filter{}, "", 10_000) {
		want = append(want, state.Content{Mapping: m})
	}
	for _, line := range movedLines() {
		want = append(want, state.Content{Attempt: &line})
	}
	r.same("contents", want, r.contents())
}

// movedLines are of one event; two are of one time.
func movedLines() []state.Attempt {
	again := attempt("a", 2)
	again.DeliveryID = "recorded behind the other of this time"
	return []state.Attempt{attempt("a", 1), attempt("a", 3), attempt("a", 2), again}
}

// fillForMove saves one of everything, and whatever rows.
func (r *rig) fillForMove() {
	r.Helper()
	m, cp, _ := everyField(r)
	other := checkpoint(1<<62, "you")
	other.Slot, other.CommittedAt, other.Baseline = "other", time.Time{}, time.Time{}
	far := pending("far", start)
	far.StartsAt = time.Date(10000, 1, 1, 11, 0, 0, 0, time.UTC) // a late hour of 9999 somewhere
	r.change(func(ctx context.Context, tx state.Tx) error {
		return errors.Join(tx.Save(ctx, m, far), tx.Record(ctx, movedLines()...), tx.SetPaused(ctx, start),
			tx.SetCheckpoint(ctx, nil, other), tx.SetCheckpoint(ctx, nil, cp),
			tx.Retire(ctx, "a", "retired", start), tx.Retire(ctx, "gone", "é", ago(time.Hour)),
			tx.Attempted(ctx, start.AddDate(200, 0, 0)))
	})
	known := model{}
	r.check(func(t *rapid.T, r *rig) {
		row := mapping(t, state.EventID("any "+oneOf(t, "id", texts...)))
		if old := known[row.ID]; old != nil {
			row.SetStored(old.Stored())
		}
		r.save(row)
		known[row.ID] = row
	})
	batch := make([]*state.Mapping, 1200) // more than goes in one go
	for i := range batch {
		batch[i] = pending(fmt.Sprintf("%04d", i), start)
	}
	r.save(batch...)
}

// exporter is the store as it is exported from.
func (r *rig) exporter() state.Exporter {
	r.Helper()
	s, ok := r.Store.(state.Exporter)
	if !ok {
		r.Fatalf("a %T cannot be exported", r.Store)
	}
	return s
}

func (r *rig) contents() (all []state.Content) {
	r.Helper()
	err := r.exporter().Export(r.Context(), func(c state.Content) error {
		all = append(all, c)
		return nil
	})
	if err != nil {
		r.Fatalf("export: %v", err)
	}
	return all
}

// testExportBesideTx commits something of every kind while an export is under way.
func testExportBesideTx(r *rig) {
	r.save(synced("m"), synced("n"))
	before := r.contents()
	var during []state.Content
	err := r.exporter().Export(r.Context(), func(c state.Content) error {
		if len(during) == 0 {
			changed := synced("n")
			changed.Revision = 99
			r.change(func(ctx context.Context, tx state.Tx) error {
				return errors.Join(writeAll(ctx, tx), tx.Save(ctx, changed))
			})
		}
		during = append(during, c)
		return nil
	})
	if err != nil {
		r.Fatal(err)
	}
	r.same("during", before, during)
	r.same("after: a checkpoint, an appointment, a mapping and a call more", len(before)+4, len(r.contents()))
	stop := errors.New("enough")
	if err := r.exporter().Export(r.Context(), func(state.Content) error { return stop }); !errors.Is(err, stop) {
		r.Errorf("an export that is broken off: %v", err)
	}
}
