package cdc

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/testdata/sentra"
)

var wholeRows = cmp.AllowUnexported(Row{})

// one returns the only row of a snapshot.
func snapshotAll(t *testing.T, s *Source, h *SnapshotHandle, chunk int) []SnapshotRow {
	t.Helper()
	var all []SnapshotRow
	err := s.Snapshot(t.Context(), h, chunk, func(_ context.Context, rows []SnapshotRow) error {
		all = append(all, rows...)
		return nil
	})
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	return all
}

// Whatever database and role are set to, stream, snapshot and look-up print the
// same, and nothing times out.
func TestSettingsOfDatabaseAndRoleHaveNoEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role, url := r.db.Role(t, "login superuser")
	r.cfg.URL = url
	for _, setting := range []string{
		"datestyle = 'German, DMY'", "timezone = 'Asia/Kolkata'", "intervalstyle = 'sql_standard'",
		"statement_timeout = '1ms'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '1ms'",
		"default_transaction_isolation = 'serializable'", "client_encoding = 'LATIN1'", "search_path = ''", "client_min_messages = 'error'",
	} {
		r.db.Exec(t, fmt.Sprintf("ALTER ROLE %s SET %s", role, setting))
		r.db.Exec(t, fmt.Sprintf("ALTER DATABASE %s SET %s", r.db.Name, setting))
	}
	r.db.Exec(t, `SET timezone = 'UTC'; SET datestyle = 'ISO';`+sentra.AppointmentColumn+
		`INSERT INTO calendar_events VALUES
		('e', 1, 'Zoë', '2026-03-04', '2026-12-05', '10:00', '11:30:15.5', 'Grüße', 'onboarding', '2026-03-01 12:00:00.25Z', '2026-03-02 00:30:00Z', 'apt-1')`)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	run := start(t, s, h.LSN, rec)

	var want Row
	for c, text := range map[Column]string{
		ID: "e", ClientID: "1", Title: "Zoë", Type: "onboarding", StartDate: "2026-03-04", EndDate: "2026-12-05",
		StartTime: "10:00:00", EndTime: "11:30:15.5", Description: "Grüße",
		CreatedAt: "2026-03-01 12:00:00.25+00", UpdatedAt: "2026-03-02 00:30:00+00", AppointmentID: "apt-1",
	} {
		want.Set(c, text, Value)
	}
	shown := snapshotAll(t, s, h, 10)
	if diff := cmp.Diff([]SnapshotRow{{Row: want, Client: &Client{ID: "1", Name: "Person 1", BusinessName: "Business 1", Email: "p1@example.com", Phone: "+49 1"}}}, shown, wholeRows); diff != "" {
		t.Errorf("snapshot: %s", diff)
	}
	r.db.Exec(t, `ALTER TABLE calendar_events DISABLE TRIGGER USER; UPDATE calendar_events SET title = title`)
	rec.awaitChanges(t, 1)
	run.stop(t)
	if diff := cmp.Diff(want, rec.all()[0].Row, wholeRows); diff != "" {
		t.Errorf("stream: %s", diff)
	}
	row, found, err := s.EventRow(t.Context(), rec.all()[0].Tx.XID, "e")
	if err != nil || !found {
		t.Fatalf("look-up: %v %v", found, err)
	}
	if diff := cmp.Diff(want, row, wholeRows); diff != "" {
		t.Errorf("look-up: %s", diff)
	}
}

// From Postgres 17 on a role may be given little time for its transactions. The one
// that keeps a snapshot stays as long as the snapshot is read.
func TestTransactionTimeoutHasNoEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role, url := r.db.Role(t, "login superuser")
	r.cfg.URL = url
	if pgtest.Major(t) >= 17 {
		r.db.Exec(t, fmt.Sprintf("ALTER ROLE %s SET transaction_timeout = '500ms'", role))
	}
	r.db.Exec(t, insertSQL("a"))
	s := r.open(t)
	h := r.slot(t, s)
	r.db.Exec(t, `SELECT pg_sleep(1)`)
	if rows := snapshotAll(t, s, h, 0); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
}

