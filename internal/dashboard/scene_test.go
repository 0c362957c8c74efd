package dashboard

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/mappingtest"
	"ghlsync/internal/trend"
	"ghlsync/state"
)

// clientEmail is client data, which has its place on one page.
const clientEmail = "bait@example.com"

// odd are ids as a table of others may have them.
var odd = []string{"..", "a//b/../c", "with space & <b>", "grüße/日本", `quo"te'`, "%2F?x=1#y", "retry"}

// want makes events wanted, as capture does, and wakes delivery.
func (r *rig) want(ids ...string) {
	r.t.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	rows := make([]*state.Mapping, len(ids))
	for i, id := range ids {
		payload := fmt.Appendf(nil, `{"sentra_event_id":%q,"client_id":456,"client_email":%q,"client_phone":"+15550100","client_name":"Anna",`+
			`"event_title":"Session","event_type":"onboarding","start_date":"2030-01-15","end_date":"2030-01-15","start_time":"10:00",`+
			`"end_time":"11:00","description":"","created_at":"2024-01-15T09:00:00Z","updated_at":"2024-01-15T09:00:00Z"}`, id, clientEmail)
		rows[i], _ = state.Merge(nil, state.Change{
			ID: state.EventID(id), Version: state.Version{Epoch: 1, LSN: mappingtest.LSN + 1}, CommittedAt: now,
			Wanted: state.Present, EventType: "onboarding", Payload: payload, Hash: "hash-of-" + id, Inserted: true,
		}, now)
	}
	mappingtest.Save(r.t, r.store, rows...)
	r.deliverer.Wake()
}

// faults sets what goes wrong in GHL; none: nothing.
func (r *rig) faults(rules ...sandbox.Rule) {
	r.t.Helper()
	if err := r.ghl.Set(sandbox.Faults{Rules: rules}); err != nil {
		r.t.Fatal(err)
	}
}

// refused makes an event that GHL has refused for good.
func (r *rig) refused(id string) {
	r.t.Helper()
	r.faults(sandbox.Rule{Event: id, Effect: sandbox.EffectFailure, Code: "CONTACT_NOT_FOUND"})
	r.want(id)
	r.is(id, state.Failed)
	r.faults()
}

// is waits until an event has a status.
func (r *rig) is(id string, want state.Status) {
	r.t.Helper()
	r.until(id+" is "+string(want), func() bool { return r.status(id) == want })
}

// past fills the hour before now with points.
func (r *rig) past() {
	at := time.Now().Add(-trend.Points * trend.Step)
	r.clock = func() time.Time { return at }
	r.trend.Close(0, nil)
	for i := range trend.Points {
		at = at.Add(trend.Step)
		wave := 1 + math.Sin(float64(i)/40)
		for j := range int(10 * wave) {
			took := time.Duration(120+30*j+int(80*wave)) * time.Millisecond
			r.trend.Observe(deliver.Event{Operation: state.Create, Result: ghl.Result{Outcome: ghl.Delivered}, CommittedAt: at.Add(-took), Ended: at})
		}
		if i%97 == 0 {
			r.trend.Observe(deliver.Event{Result: ghl.Result{Outcome: ghl.Retry}})
		}
		lag := int64(wave * (300 << 10))
		r.trend.Close(int64(20*wave), &lag)
	}
	r.clock = time.Now
}

// js is a text as JavaScript writes it.
func js(text string) string {
	out, err := json.Marshal(text)
	if err != nil {
		panic(err) // it is text
	}
	return string(out)
}
