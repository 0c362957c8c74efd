package state_test

import (
	"testing"
	"time"

	"ghlsync/state"
)

// known expects where the appointment is to be looked up.
func (r *rig) known(want string) {
	r.Helper()
	if got := string(r.m.Known); got != want {
		r.Fatalf("known is %q, want %q", got, want)
	}
}

// withoutID brings the event into GHL by a receiver that names no id.
func (r *rig) withoutID(content string) {
	r.Helper()
	r.upsert(content)
	r.begins(state.Create)
	r.delivered("")
	r.settles()
	r.known("")
}

// known is where an appointment without an id can be looked up, in each of its
// stories.
var knownCases = map[string]func(r *rig){
	"an edit remembers what GHL has, until GHL has the edit": func(r *rig) {
		r.withoutID("a")
		r.upsert("b")
		r.known("a")
		r.upsert("c") // of b GHL knows nothing
		r.known("a")
		r.begins(state.Update)
		r.known("a")
		r.delivered("")
		r.known("")
	},
	"an edit during the call remembers what the call carried": func(r *rig) {
		r.withoutID("a")
		r.upsert("b")
		body := string(r.begins(state.Update).Body)
		r.upsert("c")
		r.delivered("")
		r.known(body)
		r.begins(state.Update)
		r.delivered("ghl_1")
		r.known("")
	},
	"an assumed row": func(r *rig) {
		r.assume("a")
		r.known("")
		r.retract()
		r.known("a")
		r.begins(state.Delete)
		r.delivered("")
		r.settles()
		r.known("")
	},
	"a row with an id needs none": func(r *rig) {
		r.synced("a")
		r.upsert("b")
		r.known("")
	},
	"an id that is learnt ends it": func(r *rig) {
		r.withoutID("a")
		r.upsert("b")
		r.m.Learn(r.now, "ghl_1")
		r.known("")
	},
	"an id that the row names ends it": func(r *rig) {
		r.withoutID("a")
		in := present("b")
		in.AppointmentID = "ghl_1"
		r.merge(in)
		r.known("")
	},
	"a delete that overtakes a create remembers its body": func(r *rig) {
		r.upsert("a")
		body := string(r.begins(state.Create).Body)
		r.lost()
		r.retract()
		r.begins(state.Delete)
		r.known(body)
		r.delivered("") // too early to be sure
		r.known(body)
		r.pass(settle)
		r.begins(state.Delete)
		r.known(body)
		r.ends(state.Result{Outcome: state.NotFound})
		r.settles()
		r.known("")
	},
	"an update of what is not there forgets it": func(r *rig) {
		r.withoutID("a")
		r.upsert("b")
		r.begins(state.Update)
		r.ends(state.Result{Outcome: state.NotFound})
		r.known("")
		r.begins(state.Create)
	},
	"a row that is not in GHL after all": func(r *rig) {
		r.assume("a")
		r.m.Backfill(r.now)
		r.known("")
	},
}

func TestKnown(t *testing.T) {
	t.Parallel()
	for name, story := range knownCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(testRig(t))
		})
	}
}

// The start of an event is kept by whatever does not tell another one.
func TestStartsAt(t *testing.T) {
	t.Parallel()
	r := testRig(t)
	in := present("a")
	in.StartsAt = begin.Add(time.Hour)
	r.merge(in)
	r.retract()
	if !r.m.StartsAt.Equal(begin.Add(time.Hour)) {
		t.Fatalf("a retraction left the start at %s", r.m.StartsAt)
	}
	in = present("b")
	in.StartsAt = begin.Add(2 * time.Hour)
	r.merge(in)
	if !r.m.StartsAt.Equal(begin.Add(2 * time.Hour)) {
		t.Fatalf("an edit left the start at %s", r.m.StartsAt)
	}
}
