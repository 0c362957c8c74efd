package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
	"ghlsync/state"
	"ghlsync/state/sqlite"
	"ghlsync/translator"
)

// origin is when the checkpoint of an applier rig was written.
var origin = time.Date(2026, 3, 4, 10, 0, 0, 0, time.UTC)

const (
	originLSN = pglogrepl.LSN(1 << 30)
	slotName  = "slot"
)

// applierRig is an applier on a real state, with the source's answers in maps.
type applierRig struct {
	*testing.T
	store  *sqlite.Store
	a      *Applier
	source *answers
	now    time.Time
	lsn    pglogrepl.LSN // of the last boundary
	woken  int           // commits that changed a row
}

// answers are what the source would say.
type answers struct {
	clients map[string]cdc.Client
	rows    map[string]cdc.Row
	asked   int                         // questions for clients
	read    []string                    // events that were read
	hold    func(context.Context) error // called before an answer
}

func (s *answers) Clients(ctx context.Context, _ []uint32, ids []string) (map[string]cdc.Client, error) {
	s.asked++
	if s.hold != nil {
		if err := s.hold(ctx); err != nil {
			return nil, err
		}
	}
	found := make(map[string]cdc.Client)
	for _, id := range ids {
		if c, ok := s.clients[id]; ok {
			found[id] = c
		}
	}
	return found, nil
}

func (s *answers) EventRow(_ context.Context, _ uint32, id string) (cdc.Row, bool, error) {
	s.read = append(s.read, id)
	row, ok := s.rows[id]
	return row, ok, nil
}

func newApplierRig(t *testing.T) *applierRig {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &applierRig{T: t, store: store, now: origin, lsn: originLSN, source: &answers{
		clients: map[string]cdc.Client{"1": {ID: "1", Name: "N", BusinessName: "B", Email: "b@example.com"}},
		rows:    map[string]cdc.Row{},
	}}
	r.a = r.applier("token")
	if err := r.a.replace(t.Context(), nil, state.Checkpoint{
		Slot: slotName, LSN: originLSN, Epoch: 1, Capturer: "token", Baseline: origin,
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.a.discard(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r *applierRig) applier(token string) *Applier {
	return &Applier{
		store: r.store, source: r.source, fuse: 5, log: slog.New(slog.DiscardHandler),
		rules: translator.New([]string{"onboarding", "handover"}, regexp.MustCompile(translator.DefaultEcho), time.UTC),
		now:   func() time.Time { return r.now }, changed: func() { r.woken++ },
		canaries: make(chan string, 1), streamed: new(streamed), cp: state.Checkpoint{Capturer: token},
	}
}

// eventRow is a row in scope; edits change it.
func eventRow(id string, edits ...func(*cdc.Row)) cdc.Row {
	var row cdc.Row
	for c, v := range map[cdc.Column]string{
		cdc.ID: id, cdc.ClientID: "1", cdc.Title: "Title", cdc.Type: "onboarding", cdc.StartDate: "2026-05-01", cdc.EndDate: "2026-05-01",
		cdc.StartTime: "10:00:00", cdc.EndTime: "11:00:00", cdc.Description: "Described",
		cdc.CreatedAt: "2026-01-01 00:00:00+00", cdc.UpdatedAt: "2026-01-01 00:00:00+00",
	} {
		row.Set(c, v, cdc.Value)
	}
	for _, edit := range edits {
		edit(&row)
	}
	return row
}

func inserts(id string, edits ...func(*cdc.Row)) cdc.Change {
	return cdc.Change{Kind: cdc.Insert, Key: id, Row: eventRow(id, edits...)}
}

func deletes(id string) cdc.Change { return cdc.Change{Kind: cdc.Delete, Key: id} }

func truncates() cdc.Change { return cdc.Change{Kind: cdc.Truncate} }

// committed makes the changes one transaction, which ends 0x20 behind its commit
// record, and after so much time. It returns the changes as they are in a chunk.
func (r *applierRig) committed(after time.Duration, changes ...cdc.Change) []cdc.Change {
	r.now = r.now.Add(after)
	tx := &cdc.Tx{XID: uint32(r.lsn), CommitLSN: r.lsn + 0x100, CommitTime: r.now}
	for i := range changes {
		changes[i].Tx = tx
	}
	r.lsn = tx.CommitLSN + 0x20
	return changes
}

// chunk hands over what was committed, as one chunk, and returns what is durable.
func (r *applierRig) chunk(txs ...[]cdc.Change) pglogrepl.LSN {
	r.Helper()
	var all []cdc.Change
	for _, tx := range txs {
		all = append(all, tx...)
	}
	return r.handle(cdc.Chunk{Changes: all, Last: cdc.Boundary{End: r.lsn, CommitTime: r.now}, Transactions: len(txs)})
}

func (r *applierRig) handle(c cdc.Chunk) pglogrepl.LSN {
	r.Helper()
	durable, err := r.a.Handle(r.Context(), c)
	if err != nil {
		r.Fatal(err)
	}
	return durable
}

// does is a chunk of one transaction, a second after the last.
func (r *applierRig) does(changes ...cdc.Change) pglogrepl.LSN {
	r.Helper()
	return r.chunk(r.committed(time.Second, changes...))
}

// get returns nil for an event that the state does not know.
func (r *applierRig) get(id string) *state.Mapping {
	r.Helper()
	m, err := r.store.Get(r.Context(), state.EventID(id))
	if errors.Is(err, state.ErrNotFound) {
		return nil
	}
	if err != nil {
		r.Fatal(err)
	}
	return m
}

func (r *applierRig) stored() *state.Checkpoint {
	r.Helper()
	cp, err := r.store.Checkpoint(r.Context(), slotName)
	if err != nil {
		r.Fatal(err)
	}
	return cp
}

func (r *applierRig) tx(do func(state.Tx) error) {
	r.Helper()
	tx, err := r.store.Begin(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	if err := do(tx); err != nil {
		r.Fatal(errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(r.Context()); err != nil {
		r.Fatal(err)
	}
}

// synced has events that GHL has, as appointment "ghl-" and the id.
func (r *applierRig) synced(ids ...string) {
	r.Helper()
	var all []cdc.Change
	for _, id := range ids {
		all = append(all, inserts(id))
	}
	r.does(all...)
	r.tx(func(tx state.Tx) error {
		rows, err := tx.Load(r.Context(), asEvents(ids))
		if err != nil {
			return err
		}
		for _, m := range rows {
			m.GHL, m.GHLHash, m.AppointmentID, m.NextAttempt = state.GHLPresent, m.Hash, "ghl-"+string(m.ID), time.Time{}
			if err := tx.Save(r.Context(), m); err != nil {
				return err
			}
		}
		return nil
	})
}

func asEvents(ids []string) []state.EventID {
	events := make([]state.EventID, len(ids))
	for i, id := range ids {
		events[i] = state.EventID(id)
	}
	return events
}

// numbered are n ids.
func numbered(prefix string, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	return ids
}

// held counts what the fuse holds.
func (r *applierRig) held() int64 {
	r.Helper()
	c, err := r.store.Counts(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	return c.Held
}
