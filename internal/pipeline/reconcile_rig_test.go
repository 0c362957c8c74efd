package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/sqlite"
	"ghlsync/testdata/sentra"
	"ghlsync/translator"
)

const patience = 60 * time.Second

// rig is a Sentra, a state, and a capture between them.
type rig struct {
	t       *testing.T
	db      *pgtest.DB
	store   *sqlite.Store
	opts    Options
	capture *Capture
	halt    func() // ends the capture that runs
}

// newRig makes all and captures the baseline. change may set options.
func newRig(t *testing.T, change ...func(*Options)) *rig {
	t.Helper()
	r := &rig{t: t, db: pgtest.Database(t)}
	r.db.Exec(t, sentra.Seed)
	r.db.Exec(t, "DELETE FROM calendar_events")
	var err error
	if r.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	r.opts = Options{
		Source: cdc.Config{
			URL: r.db.URL, EventsTable: "public.calendar_events", ClientsTable: "public.clients",
			Types: []string{"onboarding", "handover"}, Slot: r.db.Name, Publication: r.db.Name, Create: true,
		},
		Store: r.store, Rules: translator.New([]string{"onboarding", "handover"}, nil, time.UTC), Backfill: BackfillAll,
		Zone: time.UTC, Token: "token", Changed: func() {}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	}
	for _, c := range change {
		c(&r.opts)
	}
	r.start()
	return r
}

// start captures and waits until it streams.
func (r *rig) start() {
	r.t.Helper()
	r.capture = New(r.opts)
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func(c *Capture) { ended <- c.Run(ctx) }(r.capture)
	r.halt = func() {
		r.halt = func() {}
		cancel()
		if err := <-ended; err != nil {
			r.t.Error(err)
		}
	}
	r.t.Cleanup(func() { r.halt() })
	r.until("capture streams", r.streams)
}

// streams reports whether a session is there to reconcile beside.
func (r *rig) streams() bool {
	r.capture.mu.Lock()
	defer r.capture.mu.Unlock()
	return r.capture.live != nil
}

func (r *rig) until(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("waited in vain: %s", what)
		}
	}
}

