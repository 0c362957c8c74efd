package calendars_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
	"ghlsync/internal/calendars"
	"ghlsync/state"
)

func TestNothingDiffers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want("a", "Kick-off", 9)
	r.want("b", "Kick-off", 10)
	r.want("c", "Kick-off", 11)
	r.gone("c")
	r.settles()
	report := r.compare(false)
	r.same("found", []string(nil), found(report))
	if report.Appointments != 2 || report.Requests == 0 {
		t.Errorf("%+v", report)
	}
}

func TestWhatPeopleDid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, id := range []string{"moved", "far away", "deleted", "showed"} {
		r.want(id, "Kick-off", 9+i)
	}
	r.settles()
	at := day.Add(20 * time.Hour)
	if !r.box.Move(r.appointment("moved"), at, at.Add(time.Hour)) || !r.box.Move(r.appointment("far away"), at.AddDate(20, 0, 0), at.AddDate(20, 0, 0).Add(time.Hour)) ||
		!r.box.Remove(r.appointment("deleted")) || !r.box.SetStatus(r.appointment("showed"), "showed") {
		t.Fatal("there is something missing in GHL")
	}
	report := r.compare(false)
	r.same("found", []string{"changed far away start, end", "changed moved start, end", "deleted deleted"}, found(report))
	r.settles()
	r.same("book", map[string]string{
		"moved": "Kick-off 09:00;", "far away": "Kick-off 10:00;", "deleted": "Kick-off 11:00;", "showed": "Kick-off 12:00;",
	}, r.book())
	if a := r.box.AppointmentsOf("showed")[0]; a.Status != "showed" {
		t.Errorf("what people set is gone: %s", a.Status)
	}
	r.same("afterwards", []string(nil), found(r.compare(false)))
}

// Orphans go through delivery, past the fuse.
func TestOrphans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, id := range []string{"a", "b", "c", "d"} {
		r.want(id, "Kick-off", 9+i)
	}
	r.settles()
	// A state that knows nothing of them, as an older backup does.
	r.forget("a", "b", "c")
	report := r.compare(false)
	r.same("found", []string{"orphan a", "orphan b", "orphan c"}, found(report))
	for i, d := range report.Orphans.Items {
		m, err := r.store.Get(t.Context(), state.OrphanID(d.AppointmentID))
		if err != nil {
			t.Fatal(err)
		}
		r.same("its urgency", day.Add(time.Duration(9+i)*time.Hour), m.StartsAt)
	}
	r.settles()
	r.same("book", map[string]string{"d": "Kick-off 12:00;"}, r.book())
	r.same("afterwards", []string(nil), found(r.compare(false)))

	r.fuse = 1
	r.want("e", "Kick-off", 13)
	r.settles()
	r.forget("d", "e")
	if report := r.compare(false); report.Held == 0 {
		t.Errorf("the fuse holds nothing: %+v", report)
	}
	r.settles()
	if n := len(r.box.Appointments()); n != 2 {
		t.Errorf("GHL has %d appointments, want the two that the fuse holds", n)
	}
}

// forget takes rows out of the state behind everybody's back: they become settled
// tombstones and are pruned.
func (r *rig) forget(ids ...string) {
	r.t.Helper()
	r.change(func(ctx context.Context, tx state.Tx) error {
		for _, id := range ids {
			rows, err := tx.Load(ctx, []state.EventID{state.EventID(id)})
			if err != nil {
				return err
			}
			m := rows[state.EventID(id)]
			m.Wanted, m.GHL, m.Payload, m.AppointmentID, m.UpdatedAt = state.Absent, state.GHLAbsent, nil, "", time.Unix(1, 0).UTC()
			if err := tx.Save(ctx, m); err != nil {
				return err
			}
		}
		_, err := tx.Prune(ctx, time.Unix(2, 0).UTC(), time.Unix(2, 0).UTC(), 100)
		return err
	})
}

