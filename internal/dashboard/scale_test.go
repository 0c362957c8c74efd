package dashboard

import (
	"database/sql"
	"net/http"
	"strconv"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"ghlsync/internal/mappingtest"
)

// many fills the state with n synced mappings, of which one in a thousand has failed.
func many(t testing.TB, path string, n int) {
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
		SELECT 'event-' || (1700000000 + i * 7 % 1000003), 'ghl-' || i, iif(i % 1000 = 0, 'failed', 'synced'), 'onboarding', 'present', 'h', 1, 100 + i,
			1, 'present', 'h', iif(i % 1000 = 0, 'REJECTED', NULL), '{"pad":"' || printf('%500s', i) || '"}', 1, 1, 1 FROM n`
	if _, err := db.ExecContext(t.Context(), fill, n); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "UPDATE sync_counts SET synced = ?, failed = ?", n-n/1000, n/1000); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkMillion(b *testing.B) {
	path := mappingtest.Path(b)
	mappingtest.File(b, path)
	many(b, path, 1_000_000)
	r := newRigAt(b, path, "")
	v := r.visitor()
	for name, path := range map[string]string{
		"overview": "/", "first": "/mappings", "deep": "/mappings?after=event-1700900000", "failed": "/mappings?status=failed",
		"pending": "/mappings?status=pending", "held": "/mappings?status=held", "id": "/mappings?q=event-1700500000", "nothing": "/mappings?q=nowhere",
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
