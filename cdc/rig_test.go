package cdc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

const patience = 20 * time.Second

// rig is one test's database, and how to capture from it.
type rig struct {
	db  *pgtest.DB
	cfg Config
}

func newRig(t *testing.T) *rig { return rigOn(t, pgtest.Database(t)) }

// ownRig has a server of its own: for settings, for transactions that stay open
// (a slot waits for those of the whole server), and for exact WAL positions.
func ownRig(t *testing.T, settings map[string]string) *rig {
	return rigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{Settings: settings})))
}

func rigOn(t *testing.T, db *pgtest.DB) *rig {
	t.Helper()
	db.Exec(t, `INSERT INTO clients (name, business_name, email, phone, username, password)
		SELECT 'Person ' || i, 'Business ' || i, 'p' || i || '@example.com', CASE WHEN i = 1 THEN '+49 1' END, 'u' || i, 'hidden'
		FROM generate_series(1, 5) i`)
	return &rig{db: db, cfg: Config{
		URL: db.URL, EventsTable: "public.calendar_events", ClientsTable: "public.clients",
		Types: []string{"onboarding", "handover"}, Slot: db.Name, Publication: db.Name, Create: true,
		Logger: slog.New(slog.DiscardHandler),
	}}
}

func (r *rig) open(t *testing.T) *Source {
	t.Helper()
	s, err := Open(t.Context(), r.cfg)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// slot makes publication and slot.
func (r *rig) slot(t *testing.T, s *Source) *SnapshotHandle {
	t.Helper()
	if _, err := s.EnsurePublication(t.Context()); err != nil {
		t.Fatalf("publication: %v", err)
	}
	h, err := s.CreateSlot(t.Context())
	if err != nil {
		t.Fatalf("slot: %v", err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Errorf("close handle: %v", err)
		}
	})
	return h
}

// insert is the statement for events with these ids; type alternates.
func insertSQL(ids ...string) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
			VALUES ('%s', 1, 'Event %s', '2026-03-04', '2026-03-05', '10:00', '11:30', 'onboarding');`, id, id)
	}
	return b.String()
}

// recorder is a handler that keeps what it gets. Everything is durable at once,
// unless hold is set.
type recorder struct {
	mu      sync.Mutex
	changes []Change
	chunks  []Chunk // without their changes
	sizes   []int
	open    []Change // of a transaction that is not complete
	durable pglogrepl.LSN
	hold    bool
	inside  func(context.Context, Chunk) error
	news    chan struct{}
}

func newRecorder(from pglogrepl.LSN) *recorder {
	return &recorder{durable: from, news: make(chan struct{}, 1)}
}

func (r *recorder) Handle(ctx context.Context, c Chunk) (pglogrepl.LSN, error) {
	if r.inside != nil {
		if err := r.inside(ctx, c); err != nil {
			return r.durable, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open = append(r.open, c.Changes...)
	r.sizes = append(r.sizes, len(c.Changes))
	if !c.Open {
		if len(r.open) > 0 {
			r.changes = append(r.changes, r.open...)
			r.open = nil
		}
		if !r.hold {
			r.durable = c.Last.End
		}
	}
	c.Changes = nil
	r.chunks = append(r.chunks, c)
	notify(r.news)
	return r.durable, nil
}

// all is a copy of the changes so far.
func (r *recorder) all() []Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.changes)
}

func (r *recorder) brief() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, c := range r.changes {
		text := [...]string{"", "insert ", "update ", "delete ", "truncate"}[c.Kind] + c.Key
		if c.OldKey != "" {
			text += " from " + c.OldKey
		}
		all = append(all, text)
	}
	return all
}

func (r *recorder) at() pglogrepl.LSN {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.durable
}

// await waits until ok says so; it is asked after each chunk.
func (r *recorder) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-r.news:
		case <-deadline:
			t.Fatalf("%s: not within %v; got %v", what, patience, r.brief())
		}
	}
}

func (r *recorder) awaitChanges(t *testing.T, n int) {
	t.Helper()
	r.await(t, fmt.Sprintf("%d changes", n), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.changes) >= n
	})
}

// running is a stream under way.
type running struct {
	cancel context.CancelCauseFunc
	done   chan error
}

var errStopped = errors.New("test stops the stream")

func start(t *testing.T, s *Source, from pglogrepl.LSN, h Handler) *running {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	r := &running{cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- s.Stream(ctx, from, h) }()
	t.Cleanup(func() {
		cancel(errStopped)
		for range r.done { // its error is what the test looked at, if anybody
			break
		}
	})
	return r
}

// wait returns how the stream ended.
func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(patience):
		t.Fatal("the stream did not end")
		return nil
	}
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel(errStopped)
	if err := r.wait(t); !errors.Is(err, errStopped) {
		t.Fatalf("stream ended with %v", err)
	}
}

// confirmed reads what the slot knows.
func (r *rig) confirmed(t *testing.T) pglogrepl.LSN {
	t.Helper()
	lsn, err := pglogrepl.ParseLSN(r.db.QueryString(t, `SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1`, r.cfg.Slot))
	if err != nil {
		t.Fatal(err)
	}
	return lsn
}

func (r *rig) walEnd(t *testing.T) pglogrepl.LSN {
	t.Helper()
	lsn, err := pglogrepl.ParseLSN(r.db.QueryString(t, `SELECT pg_current_wal_insert_lsn()`))
	if err != nil {
		t.Fatal(err)
	}
	return lsn
}

// awaitConfirmed waits until the slot is confirmed at or beyond lsn.
func (r *rig) awaitConfirmed(t *testing.T, lsn pglogrepl.LSN) {
	t.Helper()
	r.db.Await(t, "t", `SELECT confirmed_flush_lsn >= $2::pg_lsn FROM pg_replication_slots WHERE slot_name = $1`, r.cfg.Slot, lsn.String())
}
