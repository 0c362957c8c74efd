package doctor_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl/sandbox"
	"ghlsync/internal/doctor"
)

// answers has GHL answer some calls otherwise; none: as ever.
func (r *rig) answers(t *testing.T, rules ...sandbox.Rule) {
	t.Helper()
	if err := r.ghl.Set(sandbox.Faults{Rules: rules}); err != nil {
		t.Fatal(err)
	}
}

// calendar changes one of GHL's calendars.
func (r *rig) calendar(id string, change func(*sandbox.Calendar)) {
	set := r.ghl.API()
	calendars := make([]sandbox.Calendar, len(set.Calendars))
	for i, c := range set.Calendars {
		if c.ID == id {
			change(&c)
		}
		calendars[i] = c
	}
	set.Calendars = calendars
	r.ghl.SetAPI(set)
}

// lacking is GHL's answer, as reported, to a token without the scope for a call.
func lacking(call sandbox.Call) sandbox.Rule {
	return sandbox.Rule{Call: call, Status: http.StatusUnauthorized, Body: `{"statusCode":401,"message":"The token is not authorized for this scope."}`}
}

var otherLocation = sandbox.Rule{Status: http.StatusForbidden, Body: `{"statusCode":403,"message":"The token does not have access to this location."}`}

// apiFault is something wrong with GHL or the way to it. What is printed is a
// setting, or words, which cure does.
type apiFault struct {
	name, check string
	status      doctor.Status
	plant, cure func(*testing.T, *rig)
	says, mend  string
}

func answering(rules ...sandbox.Rule) func(*testing.T, *rig) {
	return func(t *testing.T, r *rig) {
		t.Helper()
		r.answers(t, rules...)
	}
}

func having(name, value string) func(*testing.T, *rig) {
	return func(_ *testing.T, r *rig) { r.env[name] = value }
}

func calendarWith(id string, change func(*sandbox.Calendar)) func(*testing.T, *rig) {
	return func(_ *testing.T, r *rig) { r.calendar(id, change) }
}

const integration = "give the Private Integration"

