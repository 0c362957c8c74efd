package doctor_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/doctor"
	"ghlsync/internal/postgres/pgtest"
)

// byAPI is a rig with GHL_MODE=api and nothing wrong.
func byAPI(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, pgtest.Database(t))
	delete(r.env, "GHL_WEBHOOK_URL")
	set := r.ghl.API()
	r.env["GHL_MODE"], r.env["GHL_API_URL"] = "api", r.ghl.APIURL()
	r.env["GHL_API_TOKEN"], r.env["GHL_LOCATION_ID"] = set.Token, set.LocationID
	r.env["GHL_ONBOARDING_CALENDAR_ID"], r.env["GHL_HANDOVER_CALENDAR_ID"] = set.Calendars[0].ID, set.Calendars[1].ID
	return r
}

var ofGHL = map[string]bool{
	"api": true, "certificate": true, "token": true, "location": true, "scopes": true, "calendars": true, "calendar_team": true, "clock": true, "quota": true,
}

// TestAPIReads: only what reads is called, as GHL wants it, and nothing secret is
// told; of what reading cannot tell nothing is claimed.
func TestAPIReads(t *testing.T) {
	t.Parallel()
	r := byAPI(t)
	set := r.ghl.API()
	set.Quota = sandbox.GHLQuota
	r.ghl.SetAPI(set)
	r.env["GHL_CREATE_CONTACTS"] = "true"
	results := r.examine(t)
	for name := range ofGHL {
		if got := results[name]; got.Status != doctor.OK && name != "certificate" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, there := results["webhook"]; there {
		t.Error("the webhook is examined")
	}
	calls := make(map[sandbox.Call]int)
	for _, request := range r.ghl.Requests() {
		calls[request.Call]++
	}
	want := map[sandbox.Call]int{sandbox.CallGetCalendar: 2, sandbox.CallListEvents: 1, sandbox.CallSearchContact: 1}
	if fmt.Sprint(calls) != fmt.Sprint(want) {
		t.Errorf("%v were called", calls)
	}
	if s := r.ghl.Stats(); s.Acted != 0 || s.Violations != 0 {
		t.Errorf("%+v %+v", s, r.ghl.Violations())
	}
	if got := results["scopes"].Detail; !strings.Contains(got, "not known by reading: calendars/events.write, contacts.write") {
		t.Errorf("scopes: %s", got)
	}
	if got := results["quota"].Detail; got != "left are 96 of 100 requests in 10s, 199996 of 200000 requests in a day" {
		t.Errorf("quota: %s", got)
	}
	if told := fmt.Sprint(results); strings.Contains(told, set.Token) || strings.Contains(told, "example.invalid") {
		t.Errorf("told: %s", told)
	}
}

// TestAPIFollows: what cannot be told without the token or the location is not.
func TestAPIFollows(t *testing.T) {
	t.Parallel()
	r := byAPI(t)
	r.env["GHL_API_TOKEN"] = "pit-hunter2"
	results := r.examine(t)
	for name := range ofGHL {
		if got := results[name]; got.Status != doctor.Skipped && name != "token" && name != "api" || strings.Contains(got.Detail+got.Mend, "hunter2") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	r.env["GHL_API_TOKEN"] = "pit-sandbox"
	r.answers(t, otherLocation)
	results = r.examine(t)
	if got := results["calendars"]; got.Status != doctor.Skipped || got.Detail != "location has failed" {
		t.Errorf("%+v", got)
	}
	if got := results["scopes"]; got.Status != doctor.OK {
		t.Errorf("%+v", got)
	}
	r.answers(t, lacking(""))
	results = r.examine(t)
	for name, want := range map[string]doctor.Status{"token": doctor.OK, "location": doctor.Warn, "calendars": doctor.Warn, "calendar_team": doctor.Skipped} {
		if got := results[name]; got.Status != want {
			t.Errorf("%+v, want %s", got, want)
		}
	}
}

func TestAPISettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value, check string
		status             doctor.Status
		says               string
	}{
		{"GHL_API_TOKEN", "", "settings", doctor.Fail, "GHL_API_TOKEN: is not set"},
		{"GHL_API_TOKEN", "", "api", doctor.Skipped, "GHL_API_TOKEN is not usable"},
		{"GHL_API_URL", "http://hunter2.example.com", "settings", doctor.OK, ""},
		{"GHL_API_URL", "http://hunter2@example.com", "api", doctor.Fail, "use https"},
	} {
		t.Run(c.name+" "+c.check, func(t *testing.T) {
			t.Parallel()
			r := byAPI(t)
			r.env[c.name] = c.value
			got := r.expect(t, c.check, c.status)
			if !strings.Contains(got.Detail+got.Mend, c.says) || strings.Contains(got.Detail+got.Mend, "hunter2") {
				t.Errorf("%+v does not say %q", got, c.says)
			}
		})
	}
}

// TestAPIReach: it is the way to the API that is looked at, and its setting named.
func TestAPIReach(t *testing.T) {
	t.Parallel()
	r := byAPI(t)
	server := httptest.NewTLSServer(http.NotFoundHandler())
	r.env["GHL_API_URL"] = server.URL
	r.options.Roots = x509.NewCertPool()
	if got := r.expect(t, "api", doctor.Fail); !strings.Contains(got.Detail, "certificate") || !strings.Contains(got.Mend, "GHL_API_URL") {
		t.Errorf("%+v", got)
	}
	r.options.Roots.AddCert(server.Certificate())
	r.expect(t, "api", doctor.OK)
	r.expect(t, "certificate", doctor.OK)
	server.Close()
	if got := r.expect(t, "api", doctor.Fail); !strings.Contains(got.Detail, "refused") {
		t.Errorf("%+v", got)
	}
}

// TestAPISendTest: the scope for writing shows without anything being changed.
func TestAPISendTest(t *testing.T) {
	t.Parallel()
	r := byAPI(t)
	r.options.SendTest = true
	if got := r.expect(t, "send_test", doctor.OK); !strings.Contains(got.Detail, "appointment ghlsync-doctor-test") {
		t.Errorf("%+v", got)
	}
	if s := r.ghl.Stats(); s.Acted != 0 || s.Violations != 0 {
		t.Errorf("%+v", s)
	}
	r.answers(t, lacking(sandbox.CallDeleteAppointment))
	if got := r.expect(t, "send_test", doctor.Fail); !strings.Contains(got.Detail, ghl.CodeAPIScopeMissing) || !strings.Contains(got.Mend, "scope") {
		t.Errorf("%+v", got)
	}
}
