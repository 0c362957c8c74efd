package sqlite

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ghlsync/state"
)

// searchStore is a state with some rows of each kind that can be searched for.
func searchStore(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	now := time.Now().UTC().Truncate(time.Microsecond)
	var rows []*state.Mapping
	for i := range 30 {
		m, _ := state.Merge(nil, state.Change{
			ID: state.EventID(fmt.Sprintf("%02d", i)), Version: state.Version{Epoch: 1, LSN: 1}, CommittedAt: now,
			Wanted: state.Present, Payload: []byte("{}"), Hash: "h", Inserted: true,
		}, now)
		switch {
		case i == 7:
			m.Hold, m.NextAttempt = state.Held, time.Time{}
		case i == 8:
			m.LeaseOwner, m.LeaseUntil, m.NextAttempt = "o", now, time.Time{}
		case i != 9:
			m.AppointmentID, m.GHL, m.GHLHash, m.NextAttempt = fmt.Sprintf("ghl-%02d", i), state.GHLPresent, "h", time.Time{}
		}
		rows = append(rows, m)
	}
	tx, err := s.Begin(t.Context())
	if err == nil {
		err = errors.Join(tx.Save(t.Context(), rows...), tx.Commit(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func idsOf(rows []*state.Mapping) string {
	all := make([]string, len(rows))
	for i, m := range rows {
		all[i] = string(m.ID)
	}
	return strings.Join(all, " ")
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := searchStore(t)
	for _, c := range []struct {
		f           state.Filter
		after       state.EventID
		limit, rows int
		want        string
		upTo        state.EventID
	}{
		// Scheduled, leased and held are pending, and are found wherever they are.
		{f: state.Filter{Listed: true, Status: state.Pending}, limit: 9, rows: 1, want: "07 08 09"},
		{f: state.Filter{Listed: true, Status: state.Pending}, after: "07", limit: 1, rows: 1, want: "08"},
		// Of the rest only so many rows are looked at.
		{f: state.Filter{Query: "2"}, limit: 9, rows: 13, want: "02 12", upTo: "12"},
		{f: state.Filter{Query: "2"}, after: "12", limit: 2, rows: 10, want: "20 21", upTo: "22"},
		{f: state.Filter{Query: "2"}, after: "24", limit: 9, rows: 10, want: "25 26 27 28 29"},
		{f: state.Filter{Query: "hl-29"}, limit: 9, rows: 30, want: "29", upTo: "29"},
		{f: state.Filter{Query: "nowhere"}, after: "29", limit: 9, rows: 10},
	} {
		found, upTo, err := s.Search(t.Context(), c.f, c.after, c.limit, c.rows)
		if err != nil || idsOf(found) != c.want || upTo != c.upTo {
			t.Errorf("%+v after %q: %q up to %q, %v; want %q up to %q", c.f, c.after, idsOf(found), upTo, err, c.want, c.upTo)
		}
	}
	if id, err := s.HasAppointment(t.Context(), "ghl-21"); id != "21" || err != nil {
		t.Errorf("the event of an appointment: %q, %v", id, err)
	}
	if _, err := s.HasAppointment(t.Context(), "ghl-09"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("an appointment that nobody has: %v", err)
	}
}

// No search reads the table from end to end.
func TestSearchUsesIndexes(t *testing.T) {
	t.Parallel()
	s := searchStore(t)
	for query, args := range map[string][]any{
		pendingQuery: {"", 10}, boundQuery: {"", 10}, appointmentQuery: {"x"},
	} {
		for _, step := range plan(t, s, query, args...) {
			if strings.HasPrefix(step, "SCAN ghl_sync_mappings") && !strings.Contains(step, " INDEX ") {
				t.Errorf("%s\nreads everything: %s", query, step)
			}
		}
	}
}

// What is urgent is found without what can wait, which may be a million.
func TestUrgentUsesIndexes(t *testing.T) {
	t.Parallel()
	s := searchStore(t)
	steps := strings.Join(plan(t, s, urgentSQL, 1, 2, 3, 4), "\n")
	for _, want := range []string{"ghl_sync_mappings_due (starts_at>? AND starts_at<?)", "ghl_sync_mappings_due_absent"} {
		if !strings.Contains(steps, want) {
			t.Errorf("no %s in\n%s", want, steps)
		}
	}
}

// plan is what SQLite does for a query.
func plan(t *testing.T, s *Store, query string, args ...any) (steps []string) {
	t.Helper()
	rows, err := s.db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id, parent, unused int
		var step string
		if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
			t.Fatal(err)
		}
		steps = append(steps, step)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return steps
}
