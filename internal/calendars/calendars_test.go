package calendars_test

import (
	"bytes"
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

func TestNothingDiffers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want("a", "Kick-off", 9)
	r.want("b", "Kick-off", 10)
	r.want("c", "Kick-off", 11)
	r.gone("c")
	r.settles()
	report := r.compare(false)
	r.same("found", []string(nil), found(report))
	if report.Appointments != 2 || report.Requests == 0 {
		t.Errorf("%+v", report)
	}
}

func TestWhatPeopleDid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, id := range []string{"moved", "far away", "deleted", "showed"} {
		r.want(id, "Kick-off", 9+i)
	}
	r.settles()
	at := day.Add(20 * time.Hour)
	if !r.box.Move(r.appointment("moved"), at, at.Add(time.Hour)) || !r.box.Move(r.appointment("far away"), at.AddDate(20, 0, 0), at.AddDate(20, 0, 0).Add(time.Hour)) ||
		!r.box.Remove(r.appointment("deleted")) || !r.box.SetStatus(r.appointment("showed"), "showed") {
		t.Fatal("there is something missing in GHL")
	}
	report := r.compare(false)
	r.same("found", []string{"changed far away start, end", "changed moved start, end", "deleted deleted"}, found(report))
	r.settles()
	r.same("book", map[string]string{
		"moved": "Kick-off 09:00;", "far away": "Kick-off 10:00;", "deleted": "Kick-off 11:00;", "showed": "Kick-off 12:00;",
	}, r.book())
	if a := r.box.AppointmentsOf("showed")[0]; a.Status != "showed" {
		t.Errorf("what people set is gone: %s", a.Status)
	}
	r.same("afterwards", []string(nil), found(r.compare(false)))
}

// Orphans go through delivery, past the fuse.
func TestOrphans(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i, id := range []string{"a", "b", "c", "d"} {
		r.want(id, "Kick-off", 9+i)
	}
	r.settles()
	// A state that knows nothing of them, as an older backup does.
	r.forget("a", "b", "c")
	report := r.compare(false)
	r.same("found", []string{"orphan a", "orphan b", "orphan c"}, found(report))
	for i, d := range report.Orphans.Items {
		m, err := r.store.Get(t.Context(), state.OrphanID(d.AppointmentID))
		if err != nil {
			t.Fatal(err)
		}
		r.same("its urgency", day.Add(time.Duration(9+i)*time.Hour), m.StartsAt)
	}
	r.settles()
	r.same("book", map[string]string{"d": "Kick-off 12:00;"}, r.book())
	r.same("afterwards", []string(nil), found(r.compare(false)))

	r.fuse = 1
	r.want("e", "Kick-off", 13)
	r.settles()
	r.forget("d", "e")
	if report := r.compare(false); report.Held == 0 {
		t.Errorf("the fuse holds nothing: %+v", report)
	}
	r.settles()
	if n := len(r.box.Appointments()); n != 2 {
		t.Errorf("GHL has %d appointments, want the two that the fuse holds", n)
	}
}

// forget takes rows out of the state behind everybody's back: they become settled
// tombstones and are pruned.
func (r *rig) forget(ids ...string) {
	r.t.Helper()
	r.change(func(ctx context.Context, tx state.Tx) error {
		for _, id := range ids {
			rows, err := tx.Load(ctx, []state.EventID{state.EventID(id)})
			if err != nil {
				return err
			}
			m := rows[state.EventID(id)]
			m.Wanted, m.GHL, m.Payload, m.AppointmentID, m.UpdatedAt = state.Absent, state.GHLAbsent, nil, "", time.Unix(1, 0).UTC()
			if err := tx.Save(ctx, m); err != nil {
				return err
			}
		}
		_, err := tx.Prune(ctx, time.Unix(2, 0).UTC(), time.Unix(2, 0).UTC(), 100)
		return err
	})
}

