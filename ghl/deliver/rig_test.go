package deliver_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience is how long anything awaited may take on a loaded machine.
const patience = 20 * time.Second

// rig is a deliverer between a real state file and a real HTTP receiver.
type rig struct {
	t     *testing.T
	box   *sandbox.Sandbox
	url   string // of the webhook, secret
	addr  string // of the sandbox
	path  string // of the state file
	store *sqlite.Store
	d     *deliver.Deliverer
	o     deliver.Options
	logs  *logBuffer
	lsn   pglogrepl.LSN
	close func() // of the client in use

	wrapStore  func(*sqlite.Store) deliver.Store   // nil: the store as it is
	wrapSender func(deliver.Sender) deliver.Sender // nil: the client as it is

	mu     sync.Mutex
	events []deliver.Event
	tick   chan struct{} // closed and replaced with every event
}

// newRig makes a rig with an empty state. Delivery is not started.
func newRig(t *testing.T, edits ...func(*rig)) *rig {
	t.Helper()
	r := &rig{t: t, path: filepath.Join(t.TempDir(), "state.db"), logs: &logBuffer{}, tick: make(chan struct{})}
	r.box = sandbox.New(sandbox.Options{})
	if err := r.box.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	r.url, r.addr = r.box.WebhookURL(), r.box.Addr()
	t.Cleanup(r.box.Close)
	r.o = deliver.Options{
		Logger:      slog.New(slog.NewJSONHandler(r.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Concurrency: 8,
		Timeout:     2 * time.Second,
		Rate:        rate.Inf,
		RetryBase:   2 * time.Millisecond,
		RetryCap:    20 * time.Millisecond,
		Settle:      50 * time.Millisecond,
		Seed:        42,
		Hook:        r.took,
	}
	for _, edit := range edits {
		edit(r)
	}
	r.open()
	t.Cleanup(r.shut)
	return r
}

// open opens the state and makes a deliverer for it, which is not started.
func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.store, err = sqlite.Open(r.t.Context(), r.path, sqlite.Options{}); err != nil {
		r.t.Fatal(err)
	}
	o := r.o
	o.Store = r.store
	if r.wrapStore != nil {
		o.Store = r.wrapStore(r.store)
	}
	if o.Sender == nil {
		client, err := ghl.NewWebhook(ghl.WebhookOptions{URL: r.url, Timeout: o.Timeout, Concurrency: o.Concurrency})
		if err != nil {
			r.t.Fatal(err)
		}
		o.Sender, r.close = client, client.Close
	}
	if r.wrapSender != nil {
		o.Sender = r.wrapSender(o.Sender)
	}
	if r.d, err = deliver.New(o); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) start() {
	r.t.Helper()
	if err := r.d.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) stop() {
	r.t.Helper()
	if r.d == nil {
		return // the test has stopped it in its own way
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.d.Stop(ctx); err != nil {
		r.t.Error(err)
	}
}

// shut stops everything; it may be called twice.
func (r *rig) shut() {
	if r.store == nil {
		return
	}
	r.stop()
	if r.close != nil {
		r.close()
	}
	if err := r.store.Close(); err != nil {
		r.t.Error(err)
	}
	r.store = nil
}

// restart is an ordinary end and a new start on the same state.
func (r *rig) restart() {
	r.t.Helper()
	r.shut()
	r.open()
	r.start()
}

func (r *rig) took(e deliver.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	close(r.tick)
	r.tick = make(chan struct{})
}

// seen returns the ends of calls so far, and a channel that the next one closes.
func (r *rig) seen() ([]deliver.Event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[:len(r.events):len(r.events)], r.tick
}

// await waits until ok is true; it looks after every end of a call and change of
// status, and now and then for what has no signal.
func (r *rig) await(what string, ok func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	now := time.NewTicker(10 * time.Millisecond)
	defer now.Stop()
	for {
		_, tick := r.seen()
		changed := r.d.Changed()
		if ok() {
			return
		}
		select {
		case <-tick:
		case <-changed:
		case <-now.C:
		case <-deadline.C:
			r.t.Fatalf("waited in vain until %s; status %+v, sandbox %+v\n%s", what, r.d.Status(), r.box.Stats(), r.logs)
		}
	}
}

// change merges a change into the state, as capture does, and wakes delivery.
func (r *rig) change(changes ...state.Change) {
	r.t.Helper()
	ids := make([]state.EventID, len(changes))
	for i, c := range changes {
		ids[i] = c.ID
	}
	r.edit(ids, func(rows map[state.EventID]*state.Mapping, now time.Time) {
		for _, c := range changes {
			rows[c.ID], _ = state.Merge(rows[c.ID], c, now)
		}
	})
}

// edit changes rows in a transaction of its own and wakes delivery.
func (r *rig) edit(ids []state.EventID, do func(rows map[state.EventID]*state.Mapping, now time.Time)) {
	r.t.Helper()
	ctx := r.t.Context()
	tx, err := r.store.Begin(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing, and else the test has failed
	rows, err := tx.Load(ctx, ids)
	if err != nil {
		r.t.Fatal(err)
	}
	do(rows, time.Now().UTC().Truncate(time.Microsecond))
	for _, m := range rows {
		if m == nil {
			continue
		}
		if err := tx.Save(ctx, m); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := tx.Commit(ctx); err != nil {
		r.t.Fatal(err)
	}
	r.d.Wake()
}

// present is a change that wants the event with this title.
func (r *rig) present(id, title string) state.Change {
	r.lsn += 8
	payload := payloadOf(id, title)
	sum := sha256.Sum256(payload)
	return state.Change{
		ID: state.EventID(id), Version: state.Version{Epoch: 1, LSN: r.lsn}, CommittedAt: time.Now().UTC().Truncate(time.Microsecond),
		Wanted: state.Present, EventType: "onboarding", Payload: payload, Hash: hex.EncodeToString(sum[:]), Inserted: true,
	}
}

// absent is a change that wants the event gone.
func (r *rig) absent(id string) state.Change {
	r.lsn += 8
	return state.Change{
		ID: state.EventID(id), Version: state.Version{Epoch: 1, LSN: r.lsn},
		CommittedAt: time.Now().UTC().Truncate(time.Microsecond), Wanted: state.Absent,
	}
}

// Client data that may not show up in a log.
const (
	secretEmail = "jane.roe@client.example"
	secretPhone = "+15550100200"
	secretName  = "Roe & Daughters"
)

func payloadOf(id, title string) []byte {
	return fmt.Appendf(nil, `{"sentra_event_id":%q,"client_id":456,"client_email":%q,"client_phone":%q,"client_name":%q,`+
		`"event_title":%q,"event_type":"onboarding","start_date":"2024-01-15","end_date":"2024-01-15","start_time":"10:00",`+
		`"end_time":"11:00","description":"","created_at":"2024-01-15T09:00:00Z","updated_at":"2024-01-15T09:00:00Z"}`,
		id, secretEmail, secretPhone, secretName, title)
}

// row is the event's row as last committed; nil if there is none.
func (r *rig) row(id string) *state.Mapping {
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

func (r *rig) awaitSettled(ids ...string) {
	r.t.Helper()
	r.await(fmt.Sprintf("%v are settled", ids), func() bool {
		for _, id := range ids {
			if m := r.row(id); m == nil || !m.Settled() {
				return false
			}
		}
		return true
	})
}

// awaitIdle waits until nothing is pending at all.
func (r *rig) awaitIdle() {
	r.t.Helper()
	r.await("nothing is pending", func() bool {
		counts, err := r.store.Counts(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		return counts.Pending == 0 && r.d.Status().InFlight == 0
	})
}

// faults puts rules in force at the sandbox, instead of those before.
func (r *rig) faults(rules ...sandbox.Rule) {
	r.t.Helper()
	if err := r.box.Set(sandbox.Faults{Rules: rules}); err != nil {
		r.t.Fatal(err)
	}
}

// requests are those that the sandbox got for an event.
func (r *rig) requests(id string) []sandbox.Request {
	var got []sandbox.Request
	for _, q := range r.box.Requests() {
		if q.EventID == id {
			got = append(got, q)
		}
	}
	return got
}

// titles are those of the event's live appointments.
func (r *rig) titles(id string) []string {
	titles := []string{}
	for _, a := range r.box.AppointmentsOf(id) {
		titles = append(titles, a.EventTitle)
	}
	return titles
}

// operations are those requested for an event, such as "created updated".
func (r *rig) operations(id string) string {
	var ops []string
	for _, q := range r.requests(id) {
		ops = append(ops, strings.TrimPrefix(string(q.Operation), "calendar_event_"))
	}
	return strings.Join(ops, " ")
}

func (r *rig) wantOperations(id, want string) {
	r.t.Helper()
	if got := r.operations(id); got != want {
		r.t.Errorf("event %s was %q, want %q", id, got, want)
	}
}

func (r *rig) wantTitles(id string, want ...string) {
	r.t.Helper()
	if got := r.titles(id); strings.Join(got, "|") != strings.Join(want, "|") {
		r.t.Errorf("event %s has the appointments %q, want %q", id, got, want)
	}
}

// wantClean checks what must hold whatever happens: never two calls in flight
// for an event, no double, nothing that the guide forbids, no secret in a log.
func (r *rig) wantClean() {
	r.t.Helper()
	s := r.box.Stats()
	if s.MaxInFlightPerEvent > 1 {
		r.t.Errorf("%d calls in flight for one event", s.MaxInFlightPerEvent)
	}
	if s.Doubles > 0 || s.Violations > 0 {
		r.t.Errorf("%d doubles, %d violations: %v", s.Doubles, s.Violations, r.box.Violations())
	}
	r.wantNoSecrets()
}

func (r *rig) wantNoSecrets() {
	r.t.Helper()
	logs := r.logs.String()
	for _, secret := range []string{secretEmail, secretPhone, secretName, "Daughters", "Session", r.url, r.addr, "webhook-trigger", "event_data"} {
		if strings.Contains(logs, secret) {
			r.t.Errorf("a log line holds %q", secret)
		}
	}
}

// logBuffer takes log output from many goroutines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// count is how many lines hold all the parts.
func (b *logBuffer) count(parts ...string) int {
	n := 0
	for line := range strings.Lines(b.String()) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			n++
		}
	}
	return n
}