// What the webhook made is found by contact and time, if that is asked for, and
// only where there is no doubt.
func TestAdoptByTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byWebhook(map[string]int{"same": 9, "edited": 10, "removed": 11})
	r.want("edited", "Edited", 14)
	r.gone("removed")
	r.settles()
	if n := len(r.box.Appointments()); n != 3 {
		t.Fatalf("%d appointments, want 3", n)
	}
	r.same("without being asked", []string{
		"unnamed edited no appointment has its marker", "unnamed removed no appointment has its marker", "unnamed same no appointment has its marker",
	}, found(r.compare(false)))
	r.same("by time", []string{"adopted edited contact and time", "adopted removed contact and time", "adopted same contact and time"}, found(r.compare(true)))
	r.settles()
	r.same("book", map[string]string{"same": "Kick-off 09:00;", "edited": "Edited 14:00;"}, r.book())
	r.same("afterwards", []string(nil), found(r.compare(true)))
}

func TestAdoptByTimeInDoubt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byWebhook(map[string]int{"one": 9, "two": 9, "moved": 12})
	at := day.Add(20 * time.Hour)
	if !r.box.Move(r.appointment("moved"), at, at.Add(time.Hour)) {
		t.Fatal("there is nothing to move")
	}
	r.same("two at one time, and one elsewhere", []string{
		"unnamed moved its contact has appointments at other times: one of them may be it",
		"unnamed one its contact has several appointments at that time", "unnamed two its contact has several appointments at that time",
	}, found(r.compare(true)))
	for _, a := range r.box.Appointments() {
		r.box.Remove(a.ID)
	}
	const none = " its contact has no appointment in these calendars"
	r.same("none at all", []string{"lost moved" + none, "lost one" + none, "lost two" + none}, found(r.compare(true)))
	r.settles()
	r.same("book", map[string]string{"one": "Kick-off 09:00;", "two": "Kick-off 09:00;", "moved": "Kick-off 12:00;"}, r.book())
}

// An event whose contact GHL does not know may have its appointment with another
// contact, such as one with a former e-mail: it is not made again.
func TestContactIsNotKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byWebhook(map[string]int{"a": 9})
	r.row("a", func(m *state.Mapping) {
		m.Payload = bytes.ReplaceAll(m.Payload, []byte("a@example.com"), []byte("new@example.com"))
	})
	r.box.SetAPI(sandbox.API{})
	r.same("found", []string{"unnamed a its contact is not known to GHL, or was not before its last edit"}, found(r.compare(true)))
}

// With an answer missing nothing is judged: half a list makes orphans of nobody.
func TestGHLDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want("a", "Kick-off", 9)
	r.settles()
	r.forget("a")
	if err := r.box.Set(sandbox.Faults{Rules: []sandbox.Rule{{Call: sandbox.CallListEvents, Status: 503}}}); err != nil {
		t.Fatal(err)
	}
	c := &calendars.Comparison{GHL: r.client, Store: r.store, Log: slog.New(slog.DiscardHandler), Changed: r.d.Wake, Now: time.Now}
	report, err := c.Run(t.Context(), calendars.Options{})
	if err == nil || !strings.Contains(err.Error(), "run it again") || len(found(report)) != 0 {
		t.Errorf("%v, %+v", err, report)
	}
	if n := len(r.box.Appointments()); n != 1 {
		t.Errorf("%d appointments are left", n)
	}
}

// An emptied book, or another location, does not have everything made again.
func TestTooManyDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fuse = 2
	for i, id := range []string{"a", "b", "c", "moved"} {
		r.want(id, "Kick-off", 9+i)
	}
	r.settles()
	at := day.Add(20 * time.Hour)
	if !r.box.Move(r.appointment("moved"), at, at.Add(time.Hour)) {
		t.Fatal("there is nothing to move")
	}
	for _, id := range []string{"a", "b", "c"} {
		r.box.Remove(r.appointment(id))
	}
	report := r.compare(false)
	r.same("found", []string{"changed moved start, end", "deleted a", "deleted b", "deleted c"}, found(report))
	if report.Withheld != 3 {
		t.Errorf("%d are withheld, want 3", report.Withheld)
	}
	r.settles()
	r.same("book", map[string]string{"moved": "Kick-off 12:00;"}, r.book())
	r.fuse = 3
	if report := r.compare(false); report.Withheld != 0 {
		t.Errorf("%d are withheld within the fuse", report.Withheld)
	}
	r.settles()
	if n := len(r.box.Appointments()); n != 4 {
		t.Errorf("GHL has %d appointments, want 4", n)
	}
}
