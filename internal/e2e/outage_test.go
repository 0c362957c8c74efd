package e2e

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

// confirmed is how far the slot is confirmed, as text.
func (r *rig) confirmedPast(lsn string) bool {
	return r.db.QueryString(r.t, `SELECT coalesce((SELECT confirmed_flush_lsn >= $1::pg_lsn
		FROM pg_replication_slots WHERE slot_name = $2), false)::text`, lsn, r.env["CDC_SLOT"]) == "true"
}

// TestGHLDownHoldsNothingBack: 300 events change while GHL refuses every call. The
// slot passes them all the same; afterwards each is one call at most.
func TestGHLDownHoldsNothingBack(t *testing.T) {
	t.Parallel()
	const events = 300
	for name, rule := range map[string]sandbox.Rule{
		"unavailable": {Status: http.StatusServiceUnavailable},
		"dropping":    {Effect: sandbox.EffectDropBefore},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "GHL_SETTLE=50ms")
			r.start()
			r.caughtUp()
			r.faults(rule)
			for i := range events {
				r.insert(fmt.Sprintf("event-%d", i), "onboarding", "First")
			}
			for range 3 {
				r.db.Exec(t, "UPDATE calendar_events SET title = title || '+' WHERE id LIKE 'event-%'")
			}
			at := r.db.QueryString(t, "SELECT pg_current_wal_lsn()")
			r.insert("last", "onboarding", "Last") // something to be confirmed behind it
			began := time.Now()
			r.until("the slot passes the changes while GHL is down", func() bool { return r.confirmedPast(at) })
			t.Logf("confirmed after %s", time.Since(began))
			if s := r.status(); s.Mappings.Pending < events {
				t.Errorf("%d pending while GHL is down, want at least %d", s.Mappings.Pending, events)
			}

			r.faults()
			r.caughtUp()
			r.same()
			calls := make(map[string]int)
			for _, q := range r.ghl.Requests() {
				if q.Acted {
					calls[q.EventID]++
				}
			}
			// Calls of unknown outcome are repeated as they were: a connection that is
			// cut costs one more call for the few that were under way.
			more := 0
			for i := range events {
				if calls[fmt.Sprintf("event-%d", i)] > 1 {
					more++
				}
			}
			if limit := map[string]int{"unavailable": 0, "dropping": 16}[name]; more > limit {
				t.Errorf("%d events took more than one call that was acted on", more)
			}
		})
	}
}

// TestGHLFailsInEveryWay: whatever GHL does for a while, the book equals Sentra
// when it is well again.
func TestGHLFailsInEveryWay(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]sandbox.Rule{
		"5xx":                {Count: 4, Status: http.StatusBadGateway},
		"5xx after acting":   {Count: 4, Status: http.StatusInternalServerError, Act: sandbox.ActYes},
		"slow down":          {Count: 2, Status: http.StatusTooManyRequests, RetryAfter: "1"},
		"hangs, never acts":  {Count: 2, Effect: sandbox.EffectHangBefore},
		"hangs after acting": {Count: 2, Effect: sandbox.EffectHangAfter},
		"acts late":          {Count: 2, Effect: sandbox.EffectHangThenAct, ActAfter: 2100 * time.Millisecond},
		"drops before":       {Count: 3, Effect: sandbox.EffectDropBefore},
		"drops after":        {Count: 3, Effect: sandbox.EffectDropAfter, Reset: true},
		"cut answer":         {Count: 3, Effect: sandbox.EffectCut},
		"not JSON":           {Count: 2, Effect: sandbox.EffectMalformed},
		"answer without id":  {Count: 5, Effect: sandbox.EffectReal},
		"older answer":       {Count: 5, Effect: sandbox.EffectOlder},
		"draft workflow":     {Count: 2, Effect: sandbox.EffectDraft},
		"forbidden":          {Count: 2, Status: http.StatusForbidden},
		"hook is gone":       {Count: 2, Status: http.StatusGone},
		"redirect":           {Count: 2, Effect: sandbox.EffectRedirect, Location: "https://example.com/elsewhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "GHL_TIMEOUT=1s", "GHL_SETTLE=1500ms")
			r.start()
			r.caughtUp()
			r.faults(rule)
			for i := range 4 {
				r.insert(fmt.Sprintf("event-%d", i), "onboarding", "First")
			}
			r.until("GHL was called", func() bool { return r.ghl.Stats().Faults > 0 })
			r.db.Exec(t, "UPDATE calendar_events SET title = 'Second' WHERE id = 'event-1'")
			r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'event-2'")
			r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'event-3'")
			r.insert("event-3", "handover", "Again")
			r.caughtUp()
			r.same()
			if s := r.ghl.Stats(); s.Doubles != 0 {
				t.Errorf("%d doubles", s.Doubles)
			}
			if s := r.status(); s.Health != "ok" {
				t.Errorf("health is %s %v when all is well again", s.Health, s.Reasons)
			}
		})
	}
}

