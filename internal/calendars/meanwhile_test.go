package calendars_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
	"ghlsync/internal/calendars"
	"ghlsync/state"
)

// between lets something happen right after GHL has told of one appointment, and
// counts lists.
type between struct {
	calendars.GHL
	told  func()
	once  sync.Once
	lists int
}

func (b *between) GetAppointment(ctx context.Context, id string) (api.Appointment, ghl.Result) {
	a, res := b.GHL.GetAppointment(ctx, id)
	b.once.Do(b.told)
	return a, res
}

func (b *between) ListEvents(ctx context.Context, calendarID string, from, to time.Time) ([]api.Appointment, ghl.Result) {
	b.lists++
	return b.GHL.ListEvents(ctx, calendarID, from, to)
}

// run compares once, while told happens.
func (r *rig) run(told func()) (calendars.Report, *between) {
	r.t.Helper()
	b := &between{GHL: r.client, told: told}
	c := &calendars.Comparison{
		GHL: b, Store: r.store, Fuse: r.fuse, Log: slog.New(slog.DiscardHandler), Changed: r.d.Wake,
		Now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	}
	report, err := c.Run(r.t.Context(), calendars.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	return report, b
}

// row changes one row behind everybody's back.
func (r *rig) row(id string, do func(*state.Mapping)) {
	r.t.Helper()
	r.change(func(ctx context.Context, tx state.Tx) error {
		rows, err := tx.Load(ctx, []state.EventID{state.EventID(id)})
		if err != nil {
			return err
		}
		do(rows[state.EventID(id)])
		return tx.Save(ctx, rows[state.EventID(id)])
	})
}

// An appointment that was gone when GHL was asked, and has been made again since,
// is not made a third time.
func TestMadeAgainMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want("a", "Kick-off", 9)
	r.settles()
	r.box.Remove(r.appointment("a"))
	r.run(func() {
		r.row("a", func(m *state.Mapping) {
			now := time.Now().UTC().Truncate(time.Microsecond)
			m.NoteDrift(now, state.DriftDeleted, 0)
			m.Restore(now)
		})
		r.settles()
	})
	r.settles()
	r.same("book", map[string]string{"a": "Kick-off 09:00;"}, r.book())
}

// An orphan whose event has come back meanwhile is left to the next comparison.
func TestOrphanIsWantedMeanwhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want("a", "Kick-off", 9)
	r.settles()
	of := state.OrphanID(r.appointment("a"))
	r.forget("a")
	r.run(func() { r.want("a", "Kick-off", 9) })
	if _, err := r.store.Get(t.Context(), of); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("its deletion is due: %v", err)
	}
}

// What the fuse holds, and what an operator keeps, is deleted as no orphan either.
func TestHeldAndKeptAreNoOrphans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, id := range []string{"held", "kept"} {
		r.want(id, "Kick-off", 9+i)
	}
	r.settles()
	for id, hold := range map[string]state.Hold{"held": state.Held, "kept": state.Kept} {
		r.row(id, func(m *state.Mapping) {
			m.Wanted, m.Payload, m.Hash, m.AppointmentID, m.Hold = state.Absent, nil, "", "", hold
		})
	}
	report := r.compare(false)
	r.same("found", []string(nil), found(report))
	r.settles()
	if n := len(r.box.Appointments()); n != 2 || report.Waiting != 1 {
		t.Errorf("%d appointments are left, want 2; %+v", n, report)
	}
}

// What is only assumed to be in GHL was named by somebody else.
func TestAssumedIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want("a", "Kick-off", 9)
	r.settles()
	r.row("a", func(m *state.Mapping) {
		m.Assumed, m.Payload = true, payload("a", "As Sentra has it", 9)
	})
	r.same("found", []string(nil), found(r.compare(false)))
}

// Where an appointment was before the last edit is looked at, too.
func TestFoundWhereItWas(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byWebhook(map[string]int{"a": 9})
	r.row("a", func(m *state.Mapping) {
		m.Known = bytes.ReplaceAll(m.Payload, []byte(day.Format(time.DateOnly)), []byte("2011-03-04"))
	})
	at := time.Date(2011, time.March, 4, 9, 0, 0, 0, time.UTC)
	if !r.box.Move(r.appointment("a"), at, at.Add(30*time.Minute)) {
		t.Fatal("there is nothing to move")
	}
	r.same("found", []string{"adopted a contact and time"}, found(r.compare(true)))
}

// One event in a far year costs the requests of its own time, not of all between.
func TestFarYear(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want("a", "Kick-off", 9)
	r.settles()
	r.row("a", func(m *state.Mapping) { m.StartsAt = time.Date(2150, time.January, 1, 0, 0, 0, 0, time.UTC) })
	if _, b := r.run(func() {}); b.lists > 50 {
		t.Errorf("%d lists", b.lists)
	}
}
