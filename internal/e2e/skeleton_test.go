package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestAnEventGoesThere: insert, edit and delete reach GHL, across a kill and a
// graceful stop, and the state says so.
func TestAnEventGoesThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.insert("event-1", "onboarding", "First")
	r.caughtUp()
	r.same()
	m := r.mapping("event-1")
	if m == nil || m.Status != "synced" || m.AppointmentID == nil {
		t.Fatalf("mapping is %+v, want it synced with an appointment id", m)
	}

	r.proc.kill()
	r.db.Exec(t, "UPDATE calendar_events SET title = 'Second' WHERE id = 'event-1'")
	r.insert("event-2", "handover", "While nobody looks")
	r.start()
	r.caughtUp()
	r.same()

	if code, took := r.proc.stop(); code != 0 || took > 5*time.Second {
		t.Errorf("an idle daemon ends with code %d after %s", code, took)
	}
	r.db.Exec(t, "DELETE FROM calendar_events WHERE id = 'event-1'")
	r.db.Exec(t, "UPDATE calendar_events SET type = 'firstdraft' WHERE id = 'event-2'")
	r.start()
	r.caughtUp()
	r.same()
	if doubles := r.ghl.Stats().Doubles; doubles != 0 {
		t.Errorf("%d doubles", doubles)
	}
}

// TestGuideLogLines: the messages that operators watch appear with their exact
// texts and with ids, and no client's data appears anywhere.
func TestGuideLogLines(t *testing.T) {
	t.Parallel()
	r := newRig(t, "LOG_LEVEL=debug")
	r.start()
	r.insert("event-1", "handover", "Bait title")
	r.caughtUp()
	r.db.Exec(t, "UPDATE calendar_events SET description = 'Bait description' WHERE id = 'event-1'")
	r.caughtUp()
	r.proc.stop()
	said := r.proc.stderr.String()
	for _, line := range []string{
		"🔄 Triggering GHL webhook for handover event:", "✅ GHL webhook triggered successfully:",
		"✅ Mapping reference created:", "✅ Mapping reference updated:",
	} {
		if !strings.Contains(said, `"msg":"`+line+`"`) {
			t.Errorf("log lacks %q", line)
		}
	}
	if !strings.Contains(said, `"event-1"`) {
		t.Error("log lacks the event's id")
	}
	for _, secret := range []string{"Bait", "example.com", "+1555", "Business 1", "Client 1", "webhook-trigger", "bait-password"} {
		if strings.Contains(said, secret) {
			t.Errorf("log holds %q", secret)
		}
	}
}
