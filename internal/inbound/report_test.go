package inbound_test

import (
	"context"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/internal/inbound"
	"ghlsync/state"
)

var orphan = state.OrphanID("ghl_1")

// stories are the ways in which a report can come, each with what must come of it.
var stories = map[string]func(*rig){
	"after a create that was answered without an id": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.reports(inbound.Learned, "appointment_id", "ghl_1", "created_at", first)
		r.settles()
		if m := r.row(event); m.AppointmentID != "ghl_1" {
			r.t.Errorf("appointment %q", m.AppointmentID)
		}
	},
	"twice": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.reports(inbound.Learned, "appointment_id", "ghl_1")
		r.reports(inbound.Known, "appointment_id", "ghl_1")
	},
	"before the answer": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.reports(inbound.Learned, "appointment_id", "ghl_1", "created_at", first)
		r.ends(event, state.Result{Outcome: state.Delivered})
		r.settles()
		if m := r.row(event); m.AppointmentID != "ghl_1" {
			r.t.Errorf("appointment %q", m.AppointmentID)
		}
	},
	"after a create whose answer was lost": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.ends(event, state.Result{Outcome: state.Ambiguous, Code: "TIMEOUT", SettlesAt: r.now.Add(time.Hour)})
		r.reports(inbound.Learned, "appointment_id", "ghl_1", "created_at", first)
		r.settles()
	},
	"for an event that is not wanted any more": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.retracts()
		r.sends(state.Delete)
		r.settles()
		r.reports(inbound.Learned, "appointment_id", "ghl_1", "created_at", first)
		r.begins(event, state.Delete)
		if m := r.row(event); m.AppointmentID != "ghl_1" {
			r.t.Errorf("deletes %q", m.AppointmentID)
		}
		r.ends(event, state.Result{Outcome: state.Delivered})
		r.reports(inbound.Retired, "appointment_id", "ghl_1", "created_at", first)
		r.settles()
	},
	"for a former event of the same id": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.retracts()
		r.sends(state.Delete)
		r.wants(again, again)
		r.sends(state.Create)
		r.reports(inbound.Orphaned, "appointment_id", "ghl_1", "created_at", first)
		r.reports(inbound.Known, "appointment_id", "ghl_1", "created_at", first)
		r.reports(inbound.Learned, "appointment_id", "ghl_2", "created_at", again)
		r.settles()
		r.begins(orphan, state.Delete)
		r.ends(orphan, state.Result{Outcome: state.Delivered})
		if m := r.row(orphan); !m.Settled() || m.GHL != state.GHLAbsent {
			r.t.Errorf("%+v", m)
		}
		r.reports(inbound.Retired, "appointment_id", "ghl_1", "created_at", first)
		if m := r.row(event); m.AppointmentID != "ghl_2" {
			r.t.Errorf("the event has %q", m.AppointmentID)
		}
	},
	"for a former event of the same id, before the new one is sent": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.retracts()
		r.sends(state.Delete)
		r.wants(again, again)
		r.reports(inbound.Orphaned, "appointment_id", "ghl_1", "created_at", first)
		r.sends(state.Create)
	},
	"for a former event of the same id, whose appointment the new one took over": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.retracts()
		r.wants(again, again)
		r.sends(state.Update)
		r.reports(inbound.Learned, "appointment_id", "ghl_1", "created_at", first)
	},
	"for the event whose create is in flight, while another one is wanted already": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.retracts()
		r.sends(state.Delete)
		r.wants(again, again)
		r.begins(event, state.Create)
		r.retracts()
		r.wants("2024-01-18T09:00:00Z", again)
		r.reports(inbound.Learned, "appointment_id", "ghl_2", "created_at", again)
	},
	"for an event that was made after the last deletion, and passed its appointment on": func(r *rig) {
		const second, third = "2024-01-17T10:00:00Z", "2024-01-17T11:30:00Z"
		r.wants(first, first)
		r.sends(state.Create)
		r.retracts()
		r.sends(state.Delete)
		r.now = r.now.Add(2 * time.Hour)
		r.wants(second, second)
		r.sends(state.Create)
		r.retracts()
		r.wants(third, third)
		r.sends(state.Update)
		r.reports(inbound.Learned, "appointment_id", "ghl_2", "created_at", second)
	},
	"without the time of creation": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.retracts()
		r.sends(state.Delete)
		r.wants(again, again)
		r.sends(state.Create)
		r.reports(inbound.Learned, "appointment_id", "ghl_2")
	},
	"of a second appointment of a deleted event": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.ends(event, state.Result{Outcome: state.Delivered, AppointmentID: "ghl_2"})
		r.retracts()
		r.reports(inbound.Orphaned, "appointment_id", "ghl_1", "created_at", first)
		r.begins(orphan, state.Delete)
	},
	"of a second appointment of an event whose deletion is held": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.ends(event, state.Result{Outcome: state.Delivered, AppointmentID: "ghl_2"})
		r.retracts()
		r.change(func(ctx context.Context, tx state.Tx) error {
			m := r.row(event)
			m.Hold = state.Held
			return tx.Save(ctx, m)
		})
		r.reports(inbound.Differs, "appointment_id", "ghl_1", "created_at", first)
	},
	"of a second appointment of an event that is there": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.reports(inbound.Learned, "appointment_id", "ghl_2", "created_at", first)
		r.reports(inbound.Differs, "appointment_id", "ghl_1", "created_at", first)
		if m := r.row(event); m.AppointmentID != "ghl_2" {
			r.t.Errorf("the event has %q", m.AppointmentID)
		}
	},
	"of another event's appointment": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.change(func(ctx context.Context, tx state.Tx) error {
			return tx.Save(ctx, &state.Mapping{ID: "other", AppointmentID: "ghl_1", Wanted: state.Present, GHL: state.GHLPresent})
		})
		r.reports(inbound.Taken, "appointment_id", "ghl_1")
		if m := r.row(event); m.AppointmentID != "" {
			r.t.Errorf("the event has %q", m.AppointmentID)
		}
	},
	"of a deletion": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.retracts()
		r.sends(state.Delete)
		r.reports(inbound.Noted, "appointment_id", "ghl_1", "event_type", "calendar_event_deleted")
		r.settles()
	},
	"of an unknown event":    func(r *rig) { r.reports(inbound.UnknownEvent, "appointment_id", "ghl_1", "created_at", first) },
	"of an unknown failure":  func(r *rig) { r.reports(inbound.UnknownEvent, "success", false) },
	"without an appointment": func(r *rig) { r.wants(first, first); r.reports(inbound.Noted) },

	"of a failure": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.reports(inbound.Parked, "success", false, "error_code", "CONTACT_NOT_FOUND", "error", bait,
			"event_type", "calendar_event_created", "created_at", first, "updated_at", first)
		r.reports(inbound.Stale, "success", false, "error_code", "CONTACT_NOT_FOUND", "updated_at", first)
		if m := r.row(event); m.Parked != "CONTACT_NOT_FOUND" || m.Status() != state.Failed {
			r.t.Errorf("parked as %q", m.Parked)
		}
		r.retries()
		r.sends(state.Create)
		r.settles()
	},
	"of a failed update": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.ends(event, state.Result{Outcome: state.Delivered, AppointmentID: "ghl_1"})
		r.wants(first, again)
		r.sends(state.Update)
		r.reports(inbound.Parked, "success", false, "event_type", "calendar_event_updated", "updated_at", again)
		if m := r.row(event); m.Parked != ghl.CodeGHLError || m.AppointmentID != "ghl_1" {
			r.t.Errorf("parked as %q, appointment %q", m.Parked, m.AppointmentID)
		}
		r.retries()
		r.sends(state.Update)
	},
	"of a failure, before the answer": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.reports(inbound.Parked, "success", false, "error_code", "NO_SLOT", "updated_at", first)
		r.ends(event, state.Result{Outcome: state.Delivered})
		if m := r.row(event); m.Parked != "NO_SLOT" || m.SyncError != "NO_SLOT" {
			r.t.Errorf("parked as %q, error %q", m.Parked, m.SyncError)
		}
		r.retries()
		r.sends(state.Create)
	},
	"of a failure that is older than what is wanted": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.wants(first, again)
		r.reports(inbound.Stale, "success", false, "updated_at", first)
		r.sends(state.Update)
		r.reports(inbound.Stale, "success", false, "updated_at", first)
		r.settles()
	},
	"of a failure of what was not sent yet": func(r *rig) {
		r.wants(first, first)
		r.reports(inbound.Stale, "success", false, "updated_at", first)
	},
	"of a failure of what was in flight, while another state of the same second is wanted": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.merge(state.Change{Wanted: state.Present, EventType: "onboarding", Payload: payload(first, first), Hash: "other"})
		r.reports(inbound.Stale, "success", false, "updated_at", first)
	},
	"of a failed deletion of what was never sent": func(r *rig) {
		r.wants(first, first)
		r.retracts()
		r.reports(inbound.Stale, "success", false, "event_type", "calendar_event_deleted")
		r.settles()
	},
	"of a failure that does not say of what": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.reports(inbound.Stale, "success", false, "error_code", "NO_SLOT")
		r.reports(inbound.Stale, "success", false, "error_code", "NO_SLOT", "updated_at", first, "created_at", again)
		r.settles()
	},
	"of a failed deletion": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.ends(event, state.Result{Outcome: state.Delivered, AppointmentID: "ghl_1"})
		r.retracts()
		r.reports(inbound.Stale, "success", false, "updated_at", first)
		r.sends(state.Delete)
		r.reports(inbound.Noted, "success", false, "error_code", ghl.CodeAppointmentNotFound, "event_type", "calendar_event_deleted")
		r.reports(inbound.Parked, "success", false, "error_code", "NO_RIGHT", "event_type", "calendar_event_deleted", "appointment_id", "ghl_1")
		r.retries()
		r.begins(event, state.Delete)
		if m := r.row(event); m.AppointmentID != "ghl_1" {
			r.t.Errorf("deletes %q", m.AppointmentID)
		}
		r.ends(event, state.Result{Outcome: state.Delivered})
		r.settles()
	},
	"of a failed deletion of an event that is back": func(r *rig) {
		r.wants(first, first)
		r.sends(state.Create)
		r.retracts()
		r.sends(state.Delete)
		r.wants(again, again)
		r.sends(state.Create)
		r.reports(inbound.Stale, "success", false, "event_type", "calendar_event_deleted", "updated_at", again)
		r.settles()
	},
	"that there is nothing to update": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.ends(event, state.Result{Outcome: state.Delivered, AppointmentID: "ghl_1"})
		r.wants(first, again)
		r.sends(state.Update)
		r.reports(inbound.Gone, "success", false, "error_code", ghl.CodeAppointmentNotFound, "event_type", "calendar_event_updated", "updated_at", again)
		r.sends(state.Create)
		r.reports(inbound.Retired, "appointment_id", "ghl_1")
		r.settles()
	},
}