// An UPDATE that does not touch a value stored out of line leaves it out, unless
// the replica identity is FULL.
func TestUnchangedToast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	run := start(t, s, h.LSN, rec)
	long := strings.Repeat("long ", 4000)
	r.db.Exec(t, `ALTER TABLE calendar_events ALTER description SET STORAGE EXTERNAL;`+insertSQL("a"))
	r.db.Exec(t, `UPDATE calendar_events SET description = $1`, long)
	r.db.Exec(t, `UPDATE calendar_events SET title = 'T'`)
	r.db.Exec(t, `UPDATE calendar_events SET id = 'b'`)
	r.db.Exec(t, `ALTER TABLE calendar_events REPLICA IDENTITY FULL`)
	r.db.Exec(t, `UPDATE calendar_events SET title = 'U'`)
	r.db.Exec(t, `UPDATE calendar_events SET id = 'c'`)
	r.db.Exec(t, `DELETE FROM calendar_events`)
	rec.awaitChanges(t, 7)
	run.stop(t)
	var got []Presence
	for _, c := range rec.all()[:6] {
		text, p := c.Row.Get(Description)
		if p == Value && text != long {
			t.Errorf("the description is cut to %d bytes", len(text))
		}
		got = append(got, p)
	}
	if diff := cmp.Diff([]Presence{Null, Value, Unchanged, Unchanged, Value, Value}, got); diff != "" {
		t.Error(diff)
	}
	want := []string{"insert a", "update a", "update a", "update b from a", "update b", "update c from b", "delete c"}
	if diff := cmp.Diff(want, rec.brief()); diff != "" {
		t.Error(diff)
	}
}

// Generated columns are left out of the stream, or come with it (Postgres 18, where the
// publication says so): those that nobody reads do not matter, one that is read is
// missing.
func TestGeneratedColumns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.db.Exec(t, `ALTER TABLE calendar_events ADD COLUMN shout text GENERATED ALWAYS AS (upper(title)) STORED;
		ALTER TABLE calendar_events DROP COLUMN description, ADD COLUMN description text GENERATED ALWAYS AS (title) STORED`)
	description := Missing
	if pgtest.Major(t) >= 18 {
		r.db.Exec(t, `ALTER TABLE calendar_events ADD COLUMN whisper text GENERATED ALWAYS AS (lower(title)) VIRTUAL`)
		r.db.Exec(t, `CREATE PUBLICATION `+r.cfg.Publication+` FOR TABLE calendar_events WITH (publish_generated_columns = 'stored')`)
		description = Value
	}
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	start(t, s, h.LSN, rec)
	r.db.Exec(t, insertSQL("a")+`UPDATE calendar_events SET title = 'Another'`)
	rec.awaitChanges(t, 2)
	for i, want := range []string{"Event a", "Another"} {
		row := rec.all()[i].Row
		if got, presence := row.Get(Title); got != want || presence != Value || row.Text(UpdatedAt) == "" {
			t.Errorf("change %d: title %q, row %v", i, got, row)
		}
		if _, presence := row.Get(Description); presence != description {
			t.Errorf("change %d: a generated description is %v, want %v", i, presence, description)
		}
	}
}

// The app re-creates its constraint before each insert, and installs add, drop
// and re-order columns: they are found by name.
func TestColumnsChangeUnderTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	run := start(t, s, h.LSN, rec)
	constraint := `ALTER TABLE calendar_events DROP CONSTRAINT IF EXISTS calendar_events_type_check;
		ALTER TABLE calendar_events ADD CONSTRAINT calendar_events_type_check CHECK (type IN ('onboarding', 'handover'));`
	r.db.Exec(t, constraint+insertSQL("a"))
	r.db.Exec(t, constraint+insertSQL("b"))
	r.db.Exec(t, `ALTER TABLE calendar_events ADD COLUMN colour text DEFAULT 'red';`+insertSQL("c"))
	r.db.Exec(t, sentra.AppointmentColumn+`UPDATE calendar_events SET ghl_appointment_id = 'apt' WHERE id = 'c'`)
	// Dropped and added again, title is the last column.
	r.db.Exec(t, `ALTER TABLE calendar_events DROP COLUMN title; ALTER TABLE calendar_events ADD COLUMN title text DEFAULT 'again';`+insertSQL("d"))
	r.db.Exec(t, `ALTER TABLE calendar_events DROP COLUMN title; DELETE FROM calendar_events WHERE id <> 'd'; UPDATE calendar_events SET client_id = 2`)
	rec.awaitChanges(t, 9)
	run.stop(t)
	title := func(i int) (string, Presence) { return rec.all()[i].Row.Get(Title) }
	for i, want := range []string{"Event a", "Event b", "Event c", "Event c", "Event d"} {
		if got, _ := title(i); got != want || rec.all()[i].Row.Text(UpdatedAt) == "" {
			t.Errorf("change %d: title %q, row %v", i, got, rec.all()[i].Row)
		}
	}
	if got := rec.all()[3].Row.Text(AppointmentID); got != "apt" {
		t.Errorf("appointment id %q", got)
	}
	if _, p := title(8); p != Missing || rec.all()[8].Row.Text(ClientID) != "2" {
		t.Errorf("a dropped column is %v", p)
	}
	// The look-up notices too.
	row, found, err := s.EventRow(t.Context(), rec.all()[8].Tx.XID, "d")
	if err != nil || !found {
		t.Fatalf("look-up: %v %v", found, err)
	}
	if diff := cmp.Diff(rec.all()[8].Row, row, wholeRows); diff != "" {
		t.Error(diff)
	}
}

