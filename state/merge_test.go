package state_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pglogrepl"
	"pgregory.net/rapid"

	"ghlsync/state"
)

var merges = map[string]func(r *rig){
	"retracting what is not known is nothing": func(r *rig) {
		if e := r.retract(); r.m != nil || e != state.Ignored {
			r.Fatalf("a row comes of it: %+v, effect %d", r.m, e)
		}
	},
	"a retraction that is to be remembered keeps an older snapshot from bringing the event to life": func(r *rig) {
		r.lsn = 200
		if e := r.merge(remembered()); e == state.Ignored || r.m == nil || r.m.Wanted != state.Absent {
			r.Fatalf("effect %d on %+v", e, r.m)
		}
		if r.settles(); r.m.Retracted || (r.m.Class() != state.Class{}) {
			r.Fatalf("counts as %+v, for the fuse %v", r.m.Class(), r.m.Retracted)
		}
		if e := r.merge(snapshot(at(present("a"), 0, 200))); e != state.Ignored || r.m.Wanted != state.Absent {
			r.Fatalf("effect %d, wanted %s", e, r.m.Wanted)
		}
		r.merge(snapshot(at(present("a"), 0, 300)))
		r.begins(state.Create)
	},
	"a retraction that is to be remembered makes a tombstone young again": func(r *rig) {
		r.upsert("a")
		r.retract()
		r.pass(time.Hour)
		if r.merge(remembered()); !r.m.UpdatedAt.Equal(r.now) {
			r.Fatalf("updated at %s, want %s", r.m.UpdatedAt, r.now)
		}
	},
	"the same content only moves the version": func(r *rig) {
		r.synced("a")
		before := *r.m
		if e := r.upsert("a"); e != state.Advanced || r.m.Revision != before.Revision {
			r.Fatalf("effect %d, revision %d", e, r.m.Revision)
		}
		if !before.Version.Before(r.m.Version) || !r.m.UpdatedAt.Equal(before.UpdatedAt) {
			r.Fatalf("version %s, updated at %s", r.m.Version, r.m.UpdatedAt)
		}
		r.settles()
	},
	"an older change of the stream is ignored": func(r *rig) {
		r.upsert("a")
		if e := r.merge(at(present("b"), 0, r.lsn-1)); e != state.Ignored || r.m.Hash != hashOf("a") {
			r.Fatalf("effect %d, content %q", e, r.m.Hash)
		}
	},
	"one transaction may touch a row twice": func(r *rig) {
		r.upsert("a")
		if e := r.merge(at(present("b"), 0, r.lsn)); e != state.Changed || r.m.Hash != hashOf("b") {
			r.Fatalf("effect %d, content %q", e, r.m.Hash)
		}
	},
	"a snapshot does not hold what committed at its consistent point": func(r *rig) {
		r.upsert("a")
		if e := r.merge(snapshot(at(present("b"), 0, r.lsn))); e != state.Ignored {
			r.Fatalf("effect %d", e)
		}
		if e := r.merge(snapshot(at(present("b"), 0, r.lsn+1))); e != state.Changed {
			r.Fatalf("effect %d", e)
		}
	},
	"a tombstone keeps an older snapshot from bringing the event back": func(r *rig) {
		r.upsert("a")
		r.retract()
		if e := r.merge(snapshot(at(present("a"), 0, r.lsn-1))); e != state.Ignored || r.m.Wanted != state.Absent {
			r.Fatalf("effect %d, wanted %s", e, r.m.Wanted)
		}
	},
	"a new epoch outranks every LSN of the one before": func(r *rig) {
		r.merge(at(present("a"), 1, 1_000_000))
		if e := r.merge(snapshot(at(present("b"), 2, 10))); e != state.Changed {
			r.Fatalf("effect %d", e)
		}
		if e := r.merge(at(present("c"), 1, 2_000_000)); e != state.Ignored {
			r.Fatalf("an old epoch's change has effect %d", e)
		}
	},
	"an assumed row is in GHL, and its edit is an update": func(r *rig) {
		r.assume("a")
		r.settles()
		if (r.m.Class() != state.Class{Assumed: true}) {
			r.Fatalf("counts as %+v", r.m.Class())
		}
		r.upsert("a")
		r.settles()
		if r.upsert("b"); r.m.Assumed {
			r.Fatalf("still assumed")
		}
		r.begins(state.Update)
	},
	"an assumed row's delete is a delete": func(r *rig) {
		r.assume("a")
		r.retract()
		if !r.m.Retracted {
			r.Fatalf("does not count for the fuse")
		}
		r.begins(state.Delete)
	},
	"an assumed row stays so through a snapshot that shows it unchanged": func(r *rig) {
		r.assume("a")
		r.merge(snapshot(present("a")))
		if r.settles(); !r.m.Assumed {
			r.Fatalf("not assumed any more")
		}
	},
	"an assumed row that cannot be translated stays so through a snapshot": func(r *rig) {
		in := snapshot(untranslatable("date_infinite"))
		in.Assume = true
		r.merge(in)
		r.settles()
		if e := r.merge(snapshot(untranslatable("date_infinite"))); e != state.Advanced || !r.m.Assumed {
			r.Fatalf("effect %d, assumed %v", e, r.m.Assumed)
		}
		r.settles()
		r.merge(untranslatable("date_infinite"))
		r.rests(state.Failed)
	},
	"a row of the baseline that names its appointment and cannot be translated is not sent": func(r *rig) {
		in := snapshot(untranslatable("date_infinite"))
		in.Assume, in.AppointmentID = true, "ghl_1"
		r.merge(in)
		r.settles()
		if r.m.AppointmentID != "ghl_1" {
			r.Fatalf("appointment is %q", r.m.AppointmentID)
		}
	},
	"a row that was inserted behind the baseline's start is created": func(r *rig) {
		r.assume("a")
		r.merge(at(inserted(present("a")), 0, r.lsn-1))
		r.begins(state.Create)
	},
	"a row that was edited behind the baseline's start is updated": func(r *rig) {
		r.assume("a")
		r.merge(at(present("older"), 0, r.lsn-1))
		r.begins(state.Update)
		r.delivered("")
		if r.settles(); r.m.GHLHash != hashOf("a") {
			r.Fatalf("GHL has %q", r.m.GHLHash)
		}
	},
	"an untranslatable row that was edited behind the baseline's start is parked": func(r *rig) {
		in := snapshot(untranslatable("date_infinite"))
		in.Assume = true
		r.merge(in)
		r.merge(at(present("older"), 0, r.lsn-1))
		r.rests(state.Failed)
		if r.m.Parked != "date_infinite" {
			r.Fatalf("parked as %q", r.m.Parked)
		}
	},
	"an echo is adopted, nothing is sent": func(r *rig) {
		r.merge(echo("a", "ghl_1"))
		r.settles()
		if r.m.AppointmentID != "ghl_1" || r.m.Assumed {
			r.Fatalf("appointment %q, assumed %v", r.m.AppointmentID, r.m.Assumed)
		}
		r.upsert("b")
		r.begins(state.Update)
	},
	"an echo counts only the first time the row is seen": func(r *rig) {
		r.upsert("a")
		r.merge(echo("b", "ghl_1"))
		if r.m.AppointmentID != "" {
			r.Fatalf("appointment is %q", r.m.AppointmentID)
		}
		r.begins(state.Create)
	},
	"an echo that cannot be translated at first is adopted all the same": func(r *rig) {
		in := untranslatable("client_missing")
		in.AppointmentID, in.Echo = "ghl_1", true
		r.merge(in)
		r.rests(state.Failed)
		r.merge(echo("a", "ghl_1"))
		r.begins(state.Update)
	},
	"an appointment that the row names is adopted later, too": func(r *rig) {
		r.upsert("a")
		in := present("a")
		in.AppointmentID = "ghl_1"
		if e := r.merge(in); e != state.Changed {
			r.Fatalf("effect %d", e)
		}
		r.begins(state.Update)
	},
	"a rejected create whose row gets an appointment becomes an update": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.refused(false)
		in := present("a")
		in.AppointmentID = "ghl_1"
		r.merge(in)
		r.pass(time.Second)
		r.begins(state.Update)
	},
	"while a create is open only the id is taken": func(r *rig) {
		r.upsert("a")
		r.begins(state.Create)
		r.lost()
		in := present("a")
		in.AppointmentID = "ghl_1"
		r.merge(in)
		r.pass(settle)
		r.begins(state.Create)
		r.repeated(0, 1)
	},
	"a known appointment is never replaced by what the row names": func(r *rig) {
		r.synced("a")
		in := present("a")
		in.AppointmentID = "ghl_2"
		r.merge(in)
		if r.m.AppointmentID != "ghl_1" {
			r.Fatalf("appointment is %q", r.m.AppointmentID)
		}
	},
	"a row parked for one reason is parked anew for another": func(r *rig) {
		r.merge(untranslatable("client_missing"))
		if e := r.merge(untranslatable("client_missing")); e != state.Advanced {
			r.Fatalf("effect %d", e)
		}
		r.merge(untranslatable("date_infinite"))
		r.rests(state.Failed)
		if r.m.Parked != "date_infinite" || r.m.SyncError != "date_infinite" {
			r.Fatalf("parked as %q", r.m.Parked)
		}
		r.retract()
		r.settles()
	},
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for name, story := range merges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(testRig(t))
		})
	}
}

