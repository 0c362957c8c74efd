package state_test

import (
	"errors"
	"testing"
	"time"

	"ghlsync/state"
)

// cases are the stories that must come out right, one event each.
var cases = map[string]func(r *rig){
	"create, update, delete": func(r *rig) {
		r.synced("a")
		r.upsert("b")
		r.pass(time.Minute)
		r.begins(state.Update)
		if r.m.LastAttempt != r.now {
			r.Fatalf("the last attempt was at %s, it is %s", r.m.LastAttempt, r.now)
		}
		r.delivered("")
		if r.m.GHLAt != r.now || r.m.UpdatedAt != r.now {
			r.Fatalf("known at %s, updated at %s, it is %s", r.m.GHLAt, r.m.UpdatedAt, r.now)
		}
		if r.m.AppointmentID != "ghl_1" {
			r.Fatalf("an answer without an id left %q", r.m.AppointmentID)
		}
		r.retract()
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
		if len(r.retired) != 1 || r.retired[0] != "ghl_1" || r.m.AppointmentID != "" {
			r.Fatalf("retired %q, left %q", r.retired, r.m.AppointmentID)
		}
	},
	"a backfilled row is created, once": func(r *rig) {
		r.assume("a")
		if !r.m.Backfill(r.now) || r.m.Backfill(r.now) || (r.m.Class() != state.Class{Status: state.Pending}) {
			r.Fatalf("counts as %+v, or was backfilled twice", r.m.Class())
		}
		r.begins(state.Create)
		r.delivered("ghl_1")
		if r.settles(); r.m.Backfill(r.now) {
			r.Fatalf("what GHL is known to have was backfilled")
		}
	},
	"a backfilled row whose appointment is known is updated": func(r *rig) {
		r.assume("a")
		r.m.Learn(r.now, "ghl_1")
		r.m.Backfill(r.now)
		r.begins(state.Update)
	},
	"a backfilled row that cannot be translated is parked": func(r *rig) {
		in := snapshot(untranslatable("date_infinite"))
		in.Assume = true
		r.merge(in)
		r.m.Backfill(r.now)
		if r.rests(state.Failed); r.m.Parked != "date_infinite" || r.m.SyncError != "date_infinite" {
			r.Fatalf("parked as %q, error %q", r.m.Parked, r.m.SyncError)
		}
	},
	"edits coalesce": func(r *rig) {
		for _, c := range []string{"a", "b", "c"} {
			r.upsert(c)
		}
		if call := r.begins(state.Create); string(call.Body) != "create c " {
			r.Fatalf("body is %q", call.Body)
		}
		r.delivered("")
		r.settles()
	},
	"a create and a delete that were never sent make no call": func(r *rig) {
		r.upsert("a")
		r.retract()
		r.settles()
		if r.m.Retracted || (r.m.Class() != state.Class{}) {
			r.Fatalf("counts as %+v, for the fuse %v", r.m.Class(), r.m.Retracted)
		}
	},
	"a create that was refused and a delete make no call": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.refused(false)
		r.retract()
		r.settles()
	},
	"deleted while its create is of unknown outcome: overtaken at once, and once more": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		settles := r.m.Call.SettlesAt
		r.pass(time.Second)
		r.retract()
		r.begins(state.Delete)
		r.delivered("")
		if r.m.Settled() || r.m.GHL != state.GHLUnknown {
			r.Fatalf("settled before the create is")
		}
		r.waits(settles.Sub(r.now))
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
	},
	"deleted while its create is in flight, and that is lost": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.retract()
		r.lost()
		r.begins(state.Delete)
		r.delivered("")
		r.waits(r.m.UnsettledUntil.Sub(r.now))
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
	},
	"an overtaking delete of unknown outcome goes anew, not again, once all is settled": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		r.retract()
		r.begins(state.Delete)
		r.lost()
		r.waits(r.m.Call.SettlesAt.Sub(r.now))
		if call := r.begins(state.Delete); call.DeliveryID != "delivery-3" {
			r.Fatalf("a receiver takes %s for done", call.DeliveryID)
		}
		r.delivered("")
		r.settles()
	},
	"re-inserted after an overtaking delete: deleted once more, then created": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		r.retract()
		r.begins(state.Delete)
		r.delivered("")
		r.upsert("b")
		r.waits(r.m.UnsettledUntil.Sub(r.now))
		r.begins(state.Delete)
		r.delivered("")
		r.begins(state.Create)
		r.delivered("ghl_2")
		r.settles()
	},
	"deleted and re-inserted before the delete went out: an update": func(r *rig) {
		r.synced("a")
		r.retract()
		r.upsert("b")
		r.begins(state.Update)
		r.delivered("")
		r.settles()
	},
	"deleted and re-inserted as it was before the delete went out: nothing": func(r *rig) {
		r.synced("a")
		r.retract()
		r.upsert("a")
		r.settles()
	},
	"re-inserted while the delete is in flight: a create": func(r *rig) {
		r.synced("a")
		r.retract()
		r.begins(state.Delete)
		r.upsert("a")
		r.delivered("")
		r.begins(state.Create)
		r.delivered("ghl_2")
		r.settles()
	},
	"deleted and re-inserted after the delete went out: a create": func(r *rig) {
		r.synced("a")
		r.retract()
		r.begins(state.Delete)
		r.delivered("")
		r.upsert("a")
		r.begins(state.Create)
		r.delivered("ghl_2")
		r.settles()
	},
	"re-inserted while the delete is of unknown outcome: that is resolved first": func(r *rig) {
		r.synced("a")
		r.retract()
		r.begins(state.Delete)
		r.lost()
		r.upsert("b")
		r.waits(r.m.Call.SettlesAt.Sub(r.now))
		r.begins(state.Delete)
		r.repeated(1, 2)
		r.delivered("")
		r.begins(state.Create)
		r.delivered("ghl_2")
		r.settles()
	},
	"re-inserted as it was after a delete that may have been acted on: resolved first": func(r *rig) {
		r.synced("a")
		r.retract()
		r.begins(state.Delete)
		r.refused(true)
		r.upsert("a")
		r.waits(r.m.NextAttempt.Sub(r.now))
		r.begins(state.Delete)
		r.repeated(1, 2)
		r.delivered("")
		r.begins(state.Create)
		r.delivered("ghl_2")
		r.settles()
	},
	"out of scope and back while a call is in flight": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.retract()
		r.upsert("a")
		r.delivered("ghl_1")
		r.settles()
	},
	"out of scope while its update is in flight": func(r *rig) {
		r.synced("a")
		r.upsert("b")
		r.begins(state.Update)
		r.retract()
		r.delivered("")
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
	},
	"a call that ends late marks only what it carried": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.upsert("b")
		r.delivered("ghl_1")
		if r.m.Status() != state.Pending || r.m.GHLHash != hashOf("a") {
			r.Fatalf("status %s, GHL has %q", r.m.Status(), r.m.GHLHash)
		}
		r.begins(state.Update)
		r.delivered("")
		r.settles()
	},
	"a create of unknown outcome is repeated byte for byte, then the newer state goes": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		r.upsert("b")
		r.waits(r.m.Call.SettlesAt.Sub(r.now))
		r.begins(state.Create)
		r.repeated(0, 1)
		r.delivered("ghl_1")
		call := r.begins(state.Update)
		if call.DeliveryID == "delivery-1" {
			r.Fatalf("the newer state has the old delivery id")
		}
		r.delivered("")
		r.settles()
	},
	"a create that may have been acted on is repeated before an edit goes": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.refused(true)
		r.upsert("b")
		r.pass(time.Second)
		r.begins(state.Create)
		r.repeated(0, 1)
		r.delivered("ghl_1")
		r.begins(state.Update)
		r.delivered("")
		r.settles()
	},
	"edited while a create is in flight that may have been acted on": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.upsert("b")
		r.refused(true)
		r.waits(r.m.NextAttempt.Sub(r.now))
		r.begins(state.Create)
		r.repeated(0, 1)
		r.delivered("ghl_1")
		r.begins(state.Update)
		r.delivered("")
		r.settles()
	},
	"a refused repetition does not clear the doubt about the first try": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		r.pass(settle)
		r.begins(state.Create)
		r.refused(false)
		if r.m.GHL != state.GHLUnknown {
			r.Fatalf("GHL has it: %s", r.m.GHL)
		}
		r.retract()
		r.pass(time.Second)
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
	},
	"an update of unknown outcome is resolved before the row counts as it was": func(r *rig) {
		r.synced("a")
		r.upsert("b")
		r.begins(state.Update)
		r.lost()
		r.upsert("a")
		r.pass(settle)
		r.begins(state.Update)
		r.refused(false)
		r.pass(time.Second)
		r.begins(state.Update)
		r.repeated(1, 3)
		r.delivered("")
		r.begins(state.Update)
		r.delivered("")
		r.settles()
	},
	"an update that may have been acted on before GHL would not take it": func(r *rig) {
		r.synced("a")
		r.upsert("b")
		r.begins(state.Update)
		r.lost()
		r.pass(settle)
		r.begins(state.Update)
		r.impossible()
		r.upsert("a")
		r.begins(state.Update)
		r.delivered("")
		r.settles()
	},
	"an appointment that is gone is created again": func(r *rig) {
		r.synced("a")
		r.upsert("b")
		r.begins(state.Update)
		r.ends(state.Result{Outcome: state.NotFound, Code: "APPOINTMENT_NOT_FOUND"})
		if len(r.retired) != 1 || r.retired[0] != "ghl_1" {
			r.Fatalf("retired %q", r.retired)
		}
		r.begins(state.Create)
		r.delivered("ghl_2")
		r.settles()
		if r.m.SyncError != "" {
			r.Fatalf("sync_error is %q", r.m.SyncError)
		}
	},
	"a delete of what is gone is done": func(r *rig) {
		r.synced("a")
		r.retract()
		r.begins(state.Delete)
		r.ends(state.Result{Outcome: state.NotFound, Code: "APPOINTMENT_NOT_FOUND"})
		r.settles()
		if r.m.SyncError != "" {
			r.Fatalf("sync_error is %q", r.m.SyncError)
		}
	},
	"a held retraction whose row comes back: the hold falls": func(r *rig) {
		r.synced("a")
		r.retract()
		r.hold()
		r.rests(state.Pending)
		if err := r.m.Begin(r.now, r.caller()); !errors.Is(err, state.ErrNothingDue) {
			r.Fatalf("a held retraction begins: %v", err)
		}
		r.upsert("b")
		r.begins(state.Update)
		r.delivered("")
		r.settles()
		r.retract()
		r.begins(state.Delete)
	},
	"a held retraction is released": func(r *rig) {
		r.synced("a")
		r.retract()
		r.hold()
		if !r.m.Release(r.now) || r.m.Release(r.now) {
			r.Fatalf("release is for held ones")
		}
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
	},
	"a held retraction is dropped: the appointment stays, also through a later snapshot": func(r *rig) {
		r.synced("a")
		r.retract()
		r.hold()
		if !r.m.Drop(r.now) {
			r.Fatalf("not dropped")
		}
		r.rests(state.Synced)
		r.merge(state.Change{Source: state.Snapshot, Wanted: state.Absent})
		r.rests(state.Synced)
		if r.m.Hold != state.Kept || r.m.AppointmentID != "ghl_1" {
			r.Fatalf("hold %q, appointment %q", r.m.Hold, r.m.AppointmentID)
		}
		r.upsert("b")
		r.begins(state.Update)
	},
	"the fuse does not hold a delete that is in flight, nor what an operator decided": func(r *rig) {
		r.synced("a")
		r.retract()
		r.begins(state.Delete)
		r.holds(false)
		r.refused(false)
		r.holds(true)
		r.m.Release(r.now)
		r.holds(false)
		r.upsert("b")
		r.retract()
		r.hold()
		r.m.Drop(r.now)
		r.holds(false)
	},
	"a retraction held while a call is in flight": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.retract()
		r.hold()
		r.delivered("ghl_1")
		r.rests(state.Pending)
		r.m.Release(r.now)
		r.begins(state.Delete)
	},
	"a callback before the answer of its create": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.learns("ghl_1", true)
		r.delivered("")
		r.settles()
		if r.m.AppointmentID != "ghl_1" {
			r.Fatalf("appointment is %q", r.m.AppointmentID)
		}
	},
	"a callback before the answer, which is lost, resolves the create": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.learns("ghl_1", true)
		r.lost()
		r.settles()
		r.upsert("b")
		r.begins(state.Update)
	},
	"a callback before the answer, which is that it may have been acted on": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.learns("ghl_1", true)
		r.refused(true)
		r.settles()
	},
	"a callback before a crash": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.learns("ghl_1", true)
		r.m.Abandon(r.now, settle)
		r.settles()
	},
	"a callback instead of the answer resolves the create": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		r.learns("ghl_1", true)
		r.settles()
		r.learns("ghl_1", false)
		r.learns("ghl_9", false)
	},
	"a callback for a create that was given up": func(r *rig) {
		r.upsert("a")
		for range state.MaxCreateTries {
			r.begins(state.Create)
			r.lost()
			r.pass(settle)
		}
		r.rests(state.Failed)
		r.learns("ghl_1", true)
		r.settles()
	},
	"a callback for an event wanted absent: its delete is due, with that id": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		r.retract()
		r.begins(state.Delete)
		r.delivered("")
		r.pass(time.Second)
		r.learns("ghl_1", true)
		settles := r.m.UnsettledUntil
		if call := r.begins(state.Delete); string(call.Body) != "delete  ghl_1" {
			r.Fatalf("body is %q", call.Body)
		}
		r.delivered("")
		r.waits(settles.Sub(r.now))
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
	},
	"a callback while the delete is in flight: it may have come too early": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		r.retract()
		r.begins(state.Delete)
		r.pass(time.Second)
		r.learns("ghl_1", true)
		r.delivered("")
		r.waits(r.m.UnsettledUntil.Sub(r.now))
		if call := r.begins(state.Delete); string(call.Body) != "delete  ghl_1" {
			r.Fatalf("body is %q", call.Body)
		}
		r.delivered("")
		r.settles()
	},
	"a callback at the moment a delete leaves: it may have come too early, too": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.delivered("")
		r.retract()
		r.begins(state.Delete)
		r.learns("ghl_1", true)
		r.delivered("")
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
	},
	"a callback does not end the doubt about an update that a delete overtook": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.delivered("")
		r.upsert("b")
		r.begins(state.Update)
		r.lost()
		settles := r.m.Call.SettlesAt
		r.retract()
		r.begins(state.Delete)
		r.learns("ghl_1", true)
		r.delivered("")
		r.upsert("c")
		r.waits(settles.Sub(r.now))
		r.begins(state.Delete)
		r.delivered("")
		r.begins(state.Create)
		r.delivered("ghl_2")
		r.settles()
	},
	"a callback while a delete was refused: the next one names the appointment": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.delivered("")
		r.retract()
		r.begins(state.Delete)
		r.refused(false)
		r.learns("ghl_1", true)
		if call := r.begins(state.Delete); string(call.Body) != "delete  ghl_1" {
			r.Fatalf("body is %q", call.Body)
		}
	},
	"a callback for a settled tombstone": func(r *rig) {
		r.upsert("a")
		r.retract()
		r.learns("ghl_1", true)
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
	},
	"a parked event that changes again is tried again": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.impossible()
		r.rests(state.Failed)
		if err := r.m.Begin(r.now, r.caller()); !errors.Is(err, state.ErrNothingDue) {
			r.Fatalf("a parked event begins: %v", err)
		}
		if r.upsert("a"); r.m.Status() != state.Failed {
			r.Fatalf("the same content is tried again")
		}
		r.upsert("b")
		if r.m.SyncError != "" {
			r.Fatalf("sync_error is still %q", r.m.SyncError)
		}
		r.begins(state.Create)
		r.delivered("ghl_1")
		r.settles()
	},
	"a parked event that is retracted was never in GHL": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.impossible()
		r.retract()
		r.settles()
	},
	"a parked event that somebody retries": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.impossible()
		r.pass(time.Minute)
		if !r.m.Retry(r.now) || r.m.Retry(r.now) {
			r.Fatalf("retry is for parked ones")
		}
		if r.m.Attempts != 0 || r.m.UpdatedAt != r.now {
			r.Fatalf("%d attempts, updated at %s, it is %s", r.m.Attempts, r.m.UpdatedAt, r.now)
		}
		r.begins(state.Create)
		r.delivered("ghl_1")
		r.settles()
	},
	"an impossible call for what is not wanted any more parks nothing": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.upsert("b")
		r.impossible()
		r.begins(state.Create)
	},
	"what GHL refuses without a code is parked all the same": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.ends(state.Result{Outcome: state.NotFound})
		r.rests(state.Failed)
		if r.m.Parked != state.CodeRejected {
			r.Fatalf("parked as %q", r.m.Parked)
		}
	},
	"a create is repeated five times, then given up, then retried under the same id": func(r *rig) {
		r.upsert("a")
		for range state.MaxCreateTries {
			r.begins(state.Create)
			r.lost()
			r.pass(settle)
		}
		r.rests(state.Failed)
		if r.m.Parked != state.CodeOutcomeUnknown || r.m.SyncError != state.CodeOutcomeUnknown {
			r.Fatalf("parked as %q", r.m.Parked)
		}
		r.m.Retry(r.now)
		for i := range state.MaxCreateTries - 1 {
			r.begins(state.Create)
			r.repeated(0, state.MaxCreateTries+i)
			r.lost()
			r.waits(r.m.NextAttempt.Sub(r.now))
		}
		r.begins(state.Create)
		r.delivered("ghl_1")
		r.settles()
	},
	"only creates are given up": func(r *rig) {
		r.synced("a")
		for _, want := range []state.Operation{state.Update, state.Delete} {
			if want == state.Update {
				r.upsert("b")
			} else {
				r.retract()
			}
			for range 3 * state.MaxCreateTries {
				r.begins(want)
				r.lost()
				r.waits(settle - time.Millisecond)
			}
			r.begins(want)
			r.delivered("")
			r.settles()
		}
	},
	"deleted while the last try of its create is in flight, and that is lost: not given up": func(r *rig) {
		r.upsert("a")
		for range state.MaxCreateTries - 1 {
			r.begins(state.Create)
			r.lost()
			r.pass(settle)
		}
		r.begins(state.Create)
		r.retract()
		r.lost()
		r.begins(state.Delete)
	},
	"refusals do not use up the repetitions of a create": func(r *rig) {
		r.upsert("a")
		for range 3 * state.MaxCreateTries {
			r.begins(state.Create)
			r.refused(false)
			r.pass(time.Second)
		}
		r.begins(state.Create)
		r.lost()
		r.waits(settle - time.Millisecond)
	},
	"a refused call is repeated under its id": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.refused(false)
		r.waits(time.Second - time.Millisecond)
		r.begins(state.Create)
		r.repeated(0, 1)
		if r.m.Attempts != 2 {
			r.Fatalf("%d attempts", r.m.Attempts)
		}
	},
	"a refused call gives way to an edit": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.refused(false)
		r.upsert("b")
		if call := r.begins(state.Create); call.DeliveryID == "delivery-1" || string(call.Body) != "create b " {
			r.Fatalf("call is %s: %q", call.DeliveryID, call.Body)
		}
	},
	"a pause does not count as an attempt": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.ends(state.Result{Outcome: state.Suspended, Code: "WORKFLOW_INACTIVE"})
		if r.m.Attempts != 0 || r.m.GHL != state.GHLAbsent {
			r.Fatalf("%d attempts, GHL %s", r.m.Attempts, r.m.GHL)
		}
		r.begins(state.Create)
		r.upsert("b")
		r.ends(state.Result{Outcome: state.Suspended, Code: "WORKFLOW_INACTIVE"})
		if r.m.Attempts != 0 {
			r.Fatalf("%d attempts", r.m.Attempts)
		}
	},
	"a crash leaves the outcome unknown": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.pass(time.Hour)
		r.m.Abandon(r.now, settle)
		if r.m.SyncError != state.CodeInterrupted {
			r.Fatalf("sync_error is %q", r.m.SyncError)
		}
		r.waits(settle)
		r.begins(state.Create)
		r.repeated(0, 1)
		r.delivered("ghl_1")
		r.settles()
	},
	"an unknown call does not begin before it is settled": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		if err := r.m.Begin(r.now, r.caller()); !errors.Is(err, state.ErrNothingDue) {
			r.Fatalf("begins at once: %v", err)
		}
	},
	"a row that cannot be translated while a call is in flight keeps its reason": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.merge(untranslatable("client_missing"))
		r.delivered("ghl_1")
		r.rests(state.Failed)
		if r.m.SyncError != "client_missing" {
			r.Fatalf("sync_error is %q", r.m.SyncError)
		}
		if r.m.Retry(r.now) {
			r.Fatalf("there is nothing to send")
		}
		r.upsert("a")
		r.settles()
	},
	"a row that cannot be translated while the last try of its create is in flight keeps its reason": func(r *rig) {
		r.upsert("a")
		for range state.MaxCreateTries - 1 {
			r.begins(state.Create)
			r.lost()
			r.pass(settle)
		}
		r.begins(state.Create)
		r.merge(untranslatable("client_missing"))
		r.lost()
		r.rests(state.Failed)
		if r.m.Parked != "client_missing" || r.m.SyncError != "client_missing" {
			r.Fatalf("parked as %q, error %q", r.m.Parked, r.m.SyncError)
		}
	},
}

func TestCases(t *testing.T) {
	t.Parallel()
	for name, story := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(testRig(t))
		})
	}
}

func (r *rig) learns(id string, news bool) {
	r.Helper()
	if got := r.m.Learn(r.now, id); got != news {
		r.Fatalf("learning %s is news: %v, want %v", id, got, news)
	}
}

// hold is what the fuse does.
func (r *rig) hold() {
	r.Helper()
	r.holds(true)
}

func (r *rig) holds(want bool) {
	r.Helper()
	if got := state.HoldRetraction(r.m, r.now); got != want {
		r.Fatalf("the fuse holds the row: %v, want %v", got, want)
	}
}
