package calendars_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"
	"go.uber.org/goleak"
	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/calendars"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 30 * time.Second

// rig is a state, a GHL, and delivery between them.
type rig struct {
	t      *testing.T
	box    *sandbox.Sandbox
	store  *sqlite.Store
	client *api.Client
	d      *deliver.Deliverer
	fuse   int
	lsn    pglogrepl.LSN
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, box: sandbox.New(sandbox.Options{API: sandbox.API{AutoContacts: true}})}
	if err := r.box.Start(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.box.Close)
	var err error
	if r.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	r.client, err = api.New(api.Options{
		URL: r.box.APIURL(), Token: "pit-sandbox", LocationID: "sandboxLocation", IgnoreFreeSlot: true,
		Calendars: map[string]string{"onboarding": "calOnboarding", "handover": "calHandover"},
	})
	if err != nil {
		t.Fatal(err)
	}
	webhook, err := ghl.NewWebhook(ghl.WebhookOptions{URL: r.box.WebhookURL()})
	if err != nil {
		t.Fatal(err)
	}
	r.deliver(r.client, r.client.Encode)
	t.Cleanup(func() {
		r.stop()
		r.client.Close()
		webhook.Close()
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// deliver starts delivery by a client.
func (r *rig) deliver(s deliver.Sender, encode func(ghl.Operation, string, string, []byte) []byte) {
	r.t.Helper()
	var err error
	r.d, err = deliver.New(deliver.Options{
		Store: r.store, Sender: s, Encode: encode, Rate: rate.Inf, RetryBase: 2 * time.Millisecond, RetryCap: 20 * time.Millisecond, Settle: 50 * time.Millisecond,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.d.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) stop() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.d.Stop(ctx); err != nil {
		r.t.Error(err)
	}
}

// byWebhook makes events as the webhook's workflow does: without a marker, and
// without telling an id. Then delivery goes by the calendar API.
func (r *rig) byWebhook(hours map[string]int) {
	r.t.Helper()
	r.stop()
	if err := r.box.Set(sandbox.Faults{Rules: []sandbox.Rule{{Call: sandbox.CallWebhook, Effect: sandbox.EffectReal}}}); err != nil {
		r.t.Fatal(err)
	}
	w, err := ghl.NewWebhook(ghl.WebhookOptions{URL: r.box.WebhookURL()})
	if err != nil {
		r.t.Fatal(err)
	}
	defer w.Close()
	r.deliver(w, w.Encode)
	for id, hour := range hours {
		r.want(id, "Kick-off", hour)
	}
	r.settles()
	r.stop()
	r.deliver(r.client, r.client.Encode)
}

// day is one on which events may be that nothing is known of any more.
var day = time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 30)

func payload(id, title string, hour int) []byte {
	return fmt.Appendf(nil, `{"sentra_event_id":%[1]q,"client_id":4,"client_email":"a@example.com","client_phone":"","client_name":"A",`+
		`"event_title":%[2]q,"event_type":"onboarding","start_date":%[4]q,"end_date":%[4]q,"start_time":"%02[3]d:00",`+
		`"end_time":"%02[3]d:30","description":"","created_at":"2029-01-15T09:00:00Z","updated_at":"2029-01-15T09:00:00Z"}`, id, title, hour, day.Format(time.DateOnly))
}

func (r *rig) want(id, title string, hour int) {
	r.t.Helper()
	data := payload(id, title, hour)
	r.merge(state.Change{
		ID: state.EventID(id), Wanted: state.Present, EventType: "onboarding", Payload: data, Hash: fmt.Sprint(title, hour),
		StartsAt: day.Add(time.Duration(hour) * time.Hour),
	})
}

func (r *rig) gone(id string) {
	r.t.Helper()
	r.merge(state.Change{ID: state.EventID(id), Wanted: state.Absent})
}

func (r *rig) merge(c state.Change) {
	r.t.Helper()
	r.lsn += 8
	now := time.Now().UTC().Truncate(time.Microsecond)
	c.Version, c.CommittedAt = state.Version{Epoch: 1, LSN: r.lsn}, now
	r.change(func(ctx context.Context, tx state.Tx) error {
		rows, err := tx.Load(ctx, []state.EventID{c.ID})
		if err != nil {
			return err
		}
		m, _ := state.Merge(rows[c.ID], c, now)
		return tx.Save(ctx, m)
	})
}

func (r *rig) change(do func(context.Context, state.Tx) error) {
	r.t.Helper()
	tx, err := r.store.Begin(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if err := do(r.t.Context(), tx); err != nil {
		r.t.Fatal(errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.d.Wake()
}

// settles waits until delivery has nothing left to do.
func (r *rig) settles() {
	r.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		c, err := r.store.Counts(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		due, err := r.store.List(r.t.Context(), state.Filter{Wanted: state.Absent}, "", 100)
		if err != nil {
			r.t.Fatal(err)
		}
		busy := c.Pending - c.Held
		for _, m := range due {
			if !m.NextAttempt.IsZero() || m.Call != nil {
				busy++
			}
		}
		if busy == 0 && r.d.Status().InFlight == 0 {
			return
		}
		select {
		case <-look.C:
		case <-deadline.C:
			r.t.Fatalf("delivery does not come to rest: %+v, %+v", c, r.d.Status())
		}
	}
}

// compare runs a comparison, first dry, which must find the same and change
// nothing.
func (r *rig) compare(byTime bool) calendars.Report {
	r.t.Helper()
	c := &calendars.Comparison{
		GHL: r.client, Store: r.store, Fuse: r.fuse, Log: slog.New(slog.DiscardHandler), Changed: r.d.Wake,
		Now: func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) },
	}
	before := r.rows()
	dry, err := c.Run(r.t.Context(), calendars.Options{DryRun: true, AdoptByTime: byTime})
	if err != nil {
		r.t.Fatal(err)
	}
	if diff := cmp.Diff(before, r.rows()); diff != "" {
		r.t.Errorf("a dry run changes the state (-before +after)\n%s", diff)
	}
	report, err := c.Run(r.t.Context(), calendars.Options{AdoptByTime: byTime})
	if err != nil {
		r.t.Fatal(err)
	}
	dry.DryRun, dry.Held = report.DryRun, report.Held
	if diff := cmp.Diff(dry, report); diff != "" {
		r.t.Errorf("the dry run found something else (-dry +report)\n%s", diff)
	}
	return report
}

func (r *rig) rows() []string {
	r.t.Helper()
	rows, err := r.store.List(r.t.Context(), state.Filter{}, "", 100)
	if err != nil {
		r.t.Fatal(err)
	}
	var all []string
	for _, m := range rows {
		all = append(all, fmt.Sprintf("%+v", *m))
	}
	return all
}

// found is the report in short: kind, event and why.
func found(r calendars.Report) []string {
	var all []string
	for _, k := range []struct {
		name string
		calendars.Kind
	}{{"changed", r.Changed}, {"deleted", r.Deleted}, {"adopted", r.Adopted}, {"lost", r.Lost}, {"unnamed", r.Unnamed}, {"orphan", r.Orphans}} {
		for _, d := range k.Items {
			all = append(all, strings.TrimSpace(k.name+" "+d.EventID+" "+d.Why))
		}
	}
	return all
}

// book is what GHL has, by event: title and start.
func (r *rig) book() map[string]string {
	all := map[string]string{}
	for _, a := range r.box.Appointments() {
		all[a.SentraEventID] += a.EventTitle + " " + a.StartTime + ";"
	}
	return all
}

func (r *rig) same(what string, want, got any) {
	r.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

func (r *rig) appointment(id string) string {
	r.t.Helper()
	all := r.box.AppointmentsOf(id)
	if len(all) != 1 {
		r.t.Fatalf("event %s has %d appointments", id, len(all))
	}
	return all[0].ID
}
