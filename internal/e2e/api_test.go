package e2e

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
)

// byAPI makes the rig's daemon call the sandbox's calendar API. Everybody is a
// contact there.
func (r *rig) byAPI(change ...func(*sandbox.API)) {
	set := r.ghl.API()
	set.AutoContacts = true
	for _, c := range change {
		c(&set)
	}
	r.ghl.SetAPI(set)
	delete(r.env, "GHL_WEBHOOK_URL")
	r.set("GHL_MODE=api", "GHL_API_URL="+r.ghl.APIURL(), "GHL_API_TOKEN="+set.Token, "GHL_LOCATION_ID="+set.LocationID,
		"GHL_ONBOARDING_CALENDAR_ID=calOnboarding", "GHL_HANDOVER_CALENDAR_ID=calHandover")
}

// TestAPIKillsUnderLoad is TestKillsUnderLoad by the calendar API, which knows no
// delivery ids: whatever was cut is looked up before anything is created.
func TestAPIKillsUnderLoad(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 2))
	r := newRig(t, "GHL_SETTLE=200ms", "GHL_RETRY_BASE=10ms", "GHL_RETRY_CAP=50ms")
	r.byAPI()
	r.faults(
		sandbox.Rule{Call: sandbox.CallCreateAppointment, Probability: 0.1, Effect: sandbox.EffectDropAfter},
		sandbox.Rule{Call: sandbox.CallCreateAppointment, Probability: 0.1, Status: 502, Act: sandbox.ActYes},
		sandbox.Rule{Call: sandbox.CallDeleteAppointment, Probability: 0.1, Effect: sandbox.EffectCut},
		sandbox.Rule{Probability: 0.1, DelayAfter: 20 * time.Millisecond},
	)
	load := r.play(seed)
	for range kills / 2 {
		r.launch()
		life := time.Duration(random.IntN(500)) * time.Millisecond
		select {
		case <-time.After(life):
		case <-r.proc.done:
			t.Fatalf("daemon ended by itself:\n%s", tail(r.proc.stderr.String(), 4000))
		}
		r.proc.kill()
	}
	r.start()
	load.end(t)
	r.caughtUp()
	r.same()
	stats := r.ghl.Stats()
	if stats.Doubles != 0 {
		t.Errorf("%d appointments were booked twice, seed %d", stats.Doubles, seed)
	}
	if v := r.ghl.Violations(); len(v) > 0 {
		t.Errorf("%d requests were not as GHL wants them, such as %+v", len(v), v[0])
	}
	t.Logf("%d kills; GHL: %+v", kills/2, stats)
}