func at(c state.Change, epoch int64, lsn pglogrepl.LSN) state.Change {
	c.Version = state.Version{Epoch: epoch, LSN: lsn}
	return c
}

func snapshot(c state.Change) state.Change { c.Source = state.Snapshot; return c }

func inserted(c state.Change) state.Change { c.Inserted = true; return c }

func echo(content, appointment string) state.Change {
	c := present(content)
	c.AppointmentID, c.Echo = appointment, true
	return c
}

func remembered() state.Change { return state.Change{Wanted: state.Absent, Remember: true} }

func (r *rig) assume(content string) {
	in := snapshot(present(content))
	in.Assume = true
	r.merge(in)
}

// genChange draws a change of the event at a version of at most 40 positions in
// two epochs. What the source held at a position is decided by the position, as
// in a real source: history gives the content after each.
func genChange(history []string) *rapid.Generator[state.Change] {
	return rapid.Custom(func(t *rapid.T) state.Change {
		lsn := rapid.IntRange(1, len(history)-1).Draw(t, "lsn")
		source := rapid.SampledFrom([]state.Source{state.Stream, state.Snapshot}).Draw(t, "source")
		content := history[lsn]
		if source == state.Snapshot {
			content = history[lsn-1] // what committed at the consistent point is not in it
		}
		c := state.Change{Wanted: state.Absent}
		if content != "" {
			c = present(content)
		}
		c.ID, c.Source, c.Version.LSN = "event-1", source, pglogrepl.LSN(lsn)
		return c
	})
}

