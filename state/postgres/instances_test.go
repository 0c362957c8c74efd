package postgres_test

import (
	"testing"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// attend tells of an instance, and whether it may capture.
func attend(t *testing.T, s *postgres.Store, id string, capture bool) bool {
	t.Helper()
	captures, err := s.Attend(t.Context(), state.Instance{ID: id, Version: "v1", HTTPAddr: "127.0.0.1:1"}, capture)
	if err != nil {
		t.Fatal(err)
	}
	return captures
}

// One at a time may capture: who has it keeps it, who resigns or leaves gives it up
// at once, and who is silent loses it.
func TestOneCaptures(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s := openAt(t, db.URL, postgres.Options{})
	for _, step := range []struct {
		what    string
		do      func()
		id      string
		capture bool
		want    bool
	}{
		{"the first", nil, "a", true, true},
		{"another", nil, "b", true, false},
		{"the first again", nil, "a", true, true},
		{"the first resigns", nil, "a", false, false},
		{"the first resigned for good", nil, "a", false, false},
		{"another then", nil, "b", true, true},
		{"the first while it has it", nil, "a", true, false},
		{"after a farewell", func() {
			if err := s.Leave(t.Context(), "b"); err != nil {
				t.Fatal(err)
			}
		}, "a", true, true},
		{"after silence", func() { db.Exec(t, "update ghlsync.capture_lease set until = now() - interval '1 second'") }, "b", true, true},
		{"the one that was silent", nil, "a", true, false},
	} {
		if step.do != nil {
			step.do()
		}
		if got := attend(t, s, step.id, step.capture); got != step.want {
			t.Errorf("%s: %t", step.what, got)
		}
	}
}

// Who would rather not captures all the same while nobody else is there.
func TestTheLastOneCaptures(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s := openAt(t, db.URL, postgres.Options{})
	for _, when := range []string{"first", "again"} {
		if !attend(t, s, "a", false) {
			t.Errorf("alone it may not: %s", when)
		}
	}
	attend(t, s, "b", true)
	if attend(t, s, "a", false) || !attend(t, s, "b", true) {
		t.Error("it does not give way")
	}
}

// Those that went without a farewell are told apart, and forgotten after a while.
func TestInstances(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	s := openAt(t, db.URL, postgres.Options{})
	attend(t, s, "a", true)
	attend(t, s, "b", true)
	attend(t, s, "c", true)
	db.Exec(t, "update ghlsync.instances set last_seen = now() - interval '11 seconds' where id = 'b'")
	db.Exec(t, "update ghlsync.instances set last_seen = now() - interval '2 minutes' where id = 'c'")
	attend(t, s, "a", true)
	all, err := s.Instances(t.Context())
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	if a := all[0]; a.ID != "a" || !a.Alive || !a.Capturer || a.Version != "v1" || a.HTTPAddr != "127.0.0.1:1" || a.LastSeen.Before(a.StartedAt) {
		t.Errorf("%+v", a)
	}
	if b := all[1]; b.ID != "b" || b.Alive || b.Capturer {
		t.Errorf("%+v", b)
	}
}

// A daemon that froze within a transaction keeps nobody waiting: whoever attends
// has it ended, once it is silent, and only then.
func TestFrozenTransactionIsEnded(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	frozen := openAt(t, db.URL, postgres.Options{Instance: "frozen"})
	s := openAt(t, db.URL, postgres.Options{Instance: "other"})
	attend(t, frozen, "frozen", true)
	tx := begin(t, frozen)
	attend(t, s, "other", true)
	if err := tx.Save(t.Context(), due("event-1")); err != nil {
		t.Fatalf("it was ended although it lives: %v", err)
	}
	db.Exec(t, "update ghlsync.instances set last_seen = now() - interval '6 seconds' where id = 'frozen'")
	attend(t, s, "other", true)
	fill(t, s, 1) // it would wait for the other's end
	if err := tx.Commit(t.Context()); err == nil {
		t.Error("it commits after it was ended")
	}
}
