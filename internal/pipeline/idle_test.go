package pipeline

import (
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
	pgserver "ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// TestOwnCommitsAreNoNews: on the captured server a checkpoint is WAL itself. When
// nothing else is written none is due, and a little of others does not pin much.
func TestOwnCommitsAreNoNews(t *testing.T) {
	t.Parallel()
	r := newApplierRig(t)
	db := pgtest.DatabaseOn(t, pgtest.Own(t, pgserver.Options{})) // in whose WAL nobody else writes
	store, err := postgres.Open(t.Context(), db.URL, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	r.a.store = store
	first := state.Checkpoint{Slot: slotName, LSN: 1, Epoch: 1, Capturer: "token", Baseline: origin, SystemID: store.SystemID()}
	if err := r.a.replace(t.Context(), nil, first); err != nil {
		t.Fatal(err)
	}
	// idle hands over the server's end of WAL after a while, and tells whether that
	// was written down.
	idle := func() bool {
		end, err := pglogrepl.ParseLSN(db.QueryString(t, "select pg_current_wal_insert_lsn()"))
		if err != nil {
			t.Fatal(err)
		}
		r.now = r.now.Add(idleInterval + time.Second)
		return r.handle(cdc.Chunk{Last: cdc.Boundary{End: end}}) == end
	}
	if !idle() {
		t.Error("the first boundary is not written down")
	}
	for n := range 5 {
		if idle() {
			t.Errorf("round %d: it writes down what it wrote", n)
		}
	}
	db.Exec(t, "select pg_logical_emit_message(false, 'other', repeat('x', 100000))")
	if !idle() {
		t.Error("what others wrote is not written down")
	}
	r.a.cp.SystemID = "another"
	if !idle() {
		t.Error("on another server every step is news")
	}
}