func genHistory(t *rapid.T) []string {
	return rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "c"}), 2, 12).Draw(t, "history")
}

// 2: merging a change again is the same as merging it once.
func TestMergeIsIdempotent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		history := genHistory(t)
		var m *state.Mapping
		for _, c := range rapid.SliceOfN(genChange(history), 1, 12).Draw(t, "changes") {
			c = decorated(t, c)
			m, _ = state.Merge(m, c, begin)
			once := clone(m)
			var e state.Effect
			m, e = state.Merge(m, c, begin.Add(time.Hour))
			if e == state.Changed {
				t.Fatalf("merged again, %+v has an effect", c)
			}
			if diff := cmp.Diff(once, m, cmpopts.IgnoreUnexported(state.Mapping{})); diff != "" {
				t.Fatalf("merged again, %+v changes the row (-once +twice):\n%s", c, diff)
			}
		}
	})
}

// decorated adds what does not come from the row's content.
func decorated(t *rapid.T, c state.Change) state.Change {
	if c.Wanted == state.Absent {
		return c
	}
	c.Inserted = c.Source == state.Stream && rapid.Bool().Draw(t, "inserted")
	c.Assume = c.Source == state.Snapshot && rapid.Bool().Draw(t, "assume")
	c.AppointmentID = rapid.SampledFrom([]string{"", "", "ghl_1", "ghl_2"}).Draw(t, "appointment")
	c.Echo = c.AppointmentID != "" && rapid.Bool().Draw(t, "echo")
	if rapid.IntRange(0, 4).Draw(t, "untranslatable") == 0 {
		c.Parked, c.Payload, c.Hash = "client_missing", nil, ""
	}
	return c
}

// 2: the version of a row never goes back, and what is wanted is what the source
// held at that version, in whatever order stream and snapshots come. (A known
// tombstone stands at the start: without one, the retraction of what is not known
// leaves no version behind.)
func TestOrderOfStreamAndSnapshotsDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		history := genHistory(t)
		changes := rapid.SliceOfN(genChange(history), 1, 12).Draw(t, "changes")
		inAnyOrder(t, &state.Mapping{ID: "event-1", Wanted: state.Absent, GHL: state.GHLAbsent}, changes)
	})
}

// The same holds without the tombstone for a snapshot that is read beside the
// stream, as long as the stream's retractions are remembered.
func TestOrderDoesNotMatterForAnUnknownEvent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		history := genHistory(t)
		changes := rapid.SliceOfN(genChange(history), 1, 12).Draw(t, "changes")
		changes = slices.DeleteFunc(changes, func(c state.Change) bool { return c.Source == state.Snapshot && c.Wanted == state.Absent })
		for i := range changes {
			changes[i].Remember = changes[i].Wanted == state.Absent
		}
		inAnyOrder(t, nil, changes)
	})
}

// inAnyOrder merges the changes in two orders, beginning with the row, and
// compares what comes of it.
func inAnyOrder(t *rapid.T, from *state.Mapping, changes []state.Change) {
	result := func(order []state.Change) state.Mapping {
		m := clone(from)
		for _, c := range order {
			var before state.Version
			if m != nil {
				before = m.Version
			}
			if m, _ = state.Merge(m, c, begin); m.Version.Before(before) {
				t.Fatalf("version went back from %s to %s", before, m.Version)
			}
		}
		if m == nil {
			return state.Mapping{}
		}
		return *m
	}
	one, other := result(changes), result(rapid.Permutation(changes).Draw(t, "permutation"))
	if one.Wanted != other.Wanted || one.Hash != other.Hash || string(one.Payload) != string(other.Payload) || one.Version != other.Version {
		t.Fatalf("one order gives %s %q at %s, the other %s %q at %s",
			one.Wanted, one.Hash, one.Version, other.Wanted, other.Hash, other.Version)
	}
}

func clone(m *state.Mapping) *state.Mapping {
	if m == nil {
		return nil
	}
	c := *m
	if m.Call != nil {
		call := *m.Call
		c.Call = &call
	}
	return &c
}
