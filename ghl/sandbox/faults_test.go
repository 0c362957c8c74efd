package sandbox_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

func TestEffectsThatAnswer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule   sandbox.Rule
		status int
		body   string // part of it
		acted  bool
	}{
		"status":            {sandbox.Rule{Status: 500}, 500, `"statusCode":500`, false},
		"status that acts":  {sandbox.Rule{Status: 502, Act: sandbox.ActYes, Body: "bad gateway"}, 502, "bad gateway", true},
		"accepted":          {sandbox.Rule{Status: 202, Act: sandbox.ActYes, Body: "queued"}, 202, "queued", true},
		"failure":           {sandbox.Rule{Code: "CONTACT_NOT_FOUND"}, 200, `"error_code":"CONTACT_NOT_FOUND"`, false},
		"failure, no code":  {sandbox.Rule{Effect: sandbox.EffectFailure}, 200, `"success":false`, false},
		"draft":             {sandbox.Rule{Effect: sandbox.EffectDraft}, 200, `{"status":"Success: test request received"}`, false},
		"real":              {sandbox.Rule{Effect: sandbox.EffectReal}, 200, `"id":"exec0000000000000001"`, true},
		"older":             {sandbox.Rule{Effect: sandbox.EffectOlder}, 200, `"ghl_appointment_id":"ghl_000001"`, true},
		"malformed":         {sandbox.Rule{Effect: sandbox.EffectMalformed}, 200, "<html>", true},
		"malformed, no act": {sandbox.Rule{Effect: sandbox.EffectMalformed, Act: sandbox.ActNo, Body: "{"}, 200, "{", false},
		"redirect":          {sandbox.Rule{Effect: sandbox.EffectRedirect}, 302, "moved", false},
		"lie":               {sandbox.Rule{Act: sandbox.ActNo}, 200, `"success":true`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, sandbox.Options{})
			r.set(t, test.rule)
			a := r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
			if a.status != test.status || !strings.Contains(a.body, test.body) {
				t.Errorf("%+v, want %d %s", a, test.status, test.body)
			}
			line := r.Requests()[0]
			if line.Acted != test.acted || (len(r.Appointments()) == 1) != test.acted {
				t.Errorf("acted %t, book %+v, want acted %t", line.Acted, r.Appointments(), test.acted)
			}
			if !line.Done || line.Status != test.status || line.Answer != a.body {
				t.Errorf("log %+v", line)
			}
			if s := r.Stats(); s.Faults != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

func TestRedirectAndRetryAfterHeaders(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.set(t,
		sandbox.Rule{Effect: sandbox.EffectRedirect, Status: 307, Location: "/away", Count: 1},
		sandbox.Rule{Status: 429, RetryAfter: "7", Count: 1})
	if a := r.mustSend(t, "", body(ghl.Created, "e1", "")); a.status != 307 || a.header.Get("Location") != "/away" {
		t.Errorf("%+v", a)
	}
	if a := r.mustSend(t, "", body(ghl.Created, "e1", "")); a.status != 429 || a.header.Get("Retry-After") != "7" {
		t.Errorf("%+v", a)
	}
	// The rules are used up.
	if a := r.mustSend(t, "", body(ghl.Created, "e1", "")); a.status != 200 {
		t.Errorf("%+v", a)
	}
}

func TestEffectsThatBreakOff(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rule  sandbox.Rule
		want  error // nil: any
		acted bool
	}{
		"drop before":        {sandbox.Rule{Effect: sandbox.EffectDropBefore}, io.EOF, false},
		"drop after":         {sandbox.Rule{Effect: sandbox.EffectDropAfter}, io.EOF, true},
		"reset before":       {sandbox.Rule{Effect: sandbox.EffectDropBefore, Reset: true}, syscall.ECONNRESET, false},
		"reset after":        {sandbox.Rule{Effect: sandbox.EffectDropAfter, Reset: true}, syscall.ECONNRESET, true},
		"cut":                {sandbox.Rule{Effect: sandbox.EffectCut}, io.ErrUnexpectedEOF, true},
		"cut without acting": {sandbox.Rule{Effect: sandbox.EffectCut, Act: sandbox.ActNo}, io.ErrUnexpectedEOF, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, sandbox.Options{})
			r.set(t, test.rule)
			if _, err := r.send(t.Context(), "d1", body(ghl.Created, "e1", "")); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			line := r.Requests()[0]
			if !line.Done || line.Status != 0 || line.Acted != test.acted || (r.Stats().Live == 1) != test.acted {
				t.Errorf("log %+v, want acted %t", line, test.acted)
			}
			if n := r.Stats().Requests; n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestHangs(t *testing.T) {
	t.Parallel()
	for effect, acted := range map[sandbox.Effect]bool{sandbox.EffectHangBefore: false, sandbox.EffectHangAfter: true} {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			r := start(t, sandbox.Options{})
			r.set(t, sandbox.Rule{Effect: effect})
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() {
				_, err := r.send(ctx, "d1", body(ghl.Created, "e1", ""))
				ended <- err
			}()
			r.wait(t, func(s sandbox.Snapshot) bool { return s.Stats.Requests == 1 && (s.Live == 1) == acted })
			if line := r.Requests()[0]; line.Done {
				t.Errorf("answered: %+v", line)
			}
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			// The client's leaving ends it.
			r.wait(t, func(s sandbox.Snapshot) bool { return s.Requests()[0].Done })
			if line := r.Requests()[0]; line.Acted != acted || line.Status != 0 {
				t.Errorf("%+v", line)
			}
		})
	}
}

