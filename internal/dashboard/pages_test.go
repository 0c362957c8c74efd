package dashboard

import (
	"net/http"
	"testing"

	"ghlsync/internal/mappingtest"
)

func TestOverview(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Synced("1"), mappingtest.Synced("2"), mappingtest.Failed("3"), mappingtest.Held("4"), mappingtest.Assumed("5"))
	page := r.visitor().get("/")
	page.has(t, http.StatusOK, "<title>▲ degraded – Overview – ghlsync</title>", `<a href="/mappings?status=synced">2</a>`, "of 4; 1 more taken to be in GHL",
		`<a href="/mappings?status=failed">1</a>`, `<a href="/mappings?status=held">1</a>`, "<code>0/16B3748</code>", "4.1 KiB", "37.0 MiB",
		"1 event has failed: see", "Retry failed (1)", "Pause delivery", `datetime="2026-01-15T09:00:00Z"`,
		"150000 <span class=\"quiet\">of 200000 requests<")
}
