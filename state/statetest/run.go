package statetest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pglogrepl"
	"pgregory.net/rapid"

	"ghlsync/state"
)

// Open opens one state: with nothing in it the first time, as it was left each
// time after. The suite closes the Store it got before.
type Open func(ctx context.Context) (state.Store, error)

// Run runs the suite. fresh is called for each test, and again where a property is
// checked many times: it makes a state that nobody else knows, which may stay until
// the test ends.
func Run(t *testing.T, fresh func(t *testing.T) Open) {
	t.Helper()
	for name, test := range map[string]func(*rig){
		"rows come back whole":                  testRoundTrip,
		"each field comes back alone":           testEachField,
		"every field comes back":                testEveryField,
		"load":                                  testLoad,
		"rows are saved again":                  testSavedAgain,
		"get of an unknown event":               testGetUnknown,
		"nothing is visible before its commit":  testVisibility,
		"a rollback leaves nothing":             testRollback,
		"an ended tx does nothing":              testEnded,
		"a canceled context commits nothing":    testCanceled,
		"a begin that is given up":              testCanceledBegin,
		"a large tx":                            testLargeTx,
		"readers go on beside a tx":             testReadersBesideTx,
		"writers wait for what they load":       testWriters,
		"the store equals a model":              testModel,
		"lists are paged in the order of ids":   testPaging,
		"every filter":                          testFilters,
		"due":                                   testDue,
		"urgency":                               testUrgency,
		"leased":                                testLeased,
		"attempts":                              testAttempts,
		"last attempt":                          testLastAttempt,
		"pause":                                 testPause,
		"prune tombstones":                      testPruneTombstones,
		"prune attempts":                        testPruneAttempts,
		"prune spares what a snapshot may show": testPruneBesideSnapshot,
		"taken appointments":                    testTaken,
		"fusible":                               testFusible,
		"checkpoint":                            testCheckpoint,
		"checkpoint is fenced":                  testFenced,
		"checkpoint and rows go together":       testCheckpointWithRows,
		"an export has everything":              testExport,
		"an export is of one moment":            testExportBesideTx,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &rig{TB: t, ctx: t.Context(), fresh: func() Open { return fresh(t) }, open: fresh(t)}
			r.Store = r.opened()
			t.Cleanup(func() { r.close() })
			test(r)
		})
	}
}

// rig is one state and the test that it is for, or one check of a property.
type rig struct {
	rapid.TB
	state.Store
	ctx   context.Context
	fresh func() Open
	open  Open
}

// Context ends with the test.
func (r *rig) Context() context.Context { return r.ctx }

func (r *rig) opened() state.Store {
	r.Helper()
	s, err := r.open(r.ctx)
	if err != nil {
		r.Fatalf("open: %v", err)
	}
	return s
}

func (r *rig) close() {
	r.Helper()
	if err := r.Close(); err != nil {
		r.Errorf("close: %v", err)
	}
}

// reopen is a restart.
func (r *rig) reopen() {
	r.Helper()
	r.close()
	r.Store = r.opened()
}

// check checks a property of the state that the rig has.
func (r *rig) check(property func(t *rapid.T, r *rig)) {
	r.Helper()
	rapid.Check(r.TB, func(t *rapid.T) {
		c := *r
		c.TB = t
		property(t, &c)
	})
}

// checkFresh is check with a new state each time.
func (r *rig) checkFresh(property func(t *rapid.T, r *rig)) {
	r.Helper()
	r.check(func(t *rapid.T, c *rig) {
		c.open = r.fresh()
		c.Store = c.opened()
		defer c.close()
		property(t, c)
	})
}

// start is when everything in the suite begins. Stores keep microseconds.
var start = time.Date(2024, 1, 15, 9, 0, 0, 123_456_000, time.UTC)

func ago(d time.Duration) time.Time { return start.Add(-d) }

