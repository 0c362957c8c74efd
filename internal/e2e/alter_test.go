package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// alterations plays what Sentra does before each insert: it makes the CHECK
// constraint on type anew, which wants the table for itself for a moment. A lock
// that takes longer than the timeout is an error, as an admin would see it.
func alterations(ctx context.Context, conn *pgx.Conn, done func() bool) (n int, err error) {
	if _, err := conn.Exec(ctx, "SET lock_timeout = '3s'"); err != nil {
		return 0, err
	}
	for ; !done(); n++ {
		sql := fmt.Sprintf(`ALTER TABLE calendar_events DROP CONSTRAINT IF EXISTS calendar_events_type_check;
			ALTER TABLE calendar_events ADD CONSTRAINT calendar_events_type_check
				CHECK (type IN ('onboarding', 'firstdraft', 'seconddraft', 'handover')) NOT VALID;
			INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
			VALUES ('altered-%d', 1, 'Altered', '2030-05-01', '2030-05-01', '10:00', '11:00', 'onboarding')`, n)
		if _, err := conn.Exec(ctx, sql); err != nil {
			return n, fmt.Errorf("insert %d: %w", n, err)
		}
	}
	return n, nil
}

// The app's ALTER TABLE goes on unhindered while the first snapshot reads a large
// table, and what is inserted meanwhile arrives.
func TestFirstSnapshotDoesNotStopSentra(t *testing.T) {
	t.Parallel()
	const rows = 400_000
	r := newRig(t, "SENTRA_BACKFILL=none")
	r.db.Exec(t, fmt.Sprintf(manyEvents, "old", rows))
	conn, err := pgx.Connect(t.Context(), r.db.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	r.launch()
	r.until("the snapshot is being read", func() bool { return r.addr() != "" && r.watched().phase() == "snapshotting" })
	n, err := alterations(t.Context(), conn, func() bool { return r.watched().phase() != "snapshotting" })
	if err != nil {
		t.Errorf("Sentra was stopped: %v", err)
	}
	if n < 10 {
		t.Errorf("%d inserts while the snapshot was read", n)
	}
	r.ready()
	r.caughtUp()
	if s := r.status().Mappings; s.Assumed < rows {
		t.Errorf("%d of %d rows are known", s.Assumed, rows)
	}
	for _, id := range []string{"altered-0", fmt.Sprintf("altered-%d", n-1)} {
		if m := r.mapping(id); m == nil || m.Status != "synced" {
			t.Errorf("%s, inserted meanwhile, is %+v", id, m)
		}
	}
	t.Logf("%d inserts, each with its ALTER TABLE, while %d rows were read", n, rows)
}
