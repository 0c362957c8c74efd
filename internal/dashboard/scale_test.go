package dashboard

import (
	"database/sql"
	"html"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"ghlsync/internal/mappingtest"
)

// many fills the state with n mappings, of which one in a thousand has failed and
// the others are synced, each with so many bytes, and says that it has counted as many synced ones.
func many(t testing.TB, path string, n, padding, counted int) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	const fill = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?)
		INSERT INTO ghl_sync_mappings (sentra_event_id, ghl_appointment_id, sync_status, event_type, wanted, payload_hash, epoch, commit_lsn,
			revision, ghl_state, ghl_hash, parked_reason, payload, created_at, updated_at, committed_at)
		SELECT 'event-' || (1700000000 + i), 'ghl-' || i, iif(i % 1000 = 0, 'failed', 'synced'), 'onboarding', 'present', 'h', 1, 100 + i,
			1, 'present', 'h', iif(i % 1000 = 0, 'REJECTED', NULL), '{"pad":"' || printf('%*s', ?, i) || '"}', 1, 1, 1 FROM n`
	if _, err := db.ExecContext(t.Context(), fill, n, padding); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE sync_counts SET synced = ?, failed = ?", counted, n/1000); err != nil {
		t.Fatal(err)
	}
}

// A page looks through a part of the mappings, and counts none.
func TestPagesOfManyMappings(t *testing.T) {
	t.Parallel()
	path := mappingtest.Path(t)
	mappingtest.File(t, path)
	many(t, path, 52_000, 0, 123_456_789)
	r := newRigAt(t, path, "")
	v := r.visitor()
	v.get("/").has(t, http.StatusOK, ">123,456,789</a>")
	a := v.get("/mappings?q=nowhere")
	a.has(t, http.StatusOK, "Nothing so far, and there is more to look through.")
	v.get(link(t, a, "Go on")).has(t, http.StatusOK, "No mapping matches “nowhere”.")
	v.get("/mappings?status=pending").has(t, http.StatusOK, "There is none.")
	// Pages follow one another without a gap.
	a = v.get("/mappings")
	last := ids(a)[perPage-1]
	b := v.get(link(t, a, "Next page →"))
	if next := ids(b); len(next) != perPage || next[0] <= last {
		t.Errorf("after %s comes %v", last, next)
	}
	if a := v.get(link(t, b, "← First page")); ids(a)[perPage-1] != last {
		t.Error("the first page is another one than before")
	}
	// A whole id, of an event or of an appointment, is found at once.
	for _, id := range []string{last, "ghl-7777"} {
		if a := v.get("/mappings?q=" + id); a.Request.URL.Path != "/event" || a.StatusCode != http.StatusOK {
			t.Errorf("%s leads to %s", id, a.Request.URL)
		}
	}
}

// ids are the events of a list.
func ids(a answer) (all []string) {
	for _, m := range regexp.MustCompile(`<th scope="row"><a href="[^"]*">([^<]*)</a>`).FindAllStringSubmatch(a.body, -1) {
		all = append(all, m[1])
	}
	return all
}

// link is where a link of a page leads.
func link(t *testing.T, a answer, text string) string {
	t.Helper()
	m := regexp.MustCompile(`href="([^"]*)">` + regexp.QuoteMeta(text) + `<`).FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("there is no %q on %s", text, a.body)
	}
	return html.UnescapeString(m[1])
}

func BenchmarkMillion(b *testing.B) {
	path := mappingtest.Path(b)
	mappingtest.File(b, path)
	many(b, path, 1_000_000, 500, 999_000)
	r := newRigAt(b, path, "")
	v := r.visitor()
	for name, path := range map[string]string{
		"overview": "/", "first": "/mappings", "deep": "/mappings?after=event-1700900000", "failed": "/mappings?status=failed",
		"pending": "/mappings?status=pending", "held": "/mappings?status=held", "id": "/mappings?q=ghl-500000", "nothing": "/mappings?q=nowhere",
		"part": "/mappings?q=99999", "event": "/event?id=event-1700500000",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if a := v.get(path); a.StatusCode != http.StatusOK {
					b.Fatal(path + ": " + strconv.Itoa(a.StatusCode))
				}
			}
		})
	}
}
