package deliver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
)

func TestCreateUpdateDelete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.change(r.present("1", "Session A"))
	r.awaitSettled("1")
	r.wantTitles("1", "Session A")
	id := r.row("1").AppointmentID
	if id == "" {
		t.Fatal("the appointment id of the answer was not kept")
	}
	r.change(r.present("1", "Session B"))
	r.awaitSettled("1")
	r.wantTitles("1", "Session B")
	if got := r.requests("1")[1].AppointmentID; got != id {
		t.Errorf("the update was for appointment %q, want %q", got, id)
	}
	r.change(r.absent("1"))
	r.awaitSettled("1")
	r.wantTitles("1")
	r.wantOperations("1", "created updated deleted")
	r.wantAudit("1", "delete delivered 200", "update delivered 200", "create delivered 200")
	r.wantRetired(id)
	r.wantClean()
}

// wantAudit checks the audit lines of an event, latest first.
func (r *rig) wantAudit(id string, want ...string) {
	r.t.Helper()
	lines, err := r.store.Attempts(r.t.Context(), state.EventID(id), 100)
	if err != nil {
		r.t.Fatal(err)
	}
	var got []string
	for _, a := range lines {
		got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %d %s", a.Operation, a.Outcome, a.HTTPStatus, a.Code)))
		if a.DeliveryID == "" || a.StartedAt.IsZero() || a.Duration <= 0 && a.Code != state.CodeInterrupted {
			r.t.Errorf("audit line is not complete: %+v", a)
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.t.Errorf("audit lines are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (r *rig) wantRetired(appointmentID string) {
	r.t.Helper()
	tx, err := r.store.Begin(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // it only reads
	taken, err := tx.Taken(r.t.Context(), []string{appointmentID})
	if err != nil {
		r.t.Fatal(err)
	}
	if owner, ok := taken[appointmentID]; !ok || owner != "" {
		r.t.Errorf("appointment %s is %v (owner %q), want retired", appointmentID, ok, owner)
	}
}

func TestLogLinesOfTheGuide(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.change(r.present("1", "Session A"))
	r.awaitSettled("1")
	r.faults(sandbox.Rule{Status: 503, Count: 1})
	r.change(r.present("1", "Session B"))
	r.awaitSettled("1")
	r.change(r.absent("1"))
	r.awaitSettled("1")
	r.stop()
	appointment := `"ghl_appointment_id":"ghl_000001"`
	for _, want := range []struct {
		n     int
		parts []string
	}{
		{4, []string{`"INFO","msg":"🔄 Triggering GHL webhook for onboarding event:"`, `"sentra_event_id":"1"`, `"delivery_id":"`}},
		{3, []string{`"msg":"🔄`, appointment}},
		{1, []string{`"INFO","msg":"✅ GHL webhook triggered successfully:"`, `"operation":"create"`, appointment, `"http_status":200`, `"duration":`}},
		{3, []string{`"msg":"✅ GHL webhook triggered successfully:"`, appointment}},
		{1, []string{`"WARN","msg":"⚠️ GHL webhook failed:"`, `"operation":"update"`, `"http_status":503`, `"code":"HTTP_503"`, `"next_attempt":"`}},
		{1, []string{`"INFO","msg":"✅ Mapping reference created:"`, `"operation":"create"`, appointment}},
		{1, []string{`"INFO","msg":"✅ Mapping reference updated:"`, `"operation":"update"`}},
		{1, []string{`"INFO","msg":"✅ Mapping reference updated:"`, `"operation":"delete"`}},
	} {
		if got := r.logs.count(want.parts...); got != want.n {
			t.Errorf("%d log lines with %q, want %d", got, want.parts, want.n)
		}
	}
	if t.Failed() {
		t.Log(r.logs)
	}
	r.wantClean()
}

func TestHookTellsOfRecordedCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	change := r.present("1", "Session A")
	r.change(change)
	r.awaitSettled("1")
	r.await("the hook was called", func() bool { events, _ := r.seen(); return len(events) > 0 })
	events, _ := r.seen()
	e := events[0]
	if len(events) != 1 || e.ID != "1" || e.Type != "onboarding" || e.Operation != state.Create || e.Result.Outcome != ghl.Delivered {
		t.Errorf("events are %+v", events)
	}
	if !e.CommittedAt.Equal(change.CommittedAt) || e.Started.Before(e.CommittedAt) || e.Ended.Before(e.Started) {
		t.Errorf("committed %s, started %s, ended %s", e.CommittedAt, e.Started, e.Ended)
	}
}

func TestFourShapesOfAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule   sandbox.Rule
		id     string
		parked string
	}{
		"the guide's":             {id: "ghl_000001"},
		"the older name":          {rule: sandbox.Rule{Effect: sandbox.EffectOlder}, id: "ghl_000001"},
		"GHL's own, without id":   {rule: sandbox.Rule{Effect: sandbox.EffectReal}},
		"a failure with a code":   {rule: sandbox.Rule{Code: "CONTACT_NOT_FOUND"}, parked: "CONTACT_NOT_FOUND"},
		"a failure without code":  {rule: sandbox.Rule{Effect: sandbox.EffectFailure}, parked: ghl.CodeGHLError},
		"an answer without sense": {rule: sandbox.Rule{Effect: sandbox.EffectMalformed}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.faults(c.rule)
			r.start()
			r.change(r.present("1", "Session A"))
			r.await("the call is over", func() bool { return r.row("1").Status() != state.Pending })
			if m := r.row("1"); m.AppointmentID != c.id || m.Parked != c.parked || m.SyncError != c.parked {
				t.Errorf("id %q, parked %q, error %q; want %q, %q", m.AppointmentID, m.Parked, m.SyncError, c.id, c.parked)
			}
			r.wantOperations("1", "created")
			r.wantClean()
		})
	}
}