func TestReports(t *testing.T) {
	t.Parallel()
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(newRig(t))
		})
	}
}

// retries is what an operator does.
func (r *rig) retries() {
	r.t.Helper()
	r.change(func(ctx context.Context, tx state.Tx) error {
		m := r.row(event)
		if !m.Retry(r.now) {
			r.t.Fatal("there is nothing to retry")
		}
		return tx.Save(ctx, m)
	})
}

// A flood of orphans, as a workflow that reports nonsense would make, stops at the
// fuse like any other.
func TestFuseHoldsOrphans(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(o *inbound.Options) { o.Fuse = 1 })
	r.wants(first, first)
	r.sends(state.Create)
	r.retracts()
	r.sends(state.Delete)
	r.now = r.now.Add(time.Hour)
	r.wants(again, again)
	r.reports(inbound.Orphaned, "appointment_id", "ghl_1", "created_at", first)
	if m := r.row(orphan); m.Hold != state.NotHeld {
		t.Fatalf("the first is %s", m.Hold)
	}
	r.reports(inbound.Orphaned, "appointment_id", "ghl_2", "created_at", first)
	for _, id := range []state.EventID{orphan, state.OrphanID("ghl_2")} {
		if m := r.row(id); m.Hold != state.Held || !m.NextAttempt.IsZero() {
			t.Errorf("%s is not held", id)
		}
	}
}