// insert adds events of the seed's first client.
func (r *rig) insert(ids ...string) {
	r.t.Helper()
	r.db.Exec(r.t, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type)
		SELECT id, 1, 'Title of ' || id, '2030-05-01', '2030-05-01', '10:00', '11:00', 'Described', 'onboarding' FROM unnest($1::text[]) id`, ids)
}

// captured waits until all that Sentra has committed is in the state.
func (r *rig) captured() {
	r.t.Helper()
	lsn, err := pglogrepl.ParseLSN(r.db.QueryString(r.t, "SELECT pg_current_wal_flush_lsn()"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.db.Exec(r.t, "INSERT INTO clients (name, business_name, email, username, password) SELECT n, n, n, n, n FROM (SELECT gen_random_uuid()::text n) x")
	r.until("the stream is at "+lsn.String(), func() bool {
		r.capture.mu.Lock()
		l := r.capture.live
		r.capture.mu.Unlock()
		if l == nil {
			return false
		}
		_, further := l.beside.position(lsn)
		return further == nil
	})
}

// blind lets things happen in Sentra that capture never sees: its checkpoint is
// moved past them.
func (r *rig) blind(happens func()) {
	r.t.Helper()
	r.captured()
	r.halt()
	happens()
	lsn, err := pglogrepl.ParseLSN(r.db.QueryString(r.t, "SELECT pg_current_wal_flush_lsn()"))
	if err != nil {
		r.t.Fatal(err)
	}
	ctx := r.t.Context()
	cp, err := r.store.Checkpoint(ctx, r.opts.Source.Slot)
	if err != nil {
		r.t.Fatal(err)
	}
	next := *cp
	next.LSN = lsn
	r.tx(func(tx state.Tx) error { return tx.SetCheckpoint(ctx, cp, next) })
	r.start()
}

func (r *rig) tx(do func(state.Tx) error) {
	r.t.Helper()
	tx, err := r.store.Begin(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := do(tx); err != nil {
		r.t.Fatal(errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// reconcile reconciles beside the stream. hook, where given, is called when a
// part has been read and before it is compared, with the number of rows so far.
func (r *rig) reconcile(dry bool, hook func(rows int64)) Reconciliation {
	r.t.Helper()
	got, err := r.try(dry, hook)
	if err != nil {
		r.t.Fatal(err)
	}
	return got
}

func (r *rig) try(dry bool, hook func(rows int64)) (Reconciliation, error) {
	r.t.Helper()
	return r.capture.Reconcile(r.t.Context(), ReconcileOptions{DryRun: dry, Progress: func(done, _ int64) {
		if hook != nil && done > 0 {
			hook(done)
		}
	}})
}

// differs checks what was found: ids, separated by blanks.
func (r *rig) differs(got Reconciliation, missing, extra, stale string) {
	r.t.Helper()
	for _, kind := range []struct {
		name, want string
		got        Found
	}{{"missing", missing, got.Missing}, {"extra", extra, got.Extra}, {"stale", stale, got.Stale}} {
		slices.Sort(kind.got.IDs)
		if strings.Join(kind.got.IDs, " ") != kind.want || kind.got.Count != len(kind.got.IDs) {
			r.t.Errorf("%s: %d, %q; want %q", kind.name, kind.got.Count, kind.got.IDs, kind.want)
		}
	}
}

// get returns nil for an event that is not known.
func (r *rig) get(id string) *state.Mapping {
	r.t.Helper()
	m, err := r.store.Get(r.t.Context(), state.EventID(id))
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// wanted lists what the state wants, as ids and titles.
func (r *rig) wanted() string {
	r.t.Helper()
	var all []string
	for _, m := range r.rows(state.Filter{Wanted: state.Present}) {
		_, title, _ := strings.Cut(string(m.Payload), `"event_title":"`)
		title, _, _ = strings.Cut(title, `"`)
		all = append(all, fmt.Sprintf("%s=%s", m.ID, title))
	}
	return strings.Join(all, "\n")
}

// shown lists what Sentra shows, in the same words.
func (r *rig) shown() string {
	r.t.Helper()
	return r.db.QueryString(r.t, `SELECT coalesce(string_agg(id || '=' || title, E'\n' ORDER BY id COLLATE "C"), '')
		FROM calendar_events WHERE type IN ('onboarding', 'handover')`)
}

func (r *rig) same() {
	r.t.Helper()
	if diff := cmp.Diff(r.shown(), r.wanted()); diff != "" {
		r.t.Errorf("the state does not want what Sentra shows (-Sentra +state)\n%s", diff)
	}
}

func (r *rig) rows(f state.Filter) []*state.Mapping {
	r.t.Helper()
	rows, err := r.store.List(r.t.Context(), f, "", 1_000_000)
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

// unchanged checks that what is done does not change a row, nor the checkpoint.
func (r *rig) unchanged(do func()) {
	r.t.Helper()
	read := func() ([]*state.Mapping, *state.Checkpoint) {
		cp, err := r.store.Checkpoint(r.t.Context(), r.opts.Source.Slot)
		if err != nil {
			r.t.Fatal(err)
		}
		return r.rows(state.Filter{}), cp
	}
	rows, cp := read()
	do()
	rowsAfter, cpAfter := read()
	if diff := cmp.Diff(rows, rowsAfter, cmpopts.IgnoreUnexported(state.Mapping{})); diff != "" {
		r.t.Errorf("rows were changed\n%s", diff)
	}
	if cp.Epoch != cpAfter.Epoch || cp.SnapshotLSN != cpAfter.SnapshotLSN || cpAfter.LSN < cp.LSN {
		r.t.Errorf("the checkpoint was changed from %+v to %+v", cp, cpAfter)
	}
}