// An answer without an id clears none.
func TestAnswerWithoutIDKeepsTheKnownOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.start()
	r.change(r.present("1", "Session A"))
	r.awaitSettled("1")
	r.faults(sandbox.Rule{Effect: sandbox.EffectReal})
	r.change(r.present("1", "Session B"))
	r.awaitSettled("1")
	if got := r.row("1").AppointmentID; got != "ghl_000001" {
		t.Errorf("the appointment id is %q", got)
	}
	r.wantTitles("1", "Session B")
}

func TestNewestStateWinsWhileACallIsInFlight(t *testing.T) {
	t.Parallel()
	sender := &heldSender{}
	sender.stop(false)
	r := newRig(t, sender.into)
	r.start()
	r.change(r.present("1", "Session 0"))
	r.await("the create is in flight", func() bool { return sender.held.Load() == 1 })
	for i := range 20 {
		r.change(r.present("1", fmt.Sprintf("Session %d", i+1)))
	}
	if m := r.row("1"); m.Call == nil || m.Call.State != state.InFlight || m.Status() != state.Pending {
		t.Errorf("the create is not in flight: %+v", m)
	}
	sender.release()
	r.awaitSettled("1")
	r.wantOperations("1", "created updated")
	r.wantTitles("1", "Session 20")
	r.wantClean()
}

// 4: whatever changes and fails meanwhile, one event has one call in flight.
func TestNeverTwoCallsForOneEvent(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.Settle = time.Millisecond })
	if err := r.box.Set(sandbox.Faults{Seed: 3, Rules: []sandbox.Rule{
		{DelayBefore: time.Millisecond, Probability: 0.5},
		{DelayAfter: 2 * time.Millisecond, Probability: 0.5},
		{Status: 500, Probability: 0.1},
		{Effect: sandbox.EffectDropAfter, Probability: 0.1},
	}}); err != nil {
		t.Fatal(err)
	}
	r.start()
	ids := []string{"1", "2", "3", "4"}
	for i := range 60 {
		var changes []state.Change
		for j, id := range ids {
			if (i+j)%7 == 6 {
				changes = append(changes, r.absent(id))
			} else {
				changes = append(changes, r.present(id, fmt.Sprintf("Session %d", i)))
			}
		}
		r.change(changes...)
	}
	r.faults()
	for _, id := range ids {
		r.change(r.present(id, "Session last"))
	}
	r.awaitSettled(ids...)
	for _, id := range ids {
		r.wantTitles(id, "Session last")
	}
	if s := r.box.Stats(); s.Requests < 60 {
		t.Errorf("only %d requests: the test does not load anything", s.Requests)
	}
	r.wantClean()
}

