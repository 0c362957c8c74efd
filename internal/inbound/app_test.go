package inbound_test

import (
	"testing"
	"time"

	"ghlsync/ghl/callback"
	"ghlsync/internal/inbound"
	"ghlsync/state"
)

// synced has the event in GHL as ghl_1, and lets time pass.
func (r *rig) synced() {
	r.t.Helper()
	r.wants(first, first)
	r.begins(event, state.Create)
	r.ends(event, state.Result{Outcome: state.Delivered, AppointmentID: "ghl_1"})
	r.now = r.now.Add(time.Hour)
}

var drifts = map[string]func(*rig){
	"changed": func(r *rig) {
		r.synced()
		r.tells(inbound.Drifted, callback.Updated, "ghl_1")
		r.tells(inbound.Known, callback.Updated, "ghl_1")
		r.settles()
		if m := r.row(event); m.Drift != state.DriftChanged || !m.DriftAt.Equal(r.now) {
			r.t.Errorf("drift %q at %s", m.Drift, m.DriftAt)
		}
		r.tells(inbound.Drifted, callback.Deleted, "ghl_1")
		r.tells(inbound.Known, callback.Updated, "ghl_1")
		if m := r.row(event); m.Drift != state.DriftDeleted || m.AppointmentID != "ghl_1" {
			r.t.Errorf("drift %q, appointment %q", m.Drift, m.AppointmentID)
		}
		r.wants(first, again)
		r.sends(state.Update)
		if m := r.row(event); m.Drift != state.NoDrift || !m.DriftAt.IsZero() {
			r.t.Errorf("drift %q is over", m.Drift)
		}
	},
	"by ourselves": func(r *rig) {
		r.wants(first, first)
		r.begins(event, state.Create)
		r.ends(event, state.Result{Outcome: state.Delivered, AppointmentID: "ghl_1"})
		r.tells(inbound.Known, callback.Updated, "ghl_1")
		r.now = r.now.Add(time.Hour)
		r.wants(first, again)
		r.tells(inbound.Known, callback.Updated, "ghl_1")
		r.begins(event, state.Update)
		r.now = r.now.Add(time.Hour)
		r.tells(inbound.Known, callback.Updated, "ghl_1")
		r.ends(event, state.Result{Outcome: state.Delivered})
		r.retracts()
		r.tells(inbound.Known, callback.Deleted, "ghl_1")
		r.sends(state.Delete)
		r.tells(inbound.Retired, callback.Deleted, "ghl_1")
	},
	"of nobody's appointment": func(r *rig) {
		r.synced()
		r.tells(inbound.UnknownEvent, callback.Updated, "ghl_2")
		r.tells(inbound.Ignored, "AppointmentCreate", "ghl_1")
		r.tells(inbound.Ignored, callback.Updated, "")
	},
}

func TestDrift(t *testing.T) {
	t.Parallel()
	for name, story := range drifts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(newRig(t))
		})
	}
}

func restoring(o *inbound.Options) { o.Restore = true }

func TestDriftIsMended(t *testing.T) {
	t.Parallel()
	r := newRig(t, restoring)
	r.synced()
	r.tells(inbound.Restored, callback.Updated, "ghl_1")
	r.sends(state.Update)
	r.settles()
	r.now = r.now.Add(time.Hour)
	r.tells(inbound.Restored, callback.Deleted, "ghl_1")
	r.tells(inbound.Retired, callback.Deleted, "ghl_1") // a replay makes no second one
	r.sends(state.Create)
	r.settles()
	if m := r.row(event); m.AppointmentID != "" || m.Drift != state.NoDrift {
		t.Errorf("appointment %q, drift %q", m.AppointmentID, m.Drift)
	}
}

// While a call is open its end comes first.
func TestDriftWaitsForTheCall(t *testing.T) {
	t.Parallel()
	r := newRig(t, restoring)
	r.synced()
	r.wants(first, again)
	r.begins(event, state.Update)
	r.tells(inbound.Drifted, callback.Deleted, "ghl_1")
	if m := r.row(event); m.Call == nil || m.AppointmentID != "ghl_1" {
		t.Errorf("%+v", m)
	}
	r.ends(event, state.Result{Outcome: state.NotFound, Code: "APPOINTMENT_NOT_FOUND"})
	r.sends(state.Create)
	r.settles()
}