// TestAPILife: an event comes, changes its calendar, keeps what people set in GHL,
// and goes; then GHL's limits come near.
func TestAPILife(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byAPI(func(a *sandbox.API) {
		a.Quota = sandbox.Quota{Burst: 1000, Interval: 10 * time.Second, Daily: 200_000}
	})
	r.start()
	r.insert("event-1", "onboarding", "Kick-off")
	r.caughtUp()
	r.same()
	booked := r.ghl.AppointmentsOf("event-1")[0]
	if m := r.mapping("event-1"); m.AppointmentID == nil || *m.AppointmentID != booked.ID {
		t.Fatalf("the mapping has %+v, GHL %s", m, booked.ID)
	}
	if !r.ghl.SetStatus(booked.ID, "showed") {
		t.Fatal("there is nothing to show")
	}
	r.db.Exec(t, "UPDATE calendar_events SET type = 'handover', start_time = '11:00', end_time = '12:30' WHERE id = 'event-1'")
	r.caughtUp()
	r.same()
	moved := r.ghl.AppointmentsOf("event-1")[0]
	if moved.ID != booked.ID || moved.Status != "showed" || moved.Booking.CalendarID != "calHandover" {
		t.Errorf("after the edit it is %+v of %s, before it was %s", moved, moved.Booking.CalendarID, booked.ID)
	}
	s := r.status()
	if s.Delivery.Quota == nil || s.Delivery.Quota.DailyMax != 200_000 || s.Delivery.Quota.DailyRemaining >= 200_000 {
		t.Errorf("the status does not tell what GHL still takes: %+v", s.Delivery)
	}
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'event-1'")
	r.caughtUp()
	if left := r.ghl.AppointmentsOf("event-1"); len(left) != 0 {
		t.Errorf("GHL still has %+v", left)
	}
	for _, secret := range []string{"pit-sandbox", "@"} {
		if strings.Contains(r.proc.stderr.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

// TestAPIMissingContact parks an event until its client is a contact, and makes the
// contact where it is told to.
func TestAPIMissingContact(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byAPI(func(a *sandbox.API) { a.AutoContacts = false })
	r.start()
	r.insert("event-1", "onboarding", "Kick-off")
	r.until("it is parked", func() bool {
		m := r.mapping("event-1")
		return m != nil && m.Error != nil && *m.Error == "CONTACT_NOT_FOUND"
	})
	r.proc.stop()
	r.set("GHL_CREATE_CONTACTS=true")
	r.start()
	if out, errs, code := r.run("mappings", "retry", "--failed"); code != 0 {
		t.Fatalf("retry: %d\n%s%s", code, out, errs)
	}
	r.caughtUp()
	r.same()
}

// TestFromWebhookToAPI: what the webhook's workflow made is not made again. The
// sandbox answers the webhook as GHL does, without an id.
func TestFromWebhookToAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.faults(sandbox.Rule{Effect: sandbox.EffectReal})
	r.start()
	for _, id := range []string{"event-1", "event-2", "event-3"} {
		r.insert(id, "onboarding", "Kick-off "+id)
	}
	r.caughtUp()
	before := len(r.ghl.Appointments())
	r.proc.stop()
	r.faults()
	r.byAPI()
	r.start()
	r.db.Exec(t, "UPDATE calendar_events SET title = 'edited' WHERE id = 'event-1'")
	r.until("the edit waits for the id", func() bool {
		m := r.mapping("event-1")
		return m != nil && m.Error != nil && *m.Error == "APPOINTMENT_ID_UNKNOWN"
	})
	if n := len(r.ghl.Appointments()); n != before {
		t.Fatalf("GHL has %d appointments, want the %d of the webhook", n, before)
	}
	if slices.ContainsFunc(r.ghl.Appointments(), func(a sandbox.Appointment) bool { return a.EventTitle == "edited" }) {
		t.Error("the edit went somewhere")
	}
	out, errs, code := r.run("reconcile", "--adopt-by-time", "--dry-run")
	for _, text := range []string{"adopted", "event-1 (contact", "event-3 (contact", "Nothing was changed"} {
		if code != 0 || !strings.Contains(out, text) {
			t.Errorf("the dry run does not say %q: %d\n%s%s", text, code, out, errs)
		}
	}
	if m := r.mapping("event-1"); m.AppointmentID != nil {
		t.Errorf("a dry run took an id: %+v", m)
	}
	if out, errs, code := r.run("reconcile", "--adopt-by-time"); code != 0 || !strings.Contains(out, "on its way to GHL") {
		t.Errorf("adoption: %d\n%s%s", code, out, errs)
	}
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'event-3'")
	r.caughtUp()
	r.same()
	if n := len(r.ghl.Appointments()); n != before-1 {
		t.Errorf("GHL has %d appointments, want %d", n, before-1)
	}
}

// TestReconcileWithGHL: what people did in GHL is undone, by the daemon that runs
// and, told by the command alone, by the next one.
func TestReconcileWithGHL(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.byAPI()
	r.start()
	for _, id := range []string{"event-1", "event-2"} {
		r.insert(id, "onboarding", "Kick-off "+id)
	}
	r.caughtUp()
	byHand := func() {
		t.Helper()
		at := time.Now().UTC().Truncate(time.Hour)
		if !r.ghl.Move(r.ghl.AppointmentsOf("event-1")[0].ID, at, at.Add(time.Hour)) || !r.ghl.Remove(r.ghl.AppointmentsOf("event-2")[0].ID) {
			t.Fatal("there is nothing to change in GHL")
		}
	}
	for name, alone := range map[string]bool{"with the daemon": false, "without it": true} {
		byHand()
		if alone {
			r.proc.stop()
		}
		out, errs, code := r.run("reconcile")
		if code != 0 || !strings.Contains(out, "event-1 (start, end)") || !strings.Contains(out, "deleted  1  event-2") {
			t.Errorf("%s: %d\n%s%s", name, code, out, errs)
		}
		if alone {
			r.start()
		}
		r.caughtUp()
		r.same()
	}
}