// 6: a refusal is retried for ever, under the same delivery id, and never parks.
func TestRetriesForEver(t *testing.T) {
	t.Parallel()
	const refusals = 30
	r := newRig(t)
	r.faults(sandbox.Rule{Status: 503, Count: refusals})
	r.start()
	r.change(r.present("1", "Session A"))
	r.awaitSettled("1")
	got := r.requests("1")
	if len(got) != refusals+1 {
		t.Errorf("%d requests, want %d", len(got), refusals+1)
	}
	for _, q := range got {
		if q.DeliveryID != got[0].DeliveryID || q.Body != got[0].Body {
			t.Fatalf("request %d has another delivery id or body than the first", q.Number)
		}
	}
	if m := r.row("1"); m.Attempts != 0 || m.SyncError != "" {
		t.Errorf("after success attempts are %d and the error is %q", m.Attempts, m.SyncError)
	}
	r.wantClean()
}

func TestParkedUntilSomethingNewIsWantedOrSomebodyRetries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.faults(sandbox.Rule{Status: 422, Count: 1}, sandbox.Rule{Code: "CONTACT_NOT_FOUND", Count: 1})
	r.start()
	r.change(r.present("1", "Session A"))
	r.await("it is parked", func() bool { return r.row("1").Parked == "HTTP_422" })
	r.change(r.present("1", "Session B"))
	r.await("it is parked again", func() bool { return r.row("1").Parked == "CONTACT_NOT_FOUND" })
	if s := r.row("1").Status(); s != state.Failed {
		t.Errorf("status is %s", s)
	}
	r.edit([]state.EventID{"1"}, func(rows map[state.EventID]*state.Mapping, now time.Time) {
		if !rows["1"].Retry(now) {
			t.Error("it cannot be retried")
		}
	})
	r.awaitSettled("1")
	r.wantOperations("1", "created created created")
	r.wantTitles("1", "Session B")
	for _, code := range []string{"HTTP_422", "CONTACT_NOT_FOUND"} {
		if n := r.logs.count(`"WARN","msg":"⚠️ GHL webhook failed:"`, `"parked":"`+code+`"`); n != 1 {
			t.Errorf("%d log lines that it is parked as %s, want one", n, code)
		}
	}
	r.wantClean()
}

func TestDisabledSendsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.Disabled = true })
	r.change(r.present("1", "Session A"))
	r.start()
	r.d.Wake()
	r.never("anything is claimed", func() bool { return r.row("1").Attempts > 0 || r.box.Stats().Requests > 0 })
	s := r.d.Status()
	if s.Enabled || s.Detail != "Webhook disabled" || s.Paused || s.Breaker != deliver.BreakerClosed {
		t.Errorf("status is %+v", s)
	}
	if r.logs.count(`"WARN","msg":"Webhook disabled`) != 1 {
		t.Error("it is not said that delivery is disabled")
	}
	m := r.row("1")
	if m.Status() != state.Pending || m.NextAttempt.IsZero() {
		t.Errorf("the event is not due any more: %+v", m)
	}
}

// never looks for a while whether something that must not happen does.
func (r *rig) never(what string, happens func() bool) {
	r.t.Helper()
	over := time.NewTimer(150 * time.Millisecond)
	defer over.Stop()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		if happens() {
			r.t.Fatalf("%s", what)
		}
		select {
		case <-look.C:
		case <-over.C:
			return
		}
	}
}