func TestHangThenActActsAfterClientLeft(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.set(t, sandbox.Rule{Effect: sandbox.EffectHangThenAct, ActAfter: 100 * time.Millisecond, Count: 1})
	r.abandon(t, "d1", body(ghl.Created, "e1", ""))
	r.wait(t, func(s sandbox.Snapshot) bool { return s.Live == 1 && s.Requests()[0].Done })
	if wait := r.Appointments()[0].BookedAt.Sub(r.Requests()[0].Time); wait < 100*time.Millisecond {
		t.Errorf("acted after %s", wait)
	}
	if a := r.mustSend(t, "d1", body(ghl.Created, "e1", "")); !strings.Contains(a.body, "ghl_000001") {
		t.Errorf("%+v", a)
	}
	if s := r.Stats(); s.Replays != 1 || s.Doubles != 0 || s.MaxInFlightPerEvent != 1 {
		t.Errorf("%+v", s)
	}
}

// The late action of an abandoned call meets a repetition that was done first.
func TestLateActionUnderSameKeyIsNoDouble(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.set(t, sandbox.Rule{Effect: sandbox.EffectHangThenAct, ActAfter: 150 * time.Millisecond, Count: 1})
	r.abandon(t, "d1", body(ghl.Created, "e1", ""))
	r.mustSend(t, "d1", body(ghl.Created, "e1", ""))
	r.wait(t, func(s sandbox.Snapshot) bool { return s.Requests()[0].Done })
	if s := r.Stats(); s.Doubles != 0 || s.Live != 1 || s.Replays != 1 {
		t.Errorf("%+v", s)
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	// Rules of delay alone add to what comes behind them.
	r.set(t,
		sandbox.Rule{DelayBefore: 30 * time.Millisecond},
		sandbox.Rule{DelayAfter: 30 * time.Millisecond},
		sandbox.Rule{Status: 500, Act: sandbox.ActYes})
	begun := time.Now()
	if a := r.mustSend(t, "d1", body(ghl.Created, "e1", "")); a.status != 500 {
		t.Errorf("%+v", a)
	}
	if took := time.Since(begun); took < 60*time.Millisecond {
		t.Errorf("took %s", took)
	}
	line, booked := r.Requests()[0], r.Appointments()[0]
	if wait := booked.BookedAt.Sub(line.Time); wait < 30*time.Millisecond {
		t.Errorf("acted after %s", wait)
	}

	// Who leaves during the delay before is not acted for, during the one after is.
	for i, rule := range []sandbox.Rule{{DelayBefore: time.Minute}, {DelayAfter: time.Minute}} {
		r.set(t, rule)
		r.abandon(t, "", body(ghl.Created, "late", ""))
		r.wait(t, func(s sandbox.Snapshot) bool {
			log := s.Requests()
			return log[len(log)-1].Done
		})
		if n := len(r.AppointmentsOf("late")); n != i {
			t.Errorf("rule %d: %d appointments", i, n)
		}
	}
}

func TestRuleMatching(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	r.set(t,
		sandbox.Rule{Operation: ghl.Updated, Status: 501},
		sandbox.Rule{Event: "e2", Status: 502},
		sandbox.Rule{Count: 2, Status: 503})
	var got []int
	for _, b := range []string{
		body(ghl.Updated, "e1", ""), body(ghl.Created, "e2", ""), body(ghl.Created, "e1", ""),
		body(ghl.Created, "e1", ""), body(ghl.Created, "e1", ""),
	} {
		got = append(got, r.mustSend(t, "", b).status)
	}
	want := []int{501, 502, 503, 503, 200}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
	// Used up rules are gone from the list.
	if left := r.Faults().Rules; len(left) != 2 {
		t.Errorf("%+v", left)
	}
}

func TestProbabilityComesFromSeed(t *testing.T) {
	t.Parallel()
	play := func(seed uint64) (fired string) {
		r := start(t, sandbox.Options{})
		if err := r.Set(sandbox.Faults{Seed: seed, Rules: []sandbox.Rule{{Probability: 0.5, Status: 503}}}); err != nil {
			t.Fatal(err)
		}
		for range 64 {
			if r.mustSend(t, "", body(ghl.Deleted, "e1", "")).status == 503 {
				fired += "x"
			} else {
				fired += "."
			}
		}
		return fired
	}
	one, again, two := play(1), play(1), play(2)
	if one != again || one == two {
		t.Errorf("seed 1: %s and %s, seed 2: %s", one, again, two)
	}
	if n := strings.Count(one, "x"); n < 16 || n > 48 {
		t.Errorf("%d of 64 at one half", n)
	}
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{})
	put := func(body string, status int, into any) {
		t.Helper()
		r.call(t, http.MethodPut, "/sandbox/faults", body, status, into)
	}
	var f sandbox.Faults
	put(`{"status":503,"retry_after":"2","count":3}`, 200, &f)
	if len(f.Rules) != 1 || f.Rules[0].Status != 503 || f.Rules[0].Count != 3 || f.Rules[0].Effect != sandbox.EffectStatus {
		t.Errorf("%+v", f)
	}
	put(`[{"effect":"draft","operation":"created"},{"delay_after":"1ms"}]`, 200, &f)
	if len(f.Rules) != 2 || f.Rules[0].Operation != ghl.Created || f.Rules[1].DelayAfter != time.Millisecond {
		t.Errorf("%+v", f)
	}
	put(`{"seed":7,"rules":[{"effect":"hang_then_act","act_after":"2s","event":"e1","probability":0.25,"operation":"calendar_event_deleted"}]}`, 200, &f)
	want := sandbox.Rule{Effect: sandbox.EffectHangThenAct, ActAfter: 2 * time.Second, Event: "e1", Probability: 0.25, Operation: ghl.Deleted}
	if f.Seed != 7 || len(f.Rules) != 1 || f.Rules[0] != want {
		t.Errorf("%+v", f)
	}
	for _, bad := range []string{
		`nonsense`, `{"sattus":503}`, `{"status":99}`, `{"effect":"explode"}`, `{"operation":"moved"}`,
		`{"delay_before":"5"}`, `{"probability":1.5}`, `{"count":-1}`, `{"act":"maybe"}`, `{"act":"no","effect":"drop_after"}`,
		`{"rules":[{"delay_before":"-1s"}]}`,
	} {
		put(bad, 400, nil)
	}
	r.call(t, http.MethodGet, "/sandbox/faults", "", 200, &f)
	if f.Seed != 7 {
		t.Errorf("a refused set changed the faults: %+v", f)
	}
	r.call(t, http.MethodDelete, "/sandbox/faults", "", 204, nil)
	r.call(t, http.MethodGet, "/sandbox/faults", "", 200, &f)
	if len(f.Rules) != 0 {
		t.Errorf("%+v", f)
	}
}