// Other installs have other types of keys, and names that need quotes.
func TestOtherKeysAndNames(t *testing.T) {
	t.Parallel()
	for name, ids := range map[string][]string{
		"int":           {"1", "2", "10", "11", "100"},
		"uuid":          {"00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002", "10000000-0000-0000-0000-000000000000", "a0000000-0000-0000-0000-000000000000", "ffffffff-0000-0000-0000-000000000000"},
		"varchar(40)":   {"a", "a b", `a'"\`, "{}", "ü"},
		"character(12)": {"aaaaaaaaaaaa", "b           ", "bb          ", "c           ", "cc          "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.db.Exec(t, `CREATE SCHEMA "Sen.tra";
				CREATE TABLE "Sen.tra"."Cli%ents" (id `+name+` PRIMARY KEY, name text, business_name text, email text, phone text);
				CREATE TABLE "Sen.tra"."Calendar ""Events" (type text, updated_at timestamptz, created_at timestamptz, description text,
					end_time time, start_time time, end_date date, start_date date, title text, client_id `+name+`, id `+name+` PRIMARY KEY)`)
			r.cfg.EventsTable, r.cfg.ClientsTable = `"Sen.tra"."Calendar ""Events"`, `"Sen.tra"."Cli%ents"`
			for i, id := range ids {
				r.db.Exec(t, `INSERT INTO "Sen.tra"."Cli%ents" VALUES (`+quoteLiteral(id)+`, NULL, 'B', 'e', NULL)`)
				typ := "onboarding"
				if i == 2 {
					typ = "firstdraft"
				}
				r.db.Exec(t, `INSERT INTO "Sen.tra"."Calendar ""Events" (id, client_id, type) VALUES (`+quoteLiteral(id)+`, `+quoteLiteral(id)+`, '`+typ+`')`)
			}
			s := r.open(t)
			h := r.slot(t, s)
			var got []string
			for _, row := range snapshotAll(t, s, h, 2) {
				id := row.Row.Text(ID)
				got = append(got, id)
				if row.Client == nil || row.Client.ID != id {
					t.Errorf("client of %q is %v", id, row.Client)
				}
			}
			want := append(append([]string{}, ids[:2]...), ids[3:]...)
			if diff := cmp.Diff(want, got, cmpopts.SortSlices(strings.Compare)); diff != "" {
				t.Error(diff)
			}
			rec := newRecorder(h.LSN)
			run := start(t, s, h.LSN, rec)
			r.db.Exec(t, `UPDATE "Sen.tra"."Calendar ""Events" SET title = 'T' WHERE id = `+quoteLiteral(ids[0]))
			r.db.Exec(t, `DELETE FROM "Sen.tra"."Calendar ""Events" WHERE id = `+quoteLiteral(ids[1]))
			rec.awaitChanges(t, 2)
			run.stop(t)
			if diff := cmp.Diff([]string{"update " + ids[0], "delete " + ids[1]}, rec.brief()); diff != "" {
				t.Error(diff)
			}
			xid := rec.all()[1].Tx.XID
			for i, id := range append(ids[:2:2], "no-such", "99999999999999999999") {
				_, found, err := s.EventRow(t.Context(), xid, id)
				if err != nil || found != (i == 0) {
					t.Errorf("%q found: %v, %v", id, found, err)
				}
			}
			clients, err := s.Clients(t.Context(), []uint32{xid}, append(ids[:3:3], "no-such"))
			if err != nil || len(clients) != 3 {
				t.Errorf("clients %v, %v", clients, err)
			}
			if diff := cmp.Diff(Client{ID: ids[0], BusinessName: "B", Email: "e"}, clients[ids[0]]); diff != "" {
				t.Error(diff)
			}
		})
	}
}
