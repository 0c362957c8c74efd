package doctor_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
	"ghlsync/internal/doctor"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

func (r *rig) statePath() string { return strings.TrimPrefix(r.env["STATE_URL"], "sqlite:") }

// open opens the state as a daemon does; the test ends it.
func (r *rig) open(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), r.statePath(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// baseline leaves the state of a daemon that has taken its first snapshot, with
// publication and slot as they are.
func (r *rig) baseline(t *testing.T, s *sqlite.Store) {
	t.Helper()
	visit, err := cdc.NewVisit(t.Context(), cdc.Config{
		URL: r.env["SENTRA_DATABASE_URL"], EventsTable: "calendar_events", ClientsTable: "clients", Types: []string{"onboarding"},
		Slot: r.db.Name, Publication: r.db.Name,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer visit.Close(t.Context()) //nolint:errcheck // only read from
	if err := visit.Replicate(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := visit.Facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Hour)
	cp := state.Checkpoint{
		Slot: r.db.Name, LSN: 1, Epoch: 1, SystemID: f.SystemID, Timeline: f.Timeline, Database: f.Database,
		Fingerprint: f.Fingerprint, Capturer: "c", CommittedAt: at, UpdatedAt: at, Baseline: at,
	}
	if f.Slot != nil {
		cp.LSN = f.Slot.ConfirmedFlush
	}
	r.checkpoint(t, s, cp)
}

func (r *rig) checkpoint(t *testing.T, s *sqlite.Store, cp state.Checkpoint) {
	t.Helper()
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.SetCheckpoint(t.Context(), nil, cp); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestStateDirectory(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	dir := filepath.Join(t.TempDir(), "not", "there")
	r.env["STATE_URL"] = "sqlite:" + filepath.Join(dir, "state.db")
	found := r.expect(t, "state_directory", doctor.Fail)
	command, _, _ := strings.Cut(found.Mend, ",")
	made, ok := strings.CutPrefix(command, "mkdir -p ")
	if !ok {
		t.Fatalf("%+v", found)
	}
	if err := os.MkdirAll(made, 0o700); err != nil {
		t.Fatal(err)
	}
	r.expect(t, "state_directory", doctor.OK)
	r.expect(t, "state", doctor.OK)
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("the doctor has left %v, %v", entries, err)
	}
}

func TestDamagedState(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	if err := os.WriteFile(r.statePath(), []byte(strings.Repeat("no database\n", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	r.expect(t, "state", doctor.Fail)
	if err := os.Remove(r.statePath()); err != nil {
		t.Fatal(err)
	}
	r.expect(t, "state", doctor.OK)
}

// TestStateBesideADaemon: its holder is told, and nothing is taken from it.
func TestStateBesideADaemon(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	r.open(t)
	if got := r.expect(t, "state", doctor.OK); !strings.Contains(got.Detail, "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("%+v", got)
	}
}

func TestStateOfAnotherSource(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	at := time.Now()
	r.checkpoint(t, r.open(t), state.Checkpoint{
		Slot: r.db.Name, LSN: pglogrepl.LSN(1), Epoch: 1, SystemID: "7", Timeline: 1, Database: "elsewhere",
		Fingerprint: "f", Capturer: "c", CommittedAt: at, UpdatedAt: at, Baseline: at,
	})
	if got := r.expect(t, "state_source", doctor.Fail); !strings.Contains(got.Detail, `"elsewhere"`) {
		t.Errorf("%+v", got)
	}
	r.expect(t, "start", doctor.Skipped)
	r.env["STATE_URL"] = "sqlite:" + filepath.Join(t.TempDir(), "own.db")
	r.expect(t, "state_source", doctor.OK)
}

// TestStart: the doctor's word for what the next start does is the start's own.
func TestStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	s := r.open(t)
	if got := r.expect(t, "start", doctor.OK); got.Detail != "first start" {
		t.Errorf("%+v", got)
	}
	r.db.Exec(t, `SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, r.db.Name)
	r.baseline(t, s)
	if got := r.expect(t, "start", doctor.OK); !strings.Contains(got.Detail, "goes on from") {
		t.Errorf("%+v", got)
	}
	r.db.Exec(t, `SELECT pg_drop_replication_slot($1)`, r.db.Name)
	if got := r.expect(t, "start", doctor.Warn); !strings.Contains(got.Detail, "does not exist any more") {
		t.Errorf("%+v", got)
	}
	r.env["CDC_ON_SLOT_LOSS"] = "stop"
	got := r.expect(t, "start", doctor.Fail)
	if !strings.Contains(got.Mend, "CDC_ON_SLOT_LOSS=resync") {
		t.Errorf("%+v", got)
	}
}

// TestInAppWebhooks: an appointment id in Sentra that we know nothing of.
func TestInAppWebhooks(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	r.expect(t, "in_app_webhooks", doctor.OK) // there is no such column
	r.db.Exec(t, `ALTER TABLE calendar_events ADD COLUMN ghl_appointment_id text;
		GRANT SELECT (ghl_appointment_id) ON calendar_events TO `+r.role)
	r.expect(t, "in_app_webhooks", doctor.Skipped) // there is no baseline
	r.baseline(t, r.open(t))
	r.db.Exec(t, `UPDATE calendar_events SET ghl_appointment_id = 'x' WHERE type = 'firstdraft'`)
	r.expect(t, "in_app_webhooks", doctor.OK)
	r.db.Exec(t, `UPDATE calendar_events SET ghl_appointment_id = 'x' WHERE id = 'event-1700000004.000004'`)
	if got := r.expect(t, "in_app_webhooks", doctor.Warn); !strings.Contains(got.Detail, `1 event got an appointment id that is not from here: "event-1700000004.000004"`) {
		t.Errorf("%+v", got)
	}
}

// TestOlderState: a start brings it up to date, and until then nothing is said of
// what is in it.
func TestOlderState(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	s, err := sqlite.Open(t.Context(), r.statePath(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", r.statePath())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "DELETE FROM goose_db_version WHERE version_id > 1"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := r.expect(t, "state", doctor.Skipped); !strings.Contains(got.Detail, "older ghlsync") {
		t.Errorf("%+v", got)
	}
	r.expect(t, "start", doctor.Skipped)
}