func TestRateIsKeptAndWaitingEventsStayFresh(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(r *rig) { r.o.Rate, r.o.Burst = rate.Limit(20), 5 })
	var all []state.Change
	for i := range 30 {
		all = append(all, r.present(fmt.Sprint(i), "Session old"))
	}
	r.change(all...)
	begin := time.Now()
	r.start()
	r.await("the burst has left", func() bool { return r.box.Stats().Requests >= 5 })
	all = all[:0]
	for i := range 30 {
		all = append(all, r.present(fmt.Sprint(i), "Session new"))
	}
	r.change(all...)
	r.awaitIdle()
	requests := r.box.Stats().Requests
	if least := time.Duration(float64(requests-5) / 20 * float64(time.Second)); time.Since(begin) < least {
		t.Errorf("%d requests took %s, want at least %s", requests, time.Since(begin), least)
	}
	if requests > 45 {
		t.Errorf("%d requests for 30 events: states that were not the newest went out", requests)
	}
	for i := range 30 {
		r.wantTitles(fmt.Sprint(i), "Session new")
	}
	r.wantClean()
}

// A busy loop costs one commit for many calls, and an idle one nothing.
func TestCommitsAreSharedAndIdleCostsNone(t *testing.T) {
	t.Parallel()
	const events = 400
	counting := &flakyStore{}
	r := newRig(t, counting.into, func(r *rig) { r.o.Concurrency = 32 })
	var all []state.Change
	for i := range events {
		all = append(all, r.present(fmt.Sprint(i), "Session A"))
	}
	r.change(all...)
	r.start()
	r.awaitIdle()
	if n := counting.commits.Load(); n > events/2 {
		t.Errorf("%d commits for %d calls", n, events)
	}
	begins := counting.begins.Load()
	r.never("an idle loop begins transactions", func() bool { return counting.begins.Load() > begins+2 })
	r.wantClean()
}

func TestHookIsGone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rule sandbox.Rule
		code string
	}{
		"401":      {sandbox.Rule{Status: http.StatusUnauthorized}, ghl.CodeUnauthorized},
		"403":      {sandbox.Rule{Status: http.StatusForbidden}, ghl.CodeForbidden},
		"404":      {sandbox.Rule{Status: http.StatusNotFound}, ghl.CodeHookNotFound},
		"410":      {sandbox.Rule{Status: http.StatusGone}, ghl.CodeHookGone},
		"redirect": {sandbox.Rule{Effect: sandbox.EffectRedirect}, ghl.CodeRedirect},
		"inactive": {sandbox.Rule{Effect: sandbox.EffectDraft}, ghl.CodeWorkflowInactive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testPause(t, c.rule, c.code)
		})
	}
}

func testPause(t *testing.T, rule sandbox.Rule, code string) {
	t.Helper()
	r := newRig(t)
	var all []state.Change
	for i := range 40 {
		all = append(all, r.present(fmt.Sprint(i), "Session A"))
	}
	r.faults(rule)
	r.change(all...)
	r.start()
	r.await("it has paused and probed", func() bool { return r.d.Status().Paused && r.box.Stats().Requests > 12 })
	if s := r.d.Status(); s.PauseReason != code || s.Detail != ghl.Explain(code) {
		t.Errorf("status is %+v", s)
	}
	for i := range 40 {
		if m := r.row(fmt.Sprint(i)); m.Parked != "" || m.Call != nil && m.Call.State != state.InFlight && m.Attempts != 0 {
			t.Errorf("a pause counts against event %s: attempts %d, parked %q", m.ID, m.Attempts, m.Parked)
		}
	}
	r.faults()
	r.awaitIdle()
	if s := r.d.Status(); s.Paused || !s.NextProbe.IsZero() || s.Detail != "" {
		t.Errorf("status after the pause is %+v", s)
	}
	if n := r.logs.count(`"level":"ERROR"`); n != 1 || r.logs.count(`"level":"ERROR"`, code, "explanation") != 1 {
		t.Errorf("%d messages at error level, want one, with what to do", n)
	}
	if n := r.logs.count(`"msg":"delivery goes on"`); n != 1 {
		t.Errorf("%d messages that delivery goes on, want one", n)
	}
	for i := range 40 {
		r.wantTitles(fmt.Sprint(i), "Session A")
	}
	r.wantClean()
}
