package daemon

import (
	"log/slog"
	"slices"
	"testing"
	"time"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// joined is a member of the state, that attends when the test says so.
func joined(t *testing.T, url, id string) *member {
	t.Helper()
	s, err := postgres.Open(t.Context(), url, postgres.Options{Instance: id})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	m, err := join(t.Context(), s, state.Instance{ID: id}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Whose calls are left nobody can tell who has not attended himself for as long as
// it takes to be counted as dead: after an outage nobody was seen of late.
func TestWhoLives(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	m := joined(t, db.URL, "a")
	joined(t, db.URL, "b")
	joined(t, db.URL, "c")
	db.Exec(t, "update ghlsync.instances set last_seen = now() - interval '11 seconds' where id = 'b'")
	if owners, known, err := m.living(t.Context()); known || err != nil {
		t.Errorf("at once: %v, %t, %v", owners, known, err)
	}
	m.steady = time.Now().Add(-state.GoneAfter)
	if owners, known, err := m.living(t.Context()); !known || err != nil || !slices.Equal(owners, []string{"a", "c"}) {
		t.Errorf("then: %v, %t, %v", owners, known, err)
	}
	m.seen = m.seen.Add(-2 * state.CaptureLease)
	if owners, known, err := m.living(t.Context()); known || err != nil {
		t.Errorf("when it wakes up: %v, %t, %v", owners, known, err)
	}
	if err := m.attend(t.Context()); err != nil {
		t.Error(err)
	}
	if owners, known, err := m.living(t.Context()); known || err != nil {
		t.Errorf("at its first word then: %v, %t, %v", owners, known, err)
	}
	m.steady = time.Now().Add(-state.GoneAfter)
	db.Exec(t, "alter table ghlsync.instances rename to elsewhere")
	if err := m.attend(t.Context()); err == nil {
		t.Error("it attends nowhere")
	}
	db.Exec(t, "alter table ghlsync.elsewhere rename to instances")
	if err := m.attend(t.Context()); err != nil {
		t.Error(err)
	}
	if owners, known, err := m.living(t.Context()); known || err != nil {
		t.Errorf("after an outage: %v, %t, %v", owners, known, err)
	}
}

// The word counts for as long as the lease, also where nobody answers any more.
func TestWordOfTheCapturer(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	a, b := joined(t, db.URL, "a"), joined(t, db.URL, "b")
	if !a.mayCapture() || b.mayCapture() {
		t.Errorf("the first may: %t, the second: %t", a.mayCapture(), b.mayCapture())
	}
	a.until = a.until.Add(-state.CaptureLease)
	if a.mayCapture() {
		t.Error("it may after its lease")
	}
	a.resign(t.Context())
	if err := b.attend(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.mayCapture() || !b.mayCapture() {
		t.Errorf("after the first has resigned it may: %t, the second: %t", a.mayCapture(), b.mayCapture())
	}
}