// TestRefusedForGood: a permanent refusal parks the one event with its code, and
// is tried again when it changes, or when somebody says so.
func TestRefusedForGood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.faults(sandbox.Rule{Event: "event-1", Operation: ghl.Created, Code: "CONTACT_NOT_FOUND"})
	r.insert("event-1", "onboarding", "First")
	r.insert("event-2", "onboarding", "Other")
	r.until("event-1 is parked", func() bool {
		m := r.mapping("event-1")
		return m != nil && m.Status == "failed" && m.Error != nil && *m.Error == "CONTACT_NOT_FOUND"
	})
	r.caughtUp()
	if m := r.mapping("event-2"); m.Status != "synced" {
		t.Errorf("event-2 is %s beside a parked one", m.Status)
	}
	if out, _, code := r.run("mappings", "list", "--status", "failed", "--json"); code != 0 || !containsID(out, "event-1") {
		t.Errorf("list of failed ones: code %d\n%s", code, out)
	}
	if _, _, code := r.run("status"); code != 1 {
		t.Errorf("status exits %d with a failed event, want 1", code)
	}
	r.faults()
	if _, errs, code := r.run("mappings", "retry", "event-1"); code != 0 {
		t.Fatalf("retry exits %d: %s", code, errs)
	}
	r.caughtUp()
	r.same()
	if _, errs, code := r.run("status"); code != 0 {
		t.Errorf("status exits %d when all is well: %s", code, errs)
	}
}

// TestDisabled: nothing is sent, everything is kept, and it goes out later.
func TestDisabled(t *testing.T) {
	t.Parallel()
	r := newRig(t, "GHL_WEBHOOK_ENABLED=false")
	r.start()
	r.insert("event-1", "onboarding", "First")
	r.captured()
	if n := r.ghl.Stats().Requests; n != 0 {
		t.Errorf("%d requests although the webhook is disabled", n)
	}
	if s := r.status(); s.Delivery.Enabled || s.Health != "degraded" {
		t.Errorf("status of a disabled webhook: %+v", s)
	}
	r.proc.stop()
	r.set("GHL_WEBHOOK_ENABLED=true")
	r.start()
	r.caughtUp()
	r.same()
}

// TestFuse: too many deletions at once are held; released they go out, dropped
// they stay; creates and updates go on meanwhile.
func TestFuse(t *testing.T) {
	t.Parallel()
	r := newRig(t, "GHL_DELETE_FUSE=5")
	r.start()
	for i := range 8 {
		r.insert(fmt.Sprintf("event-%d", i), "onboarding", "First")
	}
	r.caughtUp()
	booked := r.ghl.Stats().Live
	r.db.Exec(t, "DELETE FROM calendar_events WHERE title = 'First'")
	r.until("the fuse holds them", func() bool { return r.status().Mappings.Held == 8 })
	r.insert("event-new", "onboarding", "Goes on")
	r.until("creates go on", func() bool { return r.ghl.Stats().Live == booked+1 })
	if s := r.status(); s.Health != "degraded" {
		t.Errorf("health is %s while the fuse holds 8", s.Health)
	}

	r.proc.kill() // a hold is durable
	r.start()
	r.insert("event-0", "onboarding", "Back again") // the hold falls
	r.until("one hold falls", func() bool { return r.status().Mappings.Held == 7 })
	if _, errs, code := r.run("mappings", "drop", "event-1"); code != 0 {
		t.Fatalf("drop exits %d: %s", code, errs)
	}
	if _, errs, code := r.run("mappings", "release", "--all"); code != 0 {
		t.Fatalf("release exits %d: %s", code, errs)
	}
	r.until("all but the dropped one are gone", func() bool { return r.status().Mappings.Pending == 0 && r.status().Mappings.Held == 0 })
	left := r.ghl.Appointments()
	for _, a := range left {
		if a.SentraEventID == "event-1" {
			return
		}
	}
	t.Error("the dropped retraction's appointment is gone")
}