// What the webhook made is found by contact and time, if that is asked for, and
// only where there is no doubt.
func TestAdoptByTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byWebhook(map[string]int{"same": 9, "edited": 10, "removed": 11})
	r.want("edited", "Edited", 14)
	r.gone("removed")
	r.settles()
	if n := len(r.box.Appointments()); n != 3 {
		t.Fatalf("%d appointments, want 3", n)
	}
	r.same("without being asked", []string{
		"unnamed edited no appointment has its marker", "unnamed removed no appointment has its marker", "unnamed same no appointment has its marker",
	}, found(r.compare(false)))
	r.same("by time", []string{"adopted edited contact and time", "adopted removed contact and time", "adopted same contact and time"}, found(r.compare(true)))
	r.settles()
	r.same("book", map[string]string{"same": "Kick-off 09:00;", "edited": "Edited 14:00;"}, r.book())
	r.same("afterwards", []string(nil), found(r.compare(true)))
}

func TestAdoptByTimeInDoubt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byWebhook(map[string]int{"one": 9, "two": 9, "moved": 12})
	at := day.Add(20 * time.Hour)
	if !r.box.Move(r.appointment("moved"), at, at.Add(time.Hour)) {
		t.Fatal("there is nothing to move")
	}
	r.same("two at one time, and one elsewhere", []string{
		"unnamed moved its contact has appointments at other times: one of them may be it",
		"unnamed one its contact has several appointments at that time", "unnamed two its contact has several appointments at that time",
	}, found(r.compare(true)))
	for _, a := range r.box.Appointments() {
		r.box.Remove(a.ID)
	}
	const none = " its contact has no appointment in these calendars"
	r.same("none at all", []string{"lost moved" + none, "lost one" + none, "lost two" + none}, found(r.compare(true)))
	r.settles()
	r.same("book", map[string]string{"one": "Kick-off 09:00;", "two": "Kick-off 09:00;", "moved": "Kick-off 12:00;"}, r.book())
}

// An event whose contact GHL does not know may have its appointment with another
// contact, such as one with a former e-mail: it is not made again.
func TestContactIsNotKnown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byWebhook(map[string]int{"a": 9})
	r.row("a", func(m *state.Mapping) {
		m.Payload = bytes.ReplaceAll(m.Payload, []byte("a@example.com"), []byte("new@example.com"))
	})
	r.box.SetAPI(sandbox.API{})
	r.same("found", []string{"unnamed a its contact is not known to GHL, or was not before its last edit"}, found(r.compare(true)))
}

// With an answer missing nothing is judged: half a list makes orphans of nobody.
func TestGHLDoesNotAnswer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.want("a", "Kick-off", 9)
	r.settles()
	r.forget("a")
	if err := r.box.Set(sandbox.Faults{Rules: []sandbox.Rule{{Call: sandbox.CallListEvents, Status: 503}}}); err != nil {
		t.Fatal(err)
	}
	c := &calendars.Comparison{GHL: r.client, Store: r.store, Log: slog.New(slog.DiscardHandler), Changed: r.d.Wake, Now: time.Now}
	report, err := c.Run(t.Context(), calendars.Options{})
	if err == nil || !strings.Contains(err.Error(), "run it again") || len(found(report)) != 0 {
		t.Errorf("%v, %+v", err, report)
	}
	if n := len(r.box.Appointments()); n != 1 {
		t.Errorf("%d appointments are left", n)
	}
}

// An emptied book, or another location, does not have everything made again.
func TestTooManyDeleted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fuse = 2
	for i, id := range []string{"a", "b", "c", "moved"} {
		r.want(id, "Kick-off", 9+i)
	}
	r.settles()
	at := day.Add(20 * time.Hour)
	if !r.box.Move(r.appointment("moved"), at, at.Add(time.Hour)) {
		t.Fatal("there is nothing to move")
	}
	for _, id := range []string{"a", "b", "c"} {
		r.box.Remove(r.appointment(id))
	}
	report := r.compare(false)
	r.same("found", []string{"changed moved start, end", "deleted a", "deleted b", "deleted c"}, found(report))
	if report.Withheld != 3 {
		t.Errorf("%d are withheld, want 3", report.Withheld)
	}
	r.settles()
	r.same("book", map[string]string{"moved": "Kick-off 12:00;"}, r.book())
	r.fuse = 3
	if report := r.compare(false); report.Withheld != 0 {
		t.Errorf("%d are withheld within the fuse", report.Withheld)
	}
	r.settles()
	if n := len(r.box.Appointments()); n != 4 {
		t.Errorf("GHL has %d appointments, want 4", n)
	}
}
