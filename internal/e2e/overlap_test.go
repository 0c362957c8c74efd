package e2e

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// A transaction that wrote first and commits last is new, although its rows lie
// before the checkpoint; one that committed before comes once. It makes no
// difference how the daemon ended.
func TestTransactionsOverlapARestart(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*process){"stopped": func(p *process) { p.stop() }, "killed": (*process).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// A server of its own: what stays open would hold up the slots of other tests.
			r := newRigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{})))
			r.start()
			r.caughtUp()
			meanwhile, afterwards := r.openInsert("meanwhile"), r.openInsert("afterwards")
			r.insert("quick", "onboarding", "Between them")
			r.caughtUp() // the checkpoint is behind the rows of all three
			end(r.proc)
			if err := meanwhile.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.start()
			if err := afterwards.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.caughtUp()
			r.same()
			for _, id := range []string{"quick", "meanwhile", "afterwards"} {
				if n := r.requests(id); n != 1 {
					t.Errorf("%d calls for %s, want 1", n, id)
				}
			}
		})
	}
}

// openInsert inserts an event in a transaction that stays open.
func (r *rig) openInsert(id string) pgx.Tx {
	r.t.Helper()
	tx, err := r.db.Conn(r.t).Begin(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = tx.Exec(r.t.Context(), `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		VALUES ($1, 1, 'Open', '2030-01-01', '2030-01-01', '09:00', '10:00', 'onboarding')`, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return tx
}
