package inbound_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"go.uber.org/goleak"

	"ghlsync/ghl"
	"ghlsync/ghl/callback"
	"ghlsync/internal/inbound"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret = "0123456789abcdef0123"
	event  = state.EventID("event 1")
	bait   = "bait@example.com"
	first  = "2024-01-15T09:00:00Z" // when the event was created
	again  = "2024-01-16T09:00:00Z" // when another one was, under the same id
)

// rig is a state with callbacks on it, and a clock that tests move.
type rig struct {
	t      *testing.T
	store  *sqlite.Store
	in     *inbound.Inbound
	app    ed25519.PrivateKey
	now    time.Time
	lsn    pglogrepl.LSN
	calls  int
	woken  int
	hooked []inbound.Result
	log    bytes.Buffer
	option inbound.Options
}

func newRig(t *testing.T, set ...func(*inbound.Options)) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Date(2024, 1, 17, 9, 0, 0, 0, time.UTC)}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if text := r.log.String(); strings.Contains(text, bait) || strings.Contains(text, secret) {
			t.Errorf("a secret is logged:\n%s", text)
		}
	})
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r.store, r.app = store, private
	r.option = inbound.Options{
		Store: store, Secret: secret, AppKey: public, Wake: func() { r.woken++ }, Hook: func(_ string, res inbound.Result) { r.hooked = append(r.hooked, res) },
		Log: slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Now: func() time.Time { return r.now },
	}
	for _, s := range set {
		s(&r.option)
	}
	r.in = inbound.New(r.option)
	return r
}

// change runs work in a transaction.
func (r *rig) change(work func(ctx context.Context, tx state.Tx) error) {
	r.t.Helper()
	tx, err := r.store.Begin(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := errors.Join(work(r.t.Context(), tx), tx.Commit(r.t.Context())); err != nil {
		r.t.Fatal(err)
	}
}

func payload(created, updated string) []byte {
	return fmt.Appendf(nil, `{"sentra_event_id":%q,"client_email":%q,"created_at":%q,"updated_at":%q}`, event, bait, created, updated)
}

// merge is what capture does.
func (r *rig) merge(c state.Change) {
	r.t.Helper()
	r.change(func(ctx context.Context, tx state.Tx) error {
		rows, err := tx.Load(ctx, []state.EventID{event})
		if err != nil {
			return err
		}
		r.lsn += 8
		c.ID, c.Version, c.CommittedAt = event, state.Version{Epoch: 1, LSN: r.lsn}, r.now
		m, _ := state.Merge(rows[event], c, r.now)
		return tx.Save(ctx, m)
	})
}

// wants has the event be in Sentra, created and updated at those times.
func (r *rig) wants(created, updated string) {
	r.t.Helper()
	r.merge(state.Change{Wanted: state.Present, EventType: "onboarding", Payload: payload(created, updated), Hash: created + updated})
}

// retracts deletes it there.
func (r *rig) retracts() { r.t.Helper(); r.merge(state.Change{Wanted: state.Absent}) }

// begins lets the call leave that is due for the row.
func (r *rig) begins(id state.EventID, want state.Operation) {
	r.t.Helper()
	r.now = r.now.Add(time.Second)
	r.change(func(ctx context.Context, tx state.Tx) error {
		rows, err := tx.Load(ctx, []state.EventID{id})
		if err != nil {
			return err
		}
		m := rows[id]
		err = m.Begin(r.now, state.Caller{
			Owner: "me", Lease: time.Minute, NewID: func() string { r.calls++; return fmt.Sprint("delivery-", r.calls) },
			Encode: func(op state.Operation, m *state.Mapping) []byte {
				ops := map[state.Operation]ghl.Operation{state.Create: ghl.Created, state.Update: ghl.Updated, state.Delete: ghl.Deleted}
				return ghl.Envelope(ops[op], string(m.ID), m.AppointmentID, m.Payload)
			},
		})
		if err != nil {
			return err
		}
		if m.Call.Operation != want {
			r.t.Fatalf("%s is due, want %s", m.Call.Operation, want)
		}
		return tx.Save(ctx, m)
	})
}

// ends is the end of the call in flight, recorded as package deliver does.
func (r *rig) ends(id state.EventID, res state.Result) {
	r.t.Helper()
	r.now = r.now.Add(time.Second)
	r.change(func(ctx context.Context, tx state.Tx) error {
		rows, err := tx.Load(ctx, []state.EventID{id})
		if err != nil {
			return err
		}
		m := rows[id]
		line := state.Attempt{EventID: id, Operation: m.Call.Operation, DeliveryID: m.Call.DeliveryID, StartedAt: m.Call.StartedAt, Outcome: "x"}
		if gone := m.Finish(r.now, res); gone != "" {
			if err := tx.Retire(ctx, id, gone, r.now); err != nil {
				return err
			}
		}
		return errors.Join(tx.Save(ctx, m), tx.Record(ctx, line))
	})
}

// sends makes the call that is due, to an end without an appointment id.
func (r *rig) sends(want state.Operation) {
	r.t.Helper()
	r.begins(event, want)
	r.ends(event, state.Result{Outcome: state.Delivered})
}

// settles checks that nothing is due.
func (r *rig) settles() {
	r.t.Helper()
	if m := r.row(event); !m.Settled() || !m.NextAttempt.IsZero() {
		r.t.Fatalf("not settled: %+v", m)
	}
}

func (r *rig) row(id state.EventID) *state.Mapping {
	r.t.Helper()
	m, err := r.store.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// report is a body, of pairs of names and values.
func report(pairs ...any) string {
	body := map[string]any{"sentra_event_id": string(event)}
	for i := 0; i < len(pairs); i += 2 {
		body[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func (r *rig) post(h http.Handler, body string, header http.Header) (int, string) {
	r.t.Helper()
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodPost, "/callbacks/ghl", strings.NewReader(body))
	for name, values := range header {
		req.Header[name] = values
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	text, err := io.ReadAll(w.Result().Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if strings.Contains(string(text), bait) || !json.Valid(text) {
		r.t.Errorf("answered %s", text)
	}
	return w.Code, string(text)
}

// calls back, as a workflow does, and checks what comes of it.
func (r *rig) reports(want inbound.Result, pairs ...any) {
	r.t.Helper()
	woken := r.woken
	code, text := r.post(r.in.Workflow(), report(pairs...), http.Header{"Authorization": {"Bearer " + secret}})
	if code/100 != 2 || !strings.Contains(text, `"`+string(want)+`"`) {
		r.t.Fatalf("callback: %d %s, want %s", code, text, want)
	}
	changes := map[inbound.Result]bool{inbound.Learned: true, inbound.Orphaned: true, inbound.Parked: true, inbound.Gone: true}[want]
	if (r.woken > woken) != changes {
		r.t.Errorf("after %s delivery was woken: %v", want, r.woken > woken)
	}
}

// tells of a change of an appointment, as a marketplace app does.
func (r *rig) tells(want inbound.Result, kind callback.Kind, appointment string) {
	r.t.Helper()
	body := fmt.Sprintf(`{"type":%q,"appointment":{"id":%q,"title":%q}}`, kind, appointment, bait)
	signature := base64.StdEncoding.EncodeToString(ed25519.Sign(r.app, []byte(body)))
	header := http.Header{}
	header.Set(callback.HeaderAppSignature, signature)
	if code, text := r.post(r.in.App(), body, header); code/100 != 2 || !strings.Contains(text, `"`+string(want)+`"`) {
		r.t.Fatalf("app: %d %s, want %s", code, text, want)
	}
}