var apiFaults = []apiFault{
	{
		name: "wrong token", check: "token", status: doctor.Fail, says: "API_UNAUTHORIZED", mend: "set GHL_API_TOKEN to",
		plant: having("GHL_API_TOKEN", "pit-hunter2"), cure: having("GHL_API_TOKEN", "pit-sandbox"),
	},
	{
		name: "GHL is down", check: "token", status: doctor.Fail, says: "HTTP 503", mend: "tried again",
		plant: answering(sandbox.Rule{Status: http.StatusServiceUnavailable}), cure: answering(),
	},
	{
		name: "too many calls", check: "token", status: doctor.Fail, says: "HTTP 429", mend: "GHL_RATE",
		plant: answering(sandbox.Rule{Status: http.StatusTooManyRequests}), cure: answering(),
	},
	{
		name: "not GHL", check: "token", status: doctor.Fail, says: "API_NOT_FOUND", mend: "check GHL_API_URL",
		plant: func(_ *testing.T, r *rig) { r.env["GHL_API_URL"] += "/elsewhere" },
		cure:  func(_ *testing.T, r *rig) { r.env["GHL_API_URL"] = r.ghl.APIURL() },
	},
	{
		name: "GHL hangs", check: "token", status: doctor.Fail, says: "TIMEOUT", mend: "GHL_TIMEOUT",
		plant: func(t *testing.T, r *rig) {
			t.Helper()
			r.env["GHL_TIMEOUT"] = "200ms"
			r.answers(t, sandbox.Rule{Effect: sandbox.EffectHangBefore})
		},
		cure: func(t *testing.T, r *rig) {
			t.Helper()
			delete(r.env, "GHL_TIMEOUT")
			r.answers(t)
		},
	},
	{name: "wrong location", check: "location", status: doctor.Fail, says: "into elsewhere", mend: "set GHL_LOCATION_ID=sandboxLocation", plant: having("GHL_LOCATION_ID", "elsewhere")},
	{
		name: "token of another location", check: "location", status: doctor.Fail, says: "HTTP 403", mend: "made in that location",
		plant: answering(otherLocation), cure: answering(),
	},
	{
		name: "no scope for calendars", check: "scopes", status: doctor.Warn, says: "lacks calendars.readonly (", mend: integration,
		plant: answering(lacking(sandbox.CallGetCalendar)), cure: answering(),
	},
	{
		name: "no scope for events", check: "scopes", status: doctor.Fail, says: "lacks calendars/events.readonly (", mend: integration,
		plant: answering(lacking(sandbox.CallListEvents)), cure: answering(),
	},
	{
		name: "no scope for contacts", check: "scopes", status: doctor.Fail, says: "lacks contacts.readonly (", mend: integration,
		plant: answering(sandbox.Rule{Call: sandbox.CallSearchContact, Status: http.StatusUnauthorized}), cure: answering(),
	},
	{
		name: "no scope at all", check: "scopes", status: doctor.Fail, says: "lacks calendars.readonly, calendars/events.readonly, contacts.readonly (", mend: integration,
		plant: answering(lacking("")), cure: answering(),
	},
	{
		name: "no such calendar", check: "calendars", status: doctor.Fail, says: "GHL_HANDOVER_CALENDAR_ID=calOther: GHL has no such calendar", mend: "copy GHL_HANDOVER_CALENDAR_ID",
		plant: having("GHL_HANDOVER_CALENDAR_ID", "calOther"), cure: having("GHL_HANDOVER_CALENDAR_ID", "calHandover"),
	},
	{
		name: "calendar of another location", check: "calendars", status: doctor.Fail, says: "it is in location other", mend: "of a calendar of location sandboxLocation",
		plant: answering(sandbox.Rule{
			Call: sandbox.CallGetCalendar, Effect: sandbox.EffectMalformed, Body: `{"calendar":{"locationId":"other","isActive":true,"teamMembers":[{"userId":"userOne"}]}}`,
		}),
		cure: answering(),
	},
	{
		name: "calendar out of reach", check: "calendars", status: doctor.Fail, says: "does not let the token to it", mend: "of a calendar of location sandboxLocation",
		plant: answering(sandbox.Rule{Call: sandbox.CallGetCalendar, Status: http.StatusForbidden}), cure: answering(),
	},
	{
		name: "inactive calendar", check: "calendars", status: doctor.Fail, says: "GHL_HANDOVER_CALENDAR_ID=calHandover: it is inactive", mend: "activate calendar calHandover",
		plant: calendarWith("calHandover", func(c *sandbox.Calendar) { c.Inactive = true }), cure: calendarWith("calHandover", func(c *sandbox.Calendar) { c.Inactive = false }),
	},
	{
		name: "nobody in the team", check: "calendar_team", status: doctor.Warn, says: "calendar calOnboarding", mend: "add a user",
		plant: calendarWith("calOnboarding", func(c *sandbox.Calendar) { c.Team = nil }), cure: calendarWith("calOnboarding", func(c *sandbox.Calendar) { c.Team = []string{"userTwo"} }),
	},
	{
		name: "user in one team only", check: "calendar_team", status: doctor.Fail, says: "user userTwo (GHL_ASSIGNED_USER_ID) is not in the team of calendar calHandover", mend: "add them to the team of calendar calHandover",
		plant: func(_ *testing.T, r *rig) {
			r.calendar("calOnboarding", func(c *sandbox.Calendar) { c.Team = []string{"userOne", "userTwo"} })
			r.env["GHL_ASSIGNED_USER_ID"] = "userTwo"
		},
		cure: calendarWith("calHandover", func(c *sandbox.Calendar) { c.Team = []string{"userTwo"} }),
	},
	{name: "nothing is sent", check: "api", status: doctor.Warn, says: "GHL_WEBHOOK_ENABLED", mend: "set GHL_WEBHOOK_ENABLED=true", plant: having("GHL_WEBHOOK_ENABLED", "false")},
	{
		name: "clock ahead", check: "clock", status: doctor.Warn, says: "ahead of GHL's", mend: "set this machine's clock",
		plant: clockOff(6 * time.Minute), cure: clockOff(4 * time.Minute),
	},
	{
		name: "clock behind", check: "clock", status: doctor.Warn, says: "behind GHL's", mend: "set this machine's clock",
		plant: clockOff(-6 * time.Minute), cure: clockOff(-4 * time.Minute),
	},
}

func clockOff(d time.Duration) func(*testing.T, *rig) {
	return func(_ *testing.T, r *rig) { r.options.Now = func() time.Time { return time.Now().Add(d) } }
}

// TestAPIFaults: each is found under its check, and what is printed mends it.
func TestAPIFaults(t *testing.T) {
	t.Parallel()
	for _, f := range apiFaults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			r := byAPI(t)
			r.expect(t, f.check, doctor.OK)
			f.plant(t, r)
			found := r.expect(t, f.check, f.status)
			if !strings.Contains(found.Detail, f.says) || !strings.Contains(found.Mend, f.mend) {
				t.Errorf("%+v does not say %q, and %q", found, f.says, f.mend)
			}
			if f.cure == nil {
				r.mend(t, found)
			} else {
				f.cure(t, r)
			}
			for name, got := range r.examine(t) {
				if ofGHL[name] && got.Status != doctor.OK && name != "certificate" {
					t.Errorf("afterwards: %+v", got)
				}
			}
		})
	}
}
