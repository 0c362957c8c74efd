package doctor_test

import (
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/doctor"
	"ghlsync/internal/postgres/pgtest"
)

// TestCertificate: who signed it, and until when it is good.
func TestCertificate(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	calls := 0
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls++ }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	r.env["GHL_WEBHOOK_URL"] = server.URL + "/hunter2"

	found := r.expect(t, "webhook", doctor.Fail)
	if !strings.Contains(found.Detail, "certificate") || strings.Contains(found.Detail, "hunter2") {
		t.Errorf("%+v", found)
	}
	r.options.Roots = x509.NewCertPool()
	r.options.Roots.AddCert(server.Certificate())
	r.expect(t, "webhook", doctor.OK)
	r.expect(t, "certificate", doctor.OK)

	r.options.Now = func() time.Time { return server.Certificate().NotAfter.Add(-13*24*time.Hour - time.Hour) }
	if got := r.expect(t, "certificate", doctor.Warn); !strings.Contains(got.Detail, "in 13 days") {
		t.Errorf("%+v", got)
	}
	r.options.Now = func() time.Time { return server.Certificate().NotAfter.Add(time.Hour) }
	r.expect(t, "webhook", doctor.Fail)
	server.Close()
	r.options.Now = nil
	if got := r.expect(t, "webhook", doctor.Fail); !strings.Contains(got.Detail, "refused") {
		t.Errorf("%+v", got)
	}
	if calls != 0 {
		t.Errorf("%d calls were made", calls)
	}
}

// TestSendTest: the one call changes nothing, and its answer is told.
func TestSendTest(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	r.examine(t)
	if n := r.ghl.Stats().Requests; n != 0 {
		t.Fatalf("%d calls without being asked", n)
	}
	r.options.SendTest = true
	r.expect(t, "send_test", doctor.OK)
	if s := r.ghl.Stats(); s.Requests != 1 || s.Acted != 0 || s.Violations != 0 {
		t.Errorf("%+v", s)
	}
	if body := r.ghl.Requests()[0].Body; !strings.Contains(body, `"sentra_event_id":"ghlsync-doctor-test"`) {
		t.Errorf("sent %s", body)
	}
	for _, c := range []struct {
		rule sandbox.Rule
		want doctor.Status
		code string
	}{
		{sandbox.Rule{Effect: sandbox.EffectStatus, Status: http.StatusNotFound}, doctor.Fail, ghl.CodeHookNotFound},
		{sandbox.Rule{Effect: sandbox.EffectStatus, Status: http.StatusServiceUnavailable}, doctor.Warn, "HTTP_503"},
	} {
		if err := r.ghl.Set(sandbox.Faults{Rules: []sandbox.Rule{c.rule}}); err != nil {
			t.Fatal(err)
		}
		if got := r.expect(t, "send_test", c.want); !strings.Contains(got.Detail, c.code) || got.Mend == "" {
			t.Errorf("%+v", got)
		}
	}
}
