package statetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"ghlsync/state"
	"ghlsync/state/dump"
)

// Move exports states from one backend, imports them into another, and compares all
// that can be asked of both.
func Move(t *testing.T, from, into func(t *testing.T) Open) {
	t.Helper()
	source := &rig{TB: t, ctx: t.Context(), open: from(t)}
	source.Store = source.opened()
	defer source.close()
	source.moves(func() Open { return into(t) })
}

func testMove(r *rig) { r.moves(r.fresh) }

func (r *rig) moves(fresh func() Open) {
	r.Helper()
	r.fillForMove()
	target := &rig{TB: r.TB, ctx: r.ctx, open: fresh()}
	target.Store = target.opened()
	defer target.close()
	stream := r.export()
	if _, err := dump.Read(r.Context(), bytes.NewReader(stream), target.dumps()); err != nil {
		r.Fatalf("import: %v", err)
	}
	target.reopen()
	r.same("contents", r.contents(), target.contents())
	r.same("counts", r.counts(), target.counts())
	r.same("of the audit", r.sees().Attempts, target.sees().Attempts)
	for _, slot := range []string{"ghlsync", "other", "none"} {
		r.same("checkpoint of "+slot, r.checkpoint(slot), target.checkpoint(slot))
	}
	r.same("what is taken", r.retired(), target.retired())
	target.save(synced("beside"))
	if _, err := dump.Read(r.Context(), bytes.NewReader(stream), target.dumps()); !errors.Is(err, dump.ErrNotEmpty) {
		r.Errorf("a second import: %v", err)
	}
}

// fillForMove saves one of everything, and whatever rows.
func (r *rig) fillForMove() {
	r.Helper()
	m, cp, line := everyField(r)
	other := checkpoint(1<<62, "you")
	other.Slot, other.CommittedAt, other.Baseline = "other", time.Time{}, time.Time{}
	far := pending("far", start)
	far.StartsAt = time.Date(10000, 1, 1, 11, 0, 0, 0, time.UTC) // a late hour of 9999 somewhere
	r.change(func(ctx context.Context, tx state.Tx) error {
		lines := []state.Attempt{line, attempt("a", 3), attempt("a", 2)}
		again := attempt("a", 2)
		again.DeliveryID = "recorded behind the other of this time"
		return errors.Join(tx.Save(ctx, m, far), tx.Record(ctx, append(lines, again)...), tx.SetPaused(ctx, start),
			tx.SetCheckpoint(ctx, nil, other), tx.SetCheckpoint(ctx, nil, cp),
			tx.Retire(ctx, "a", "retired", start), tx.Retire(ctx, "gone", "é", ago(time.Hour)),
			tx.Attempted(ctx, start.Add(time.Hour)))
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

// dumps is the store as it is exported from and imported into.
func (r *rig) dumps() dump.Store {
	r.Helper()
	s, ok := r.Store.(dump.Store)
	if !ok {
		r.Fatalf("a %T cannot be exported", r.Store)
	}
	return s
}

func (r *rig) export() []byte {
	r.Helper()
	var out bytes.Buffer
	if _, err := dump.Write(r.Context(), &out, r.dumps(), dump.Header{Source: "test", ExportedAt: start}); err != nil {
		r.Fatalf("export: %v", err)
	}
	return out.Bytes()
}

func (r *rig) contents() (all []state.Content) {
	r.Helper()
	err := r.dumps().Export(r.Context(), func(c state.Content) error {
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
	err := r.dumps().Export(r.Context(), func(c state.Content) error {
		if len(during) == 0 {
			changed := synced("n")
			changed.Revision = 99
			r.change(func(ctx context.Context, tx state.Tx) error { return errors.Join(writeAll(ctx, tx), tx.Save(ctx, changed)) })
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
	if err := r.dumps().Export(r.Context(), func(state.Content) error { return stop }); !errors.Is(err, stop) {
		r.Errorf("an export that is broken off: %v", err)
	}
}