// equal ignores what only the store sets. Times are the same in UTC.
var equal = cmp.Options{
	cmpopts.IgnoreUnexported(state.Mapping{}),
	cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) && a.Location() == b.Location() }),
}

func (r *rig) begin() state.Tx {
	r.Helper()
	tx, err := r.Begin(r.Context())
	if err != nil {
		r.Fatalf("begin: %v", err)
	}
	return tx
}

// change does something in a Tx of its own, and commits.
func (r *rig) change(work func(ctx context.Context, tx state.Tx) error) {
	r.Helper()
	tx := r.begin()
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if err := work(r.Context(), tx); err != nil {
		r.Fatal(err)
	}
	if err := tx.Commit(r.Context()); err != nil {
		r.Fatalf("commit: %v", err)
	}
}

func (r *rig) save(rows ...*state.Mapping) {
	r.Helper()
	r.change(func(ctx context.Context, tx state.Tx) error { return tx.Save(ctx, rows...) })
}

// within asks something of a Tx that changes nothing.
func within[T any](r *rig, question func(ctx context.Context, tx state.Tx) (T, error)) T {
	r.Helper()
	tx := r.begin()
	defer tx.Rollback() //nolint:errcheck // there is nothing to lose
	answer, err := question(r.Context(), tx)
	if err != nil {
		r.Fatal(err)
	}
	return answer
}

func (r *rig) list(f state.Filter, after state.EventID, limit int) []*state.Mapping {
	r.Helper()
	rows, err := r.List(r.Context(), f, after, limit)
	if err != nil {
		r.Fatalf("list: %v", err)
	}
	return rows
}

func (r *rig) counts() state.Counts {
	r.Helper()
	c, err := r.Counts(r.Context())
	if err != nil {
		r.Fatalf("counts: %v", err)
	}
	return c
}

// same fails unless two values are equal.
func (r *rig) same(what string, want, got any) {
	r.Helper()
	if diff := cmp.Diff(want, got, equal); diff != "" {
		r.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

func ids(rows []*state.Mapping) []state.EventID {
	all := make([]state.EventID, 0, len(rows))
	for _, m := range rows {
		all = append(all, m.ID)
	}
	return all
}

// synced is a row that GHL has.
func synced(id string) *state.Mapping {
	return &state.Mapping{
		ID: state.EventID(id), EventType: "onboarding", Wanted: state.Present, Payload: []byte(`{"n":1}`), Hash: "h1",
		Version: state.Version{Epoch: 1, LSN: 100}, CommittedAt: start, Revision: 1, CreatedAt: start, UpdatedAt: start,
		GHL: state.GHLPresent, GHLHash: "h1", GHLAt: start, AppointmentID: "ghl-" + id,
	}
}

// pending is a row that is due.
func pending(id string, due time.Time) *state.Mapping {
	m := synced(id)
	m.GHL, m.GHLHash, m.GHLAt, m.AppointmentID, m.NextAttempt = state.GHLAbsent, "", time.Time{}, "", due
	return m
}

// tombstone is a row whose delete was delivered.
func tombstone(id string, settled time.Time) *state.Mapping {
	m := pending(id, time.Time{})
	m.Wanted, m.Payload, m.Hash, m.UpdatedAt = state.Absent, nil, "", settled
	return m
}

// retraction is a row whose delete is due.
func retraction(id string, committed time.Time) *state.Mapping {
	m := synced(id)
	m.Wanted, m.Payload, m.Hash, m.Retracted = state.Absent, nil, "", true
	m.CommittedAt, m.NextAttempt = committed, committed
	return m
}

func checkpoint(lsn pglogrepl.LSN, capturer string) state.Checkpoint {
	return state.Checkpoint{
		Slot: "ghlsync", LSN: lsn, Epoch: 3, SystemID: "7301", Timeline: 2, Database: "sentra", Fingerprint: "pub=1 table=2",
		Capturer: capturer, CommittedAt: start, UpdatedAt: start.Add(time.Second), Baseline: start.Add(-time.Hour),
	}
}
