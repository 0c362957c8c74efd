package deliver_test

import (
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/state"
)

// An orphan that a look-up has found for its event is deleted no more.
func TestOrphanThatIsFoundAgain(t *testing.T) {
	t.Parallel()
	r, s := orphanRig(t)
	r.edit(nil, func(rows map[state.EventID]*state.Mapping, now time.Time) {
		m := state.NewOrphan("ghl-2", &state.Mapping{}, now)
		m.Hold, m.NextAttempt = state.Held, time.Time{}
		rows[m.ID] = m
	})
	r.start()
	r.change(r.present("a", "t"))
	r.awaitSettled("a")
	if m := r.row("a"); m.AppointmentID != "ghl-2" {
		t.Errorf("the event has the appointment %q", m.AppointmentID)
	}
	orphan := string(state.OrphanID("ghl-2"))
	r.edit([]state.EventID{state.EventID(orphan)}, func(rows map[state.EventID]*state.Mapping, now time.Time) {
		rows[state.EventID(orphan)].Release(now)
	})
	if m := r.row(orphan); !m.Settled() || m.AppointmentID != "" {
		t.Errorf("its deletion is due: %+v", m)
	}
	if got := s.order(); len(got) != 1 {
		t.Errorf("calls for %v, want one", got)
	}
}

// While its deletion is open nobody knows whether it is there: the event looks again.
func TestOrphanThatMayBeGone(t *testing.T) {
	t.Parallel()
	r, _ := orphanRig(t)
	r.edit(nil, func(rows map[state.EventID]*state.Mapping, now time.Time) {
		m := state.NewOrphan("ghl-2", &state.Mapping{}, now)
		m.Call = &state.Call{Operation: state.Delete, State: state.Unknown, DeliveryID: "d", Revision: 1, StartedAt: now, SettlesAt: now.Add(time.Hour)}
		m.NextAttempt = now.Add(time.Hour)
		rows[m.ID] = m
	})
	r.start()
	r.change(r.present("a", "t"))
	r.await("the call has ended", func() bool { return !r.row("a").LastAttempt.IsZero() && r.row("a").LeaseUntil.IsZero() })
	if m := r.row("a"); m.Settled() || m.Call == nil || m.Call.State != state.Unknown {
		t.Errorf("GHL is taken to have it: %+v", m)
	}
}

// orphanRig has a client that finds ghl-2 for whatever it is asked to create.
func orphanRig(t *testing.T) (*rig, *script) {
	t.Helper()
	s := &script{answer: func(int, ghl.Request) ghl.Result {
		return ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200, AppointmentID: "ghl-2"}
	}}
	return newRig(t, s.into, func(r *rig) { r.o.LooksUp, r.o.Settle = true, time.Hour }), s
}
