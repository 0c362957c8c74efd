package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/internal/mappingtest"
	"ghlsync/internal/operate"
	"ghlsync/state"
)

// odd are ids that a path or a query must carry as they are.
var odd = []string{
	"a/b", "a//b", "/", "a b", "ä/ö ü", "100%", "%2F", "..", ".", "../x", "?q=1&x", "#", "retry", "a+b", "\"quoted\"", "a\tb", "日本語",
}

func TestOddIDsThroughTheAPI(t *testing.T) {
	t.Parallel()
	var rows []*state.Mapping
	for _, id := range odd {
		rows = append(rows, mappingtest.Failed(id))
	}
	r := newRig(t, "", rows...)
	c := r.client("")
	for _, id := range odd {
		d, err := c.Show(t.Context(), id, Show{})
		if err != nil || d.SentraEventID != id {
			t.Errorf("%q: got %q, %v", id, d.SentraEventID, err)
		}
		p, err := c.Page(t.Context(), Query{Text: id, Limit: 100})
		if err != nil || len(p.Mappings) == 0 {
			t.Errorf("query %q: %d found, %v", id, len(p.Mappings), err)
		}
	}
	report, err := c.Do(t.Context(), operate.Retry, operate.Selection{IDs: odd})
	if err != nil || report.Done != len(odd) {
		t.Errorf("retry: %+v, %v", report, err)
	}
	if !strings.Contains(r.log.String(), "operator changed mappings") || strings.Contains(r.log.String(), "日本語") {
		t.Errorf("log: %s", r.log)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	var rows []*state.Mapping
	for i := range 25 {
		rows = append(rows, mappingtest.Synced(fmt.Sprintf("s-%02d", i)))
	}
	rows[3].Drift = state.DriftChanged
	rows = append(rows, mappingtest.Failed("f"), mappingtest.Held("h"), mappingtest.Pending("p"), mappingtest.Untranslatable("u"))
	c := newRig(t, "", rows...).client("")
	walk := func(q Query) (ids []string) {
		for {
			p, err := c.Page(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range p.Mappings {
				ids = append(ids, m.SentraEventID)
			}
			if p.Next == nil {
				return ids
			}
			q.After = *p.Next
		}
	}
	for want, q := range map[string]Query{
		"f u": {Status: "failed"}, "h": {Status: "held"}, "s-03": {Status: "drifted"}, "h p": {Status: "pending"}, "s-07": {Text: "ghl-s-07"}, "s-24": {Status: "synced", After: "s-23"},
	} {
		if got := strings.Join(walk(q), " "); got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
	for _, limit := range []int{1, 5, 24, 25, 26} {
		if got := len(walk(Query{Status: "synced", Limit: limit})); got != 25 {
			t.Errorf("limit %d: %d of 25", limit, got)
		}
	}
	if p, err := c.Page(t.Context(), Query{Text: "nothing like it"}); err != nil || p.Mappings == nil || len(p.Mappings) != 0 {
		t.Errorf("nothing: %+v, %v", p, err)
	}
}

func TestStatusDocument(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Synced("a"), mappingtest.Failed("b"), mappingtest.Held("c"))
	r.live.set(func(l *live) { l.delivery.InFlight = 3 })
	_, got, _ := r.ask("GET", "/api/v1/status", "")
	const want = `{"health":"degraded","reasons":["1 event has failed: see 'ghlsync mappings list --status failed'",` +
		`"the delete fuse holds 1 deletion: see 'ghlsync mappings list --status held', then release or drop"],` +
		`"at":"2026-01-15T10:00:00Z",` +
		`"daemon":{"running":true,"version":"v1","phase":"streaming","since":"2026-01-15T09:00:00Z","last_error":null},` +
		`"checkpoint":{"lsn":"0/16B3748","epoch":1,"committed_at":"2026-01-15T09:00:00Z","updated_at":"2026-01-15T09:00:00Z","snapshotting":false},` +
		`"slot":null,"canary":null,"mappings":{"total":3,"synced":1,"pending":1,"failed":1,"held":1,"assumed":0},` +
		`"delivery":{"enabled":true,"paused":false,"breaker":"closed","last_sync_attempt":"2026-01-15T09:00:00Z","in_flight":3,"per_second":0,"backlog_done_at":null,"quota":null}}` + "\n"
	if diff := cmp.Diff(want, strings.NewReplacer(`\u003c`, "<", `\u0026`, "&").Replace(got)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The names that scripts rely on.
func TestSlotDocument(t *testing.T) {
	t.Parallel()
	reserved, flush, restart, size := "reserved", "0/16B3748", "0/16B3700", int64(4096)
	for want, slot := range map[string]Slot{
		`{"name":"ghlsync","active":true,"wal_status":"reserved","confirmed_flush_lsn":"0/16B3748","restart_lsn":"0/16B3700",` +
			`"retained_wal_bytes":4096,"safe_wal_size":4096,"lag_bytes":4096,` +
			`"wal_bytes_per_second":null,"wal_left_bytes":null,"wal_left_seconds":null}`: {
			Name: "ghlsync", Active: true, WALStatus: &reserved, ConfirmedFlushLSN: &flush, RestartLSN: &restart,
			RetainedWALBytes: &size, SafeWALSize: &size, LagBytes: &size,
		},
		`{"name":"","active":false,"wal_status":null,"confirmed_flush_lsn":null,"restart_lsn":null,` +
			`"retained_wal_bytes":null,"safe_wal_size":null,"lag_bytes":null,` +
			`"wal_bytes_per_second":null,"wal_left_bytes":null,"wal_left_seconds":null}`: {},
	} {
		got, err := json.Marshal(slot)
		if diff := cmp.Diff(want, string(got)); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
	}
}

func TestMappingDocument(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Failed("1/ü"))
	_, got, _ := r.ask("GET", "/api/v1/mappings", "")
	const want = `{"mappings":[{"sentra_event_id":"1/ü","ghl_appointment_id":null,"sync_status":"failed",` +
		`"last_sync_attempt":"2026-01-15T09:00:00Z","sync_error":"CONTACT_NOT_FOUND",` +
		`"created_at":"2026-01-15T09:00:00Z","updated_at":"2026-01-15T09:00:01Z","event_type":"onboarding","wanted":"present",` +
		`"hold":null,"attempts":1,"next_attempt_at":null,"commit_lsn":"0/16B3748"}],"next":null}` + "\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// slots is a Postgres that the test sets.
type slots struct {
	slot *Slot
	err  error
}

func (s slots) Slot(context.Context) (*Slot, error) { return s.slot, s.err }

func TestStatusTellsOfTheSlot(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		slots  slots
		reason string
	}{
		"known":         {slots{slot: &Slot{Name: "ghlsync"}}, ""},
		"missing":       {slots{}, "there is no slot ghlsync"},
		"not reachable": {slots{err: errors.New("the source is not reachable")}, "nothing is known of the slot: the source is not reachable"},
	} {
		s := &Service{
			State: mappingtest.Store(t, mappingtest.Path(t)), SlotName: "ghlsync", Slots: c.slots, Live: Offline{Enabled: true},
		}
		d, err := s.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.Reasons, "|"); got != strings.TrimSuffix("no daemon is running|"+c.reason, "|") || (d.Slot != nil) != (c.reason == "") {
			t.Errorf("%s: slot %v, reasons %s", name, d.Slot, got)
		}
	}
}

func TestStatusWithoutAState(t *testing.T) {
	t.Parallel()
	missing := errors.New("there is no state")
	s := &Service{StateError: missing, Live: Offline{Enabled: true}}
	d, err := s.Status(t.Context())
	if err != nil || d.Health != Down || d.Checkpoint != nil || !strings.Contains(strings.Join(d.Reasons, "|"), "there is no state") {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := s.Page(t.Context(), Query{}); !errors.Is(err, missing) {
		t.Errorf("page: %v", err)
	}
	if _, err := s.Show(t.Context(), "1", Show{}); !errors.Is(err, missing) {
		t.Errorf("show: %v", err)
	}
	if _, err := s.Do(t.Context(), operate.Retry, operate.Selection{Failed: true}); !errors.Is(err, ErrRequest) {
		t.Errorf("do: %v", err)
	}
}

// Whoever asked may be gone: half an answer is none.
func TestStatusOfACutQuestionIsAnError(t *testing.T) {
	t.Parallel()
	s := &Service{State: mappingtest.Store(t, mappingtest.Path(t)), SlotName: mappingtest.Slot, Live: Offline{Enabled: true}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestDetail(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Synced("s"), mappingtest.Failed("f"))
	code, text, _ := r.ask("GET", "/api/v1/mappings/f", "")
	if code != 200 || strings.Contains(text, "bait") {
		t.Errorf("client data without a request for it: %d %s", code, text)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"sentra_event_id": "f", "ghl_appointment_id": nil, "sync_status": "failed", "sync_error": "CONTACT_NOT_FOUND",
		"last_sync_attempt": "2026-01-15T09:00:00Z", "event_type": "onboarding", "wanted": "present", "attempts": 1.0,
		"next_attempt_at": nil, "commit_lsn": "0/16B3748", "ghl_state": "absent", "parked_reason": "CONTACT_NOT_FOUND", "call": nil,
	} {
		if value, ok := got[name]; !ok || value != want {
			t.Errorf("%s: %v, want %v", name, value, want)
		}
	}
	d, err := r.client("").Show(t.Context(), "s", Show{Payload: true})
	if err != nil || string(d.Payload) != mappingtest.Payload || *d.GHLAppointmentID != "ghl-s" {
		t.Errorf("with payload: %+v, %v", d, err)
	}
}

func TestAttemptsAreShownNewestFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	store := mappingtest.Store(t, mappingtest.Path(t), mappingtest.Failed("f"))
	tx, err := store.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		err = errors.Join(err, tx.Record(t.Context(), state.Attempt{
			EventID: "f", Operation: state.Create, DeliveryID: fmt.Sprint("d", i), StartedAt: mappingtest.At.Add(time.Duration(i) * time.Second),
			Duration: 1500 * time.Microsecond, HTTPStatus: 200 * (i % 2), Outcome: "retry", Code: "TIMEOUT",
		}))
	}
	if err := errors.Join(err, tx.Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
	s := &Service{State: store, Live: r.live}
	d, err := s.Show(t.Context(), "f", Show{Attempts: 2})
	if err != nil {
		t.Fatal(err)
	}
	ok, code := 200, "TIMEOUT"
	want := []Attempt{
		{Operation: "create", DeliveryID: "d2", StartedAt: mappingtest.At.Add(2 * time.Second), DurationMS: 1.5, Outcome: "retry", ErrorCode: &code},
		{Operation: "create", DeliveryID: "d1", StartedAt: mappingtest.At.Add(time.Second), DurationMS: 1.5, HTTPStatus: &ok, Outcome: "retry", ErrorCode: &code},
	}
	if diff := cmp.Diff(want, d.LastAttempts); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWebhookDisabledIsDerived(t *testing.T) {
	t.Parallel()
	refused := mappingtest.Pending("r")
	refused.SyncError = "HTTP_503"
	r := newRig(t, "", mappingtest.Pending("p"), mappingtest.Synced("s"), mappingtest.Failed("f"), refused)
	said := func() string {
		p, err := r.client("").Page(t.Context(), Query{})
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, m := range p.Mappings {
			if m.SyncError != nil {
				b.WriteString(m.SentraEventID + ": " + *m.SyncError + "; ")
			}
		}
		return b.String()
	}
	if got := said(); got != "f: CONTACT_NOT_FOUND; r: HTTP_503; " {
		t.Errorf("enabled: %s", got)
	}
	r.live.set(func(l *live) { l.delivery.Enabled = false })
	if got := said(); got != "f: CONTACT_NOT_FOUND; p: Webhook disabled; r: HTTP_503; " {
		t.Errorf("disabled: %s", got)
	}
}

func TestClientTakesOnlyAGhlsyncsAnswer(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		":8089": "localhost:8089", "0.0.0.0:1": "localhost:1", "[::]:2": "localhost:2", "10.1.2.3:4": "10.1.2.3:4", "[::1]:5": "[::1]:5", "odd": "odd",
	} {
		if got := dialable(addr); got != want {
			t.Errorf("%s: dials %s, want %s", addr, got, want)
		}
	}
	for code, want := range map[int]error{401: ErrToken, 404: state.ErrNotFound, 400: ErrRequest} {
		if err := refusal(code, []byte("not JSON")); !errors.Is(err, want) {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Synced("1"))
	for text, want := range map[string]string{"1": "1", "ghl-1": "1", "ghl": "", "": ""} {
		id, err := r.service.Find(t.Context(), text)
		if id != want || (want == "") != errors.Is(err, state.ErrNotFound) {
			t.Errorf("%q is %q, %v", text, id, err)
		}
	}
}
