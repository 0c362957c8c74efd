package admin

import (
	"strings"
	"testing"
	"time"

	"ghlsync/internal/mappingtest"
	"ghlsync/state"
)

// asked is what Sentra says of the event, with a verdict.
func asked(verdict string) Sentra {
	return Sentra{Asked: true, Found: verdict != VerdictGone, EventType: "onboarding", Verdict: verdict}
}

func TestStory(t *testing.T) {
	t.Parallel()
	well := Delivery{Enabled: true, Breaker: "closed"}
	now := mappingtest.At.Add(time.Minute)
	change := func(m *state.Mapping, f func(*state.Mapping)) *state.Mapping {
		f(m)
		return m
	}
	unreachable := "the source does not answer"
	for name, c := range map[string]struct {
		m        *state.Mapping
		sentra   Sentra
		delivery Delivery
		says     string // in the order of the story, separated by bars
	}{
		"synced": {mappingtest.Synced("e"), asked(VerdictShow), well, `type "onboarding", which goes to GHL|GHL shows it, since the commit at 0/16B3748 of 2026-01-15T09:00:00Z (revision 1)|GHL has exactly that (appointment ghl-e)|Nothing is due`},
		"unknown and out of scope": {
			nil,
			Sentra{Asked: true, Found: true, EventType: "firstdraft", Verdict: VerdictOutOfScope},
			well,
			`type "firstdraft", which is not one that goes to GHL|no mapping`,
		},
		"unknown though in scope": {nil, asked(VerdictShow), well, "goes to GHL|no mapping|on its way, or was missed: 'ghlsync reconcile --dry-run'"},
		"gone and unknown":        {nil, asked(VerdictGone), well, "no such event|no mapping"},
		"not asked":               {mappingtest.Synced("e"), Sentra{Problem: &unreachable}, well, "was not asked: the source does not answer.|Nothing is due"},
		"deleted, not yet captured": {
			mappingtest.Synced("e"), asked(VerdictGone), well, "no such event|GHL shows it|not what Sentra has now: the change is on its way",
		},
		"edited, not yet captured": {
			mappingtest.Synced("e"),
			Sentra{Asked: true, Found: true, Verdict: VerdictShow, Differs: []string{"client_email", "event_title"}},
			well,
			"differs by now in client_email, event_title",
		},
		"cannot be shown": {
			mappingtest.Untranslatable("e"),
			Sentra{Asked: true, Found: true, EventType: "onboarding", Verdict: VerdictCannot, Reason: "client_missing"},
			well,
			"cannot be shown there: client_missing|GHL has nothing|failed with client_missing|waits for a change in Sentra",
		},
		"refused for good": {mappingtest.Failed("e"), asked(VerdictShow), well, "GHL has nothing|failed with CONTACT_NOT_FOUND|'ghlsync mappings retry'"},
		"held":             {mappingtest.Held("e"), asked(VerdictGone), well, "GHL has no appointment|older or unknown state|fuse holds its deletion"},
		"due":              {mappingtest.Pending("e"), asked(VerdictShow), well, "GHL has nothing|due since 2026-01-15T09:00:00Z."},
		"waits for a retry": {
			change(mappingtest.Pending("e"), func(m *state.Mapping) {
				m.Attempts, m.SyncError, m.NextAttempt = 3, "HTTP_5XX", now.Add(90*time.Second)
			}), asked(VerdictShow), well, "due at 2026-01-15T09:02:30Z, in 1m30s after 3 attempts, the last of which ended with HTTP_5XX",
		},
		"unknown outcome": {
			change(mappingtest.Pending("e"), func(m *state.Mapping) {
				m.GHL, m.NextAttempt = state.GHLUnknown, now.Add(time.Minute)
				m.Call = &state.Call{Operation: state.Create, State: state.Unknown, DeliveryID: "d1"}
			}), asked(VerdictShow), well, "Whether GHL has it is not known|in 1m0s: a create of unknown outcome is found out about first, by the same call again (delivery d1).",
		},
		"in flight": {
			change(mappingtest.Pending("e"), func(m *state.Mapping) {
				m.LeaseUntil, m.NextAttempt = now.Add(time.Minute), time.Time{}
				m.Call = &state.Call{Operation: state.Create, State: state.InFlight, DeliveryID: "d1", StartedAt: now}
			}), asked(VerdictShow), well, "A call (create, delivery d1) is in flight since 2026-01-15T09:01:00Z",
		},
		"assumed": {
			change(mappingtest.Synced("e"), func(m *state.Mapping) { m.Assumed = true }), asked(VerdictShow), well, "taken to have had it since before ghlsync|Nothing is due",
		},
		"disabled":  {mappingtest.Pending("e"), asked(VerdictShow), Delivery{Breaker: "closed"}, "due since|waits with all others: Webhook disabled"},
		"paused":    {mappingtest.Pending("e"), asked(VerdictShow), Delivery{Enabled: true, Breaker: "closed", Paused: true, Detail: "The hook is gone"}, "waits with all others: delivery is paused: The hook is gone."},
		"no daemon": {mappingtest.Pending("e"), asked(VerdictShow), Delivery{Enabled: true, Breaker: BreakerUnknown}, "due since|No daemon is running"},
		"an orphan": {
			state.NewOrphan("ghl_1", mappingtest.Synced("e"), mappingtest.At), asked(VerdictGone), well, "no event of Sentra's|Wanted is that GHL has no appointment|(appointment ghl_1)|due since",
		},
		"changed in GHL": {
			change(mappingtest.Synced("e"), func(m *state.Mapping) { m.Drift, m.DriftAt = state.DriftChanged, now }), asked(VerdictShow), well,
			"exactly that|Somebody changed the appointment in GHL, as GHL told at 2026-01-15T09:01:00Z|'ghlsync mappings retry'|Nothing is due",
		},
		"deleted in GHL": {
			change(mappingtest.Synced("e"), func(m *state.Mapping) { m.Drift, m.DriftAt = state.DriftDeleted, now }), asked(VerdictShow), well, "Somebody deleted the appointment",
		},
		"kept":         {change(mappingtest.Held("e"), func(m *state.Mapping) { m.Hold = state.Kept }), asked(VerdictGone), well, "kept its appointment"},
		"wants a rest": {mappingtest.Pending("e"), asked(VerdictShow), Delivery{Enabled: true, Breaker: "closed", ThrottledUntil: &now}, "GHL asked for a break"},
	} {
		e := Explanation{SentraEventID: "e", Sentra: c.sentra}
		if c.m != nil {
			e.SentraEventID = string(c.m.ID)
			d := detail(c.m, nil, false, c.delivery.Enabled)
			e.Mapping = &d
		}
		rest := strings.Join(story(e, c.delivery, now), "\n")
		for text := range strings.SplitSeq(c.says, "|") {
			_, after, found := strings.Cut(rest, text)
			if !found {
				t.Errorf("%s: no %q in\n%s", name, text, rest)
				break
			}
			rest = after
		}
	}
}
