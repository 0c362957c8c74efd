package doctor_test

import (
	"strings"
	"testing"

	"ghlsync/internal/doctor"
	"ghlsync/internal/postgres/pgtest"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, value string
		check       string
		status      doctor.Status
		says        string
	}{
		{"GHL_RATE", "fast", "settings", doctor.Fail, "GHL_RATE=fast"},
		{"GHL_RATE", "fast", "webhook", doctor.Skipped, "GHL_RATE is not usable"},
		{"GHL_RATE", "fast", "connection", doctor.OK, ""},
		{"CDC_SLOT", "Bad Name", "settings", doctor.Fail, "CDC_SLOT=Bad Name"},
		{"CDC_SLOT", "Bad Name", "connection", doctor.Skipped, "CDC_SLOT is not usable"},
		{"GHL_DELET_FUSE", "1", "settings", doctor.Warn, "GHL_DELETE_FUSE"},
		{"SENTRA_DATABASE_URL", "", "settings", doctor.OK, ""},
		{"SENTRA_DATABASE_URL", "", "connection", doctor.Fail, "is not set"},
		{"SENTRA_DATABASE_URL", "postgres://u:hunter2@ep-x-pooler.eu.aws.neon.tech/d", "connection", doctor.Fail, "ep-x.eu.aws.neon.tech"},
		{"GHL_WEBHOOK_URL", "", "webhook", doctor.Fail, "is not set"},
		{"GHL_WEBHOOK_URL", "http://example.com/hunter2", "webhook", doctor.Fail, "use https"},
		{"STATE_URL", "redis:state", "settings", doctor.Fail, "STATE_URL"},
		{"STATE_URL", "redis:state", "state_directory", doctor.Skipped, "STATE_URL is not usable"},
	} {
		t.Run(c.name+" "+c.check, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, pgtest.Database(t))
			r.env[c.name] = c.value
			got := r.expect(t, c.check, c.status)
			if !strings.Contains(got.Detail+got.Mend, c.says) || strings.Contains(got.Detail+got.Mend, "hunter2") {
				t.Errorf("%+v does not say %q", got, c.says)
			}
		})
	}
}
