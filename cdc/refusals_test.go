package cdc

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// codes are the findings of an error.
func codes(err error) string {
	var all []string
	for _, f := range Findings(err) {
		all = append(all, f.Code)
	}
	return strings.Join(all, " ")
}

// Each refusal names what is wrong, and its SQL, run by a DBA, mends it.
func TestOpenRefusesWithAMend(t *testing.T) {
	t.Parallel()
	const full = "login replication bypassrls"
	grants := `GRANT SELECT ON calendar_events TO %[1]s; GRANT SELECT (id, name, business_name, email, phone) ON clients TO %[1]s;`
	for name, tc := range map[string]struct {
		attributes, sql string
		codes, says     string
		mendable        bool
	}{
		"least rights":          {attributes: full, sql: grants},
		"owner":                 {attributes: "login replication", sql: `ALTER TABLE calendar_events OWNER TO %[1]s; ALTER TABLE clients OWNER TO %[1]s`},
		"owner, forced":         {attributes: "login replication", sql: `ALTER TABLE calendar_events OWNER TO %[1]s; ALTER TABLE clients OWNER TO %[1]s; ALTER TABLE clients FORCE ROW LEVEL SECURITY`, codes: CodeRowSecurity, mendable: true},
		"no replication":        {attributes: "login bypassrls", sql: grants, codes: CodeReplicationRole, mendable: true},
		"row security":          {attributes: "login replication", sql: grants, codes: CodeRowSecurity + " " + CodeRowSecurity, says: "calendar_events", mendable: true},
		"no select":             {attributes: full, sql: ``, codes: CodeSelect + " " + CodeSelect, says: `"business_name"`, mendable: true},
		"no select of a row":    {attributes: full, sql: grants + `REVOKE SELECT ON calendar_events FROM %[1]s; GRANT SELECT (id, title) ON calendar_events TO %[1]s`, codes: CodeSelect, says: `"client_id", "created_at"`, mendable: true},
		"no schema":             {attributes: full, sql: grants + `REVOKE USAGE ON SCHEMA public FROM PUBLIC`, codes: CodeSelect + " " + CodeSelect, mendable: true},
		"no table":              {attributes: full, sql: grants + `DROP TABLE calendar_events`, codes: CodeTable},
		"view":                  {attributes: full, sql: `ALTER TABLE clients RENAME TO people; CREATE VIEW clients AS SELECT * FROM people;` + grants, codes: CodeTable, says: "not a table"},
		"column missing":        {attributes: full, sql: grants + `ALTER TABLE calendar_events DROP COLUMN start_time, DROP COLUMN title`, codes: CodeColumn, says: "has no column title, start_time"},
		"client column":         {attributes: full, sql: grants + `ALTER TABLE clients DROP COLUMN phone`, codes: CodeColumn, says: "phone"},
		"no primary key":        {attributes: full, sql: grants + `ALTER TABLE calendar_events DROP CONSTRAINT calendar_events_pkey`, codes: CodeReplicaIdentity, says: "REPLICA IDENTITY FULL", mendable: true},
		"identity nothing":      {attributes: full, sql: grants + `ALTER TABLE calendar_events REPLICA IDENTITY NOTHING`, codes: CodeReplicaIdentity, says: "REPLICA IDENTITY DEFAULT", mendable: true},
		"identity without id":   {attributes: full, sql: grants + `ALTER TABLE calendar_events ADD UNIQUE (title); ALTER TABLE calendar_events REPLICA IDENTITY USING INDEX calendar_events_title_key`, codes: CodeReplicaIdentity, mendable: true},
		"identity by index":     {attributes: full, sql: grants + `ALTER TABLE calendar_events ADD UNIQUE (title, id); ALTER TABLE calendar_events REPLICA IDENTITY USING INDEX calendar_events_title_id_key`},
		"identity full":         {attributes: full, sql: grants + `ALTER TABLE calendar_events DROP CONSTRAINT calendar_events_pkey; ALTER TABLE calendar_events REPLICA IDENTITY FULL`},
		"inheritance":           {attributes: full, sql: grants + `CREATE TABLE child () INHERITS (calendar_events)`, codes: CodeTable + " " + CodeReplicaIdentity, says: "inheritance"},
		"several":               {attributes: "login replication", sql: `ALTER TABLE calendar_events REPLICA IDENTITY NOTHING`, codes: strings.Join([]string{CodeSelect, CodeRowSecurity, CodeSelect, CodeRowSecurity, CodeReplicaIdentity}, " "), mendable: true},
		"appointment id hidden": {attributes: full, sql: grants + `ALTER TABLE calendar_events ADD ghl_appointment_id text; REVOKE SELECT ON calendar_events FROM %[1]s; GRANT SELECT (id, client_id, title, start_date, end_date, start_time, end_time, description, type, created_at, updated_at) ON calendar_events TO %[1]s`, codes: CodeSelect, says: "ghl_appointment_id", mendable: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			role, url := r.db.Role(t, tc.attributes)
			r.cfg.URL = url
			r.db.Exec(t, strings.ReplaceAll(tc.sql, "%[1]s", role))
			if tc.codes == "" {
				r.open(t)
				return
			}
			_, err := Open(t.Context(), r.cfg)
			if got := codes(err); got != tc.codes {
				t.Fatalf("findings %q, want %q: %v", got, tc.codes, err)
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%q does not say %q", err, tc.says)
			}
			if !tc.mendable {
				return
			}
			for _, f := range Findings(err) {
				for _, sql := range f.SQL {
					r.db.Exec(t, sql)
				}
			}
			r.open(t)
		})
	}
}

func TestOpenRefusesTheServer(t *testing.T) {
	t.Parallel()
	t.Run("wal_level", func(t *testing.T) {
		t.Parallel()
		r := rigOn(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{WALLevel: "replica"})))
		_, err := Open(t.Context(), r.cfg)
		if codes(err) != CodeWALLevel || !strings.Contains(err.Error(), "ALTER SYSTEM SET wal_level = 'logical';") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("database", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.cfg.URL = r.db.Server.URL("no_such_database")
		if _, err := Open(t.Context(), r.cfg); codes(err) != CodeLogin {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nobody there", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.cfg.URL = "postgres://u:s3cret-pass@127.0.0.1:1/d?sslmode=disable"
		_, err := Open(t.Context(), r.cfg)
		if !errors.Is(err, ErrConnectionLost) || len(Findings(err)) != 0 || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	})
}

// Both kinds of stored passwords let in on both kinds of connection, and a wrong one is
// told without being shown.
func TestPasswords(t *testing.T) {
	t.Parallel()
	r := ownRig(t, nil)
	r.db.Exec(t, `DO $$ BEGIN EXECUTE format('COPY (SELECT unnest(ARRAY[%L, %L])) TO %L',
		'host all postgres 127.0.0.1/32 trust', 'host all all 127.0.0.1/32 md5', current_setting('hba_file')); END $$`)
	if err := r.db.Server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"scram-sha-256", "md5"} {
		r.db.Exec(t, `SET password_encryption = '`+method+`'`)
		role, _ := r.db.Role(t, `superuser login password 'pass word'`)
		r.cfg.URL = strings.Replace(r.db.URL, "postgres@", role+":hunter2@", 1)
		if _, err := Open(t.Context(), r.cfg); codes(err) != CodeLogin || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: a wrong password: %v", method, err)
		}
		r.cfg.URL = strings.Replace(r.db.URL, "postgres@", role+":pass%20word@", 1)
		r.open(t)
	}
}

func TestEnsurePublication(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		sql     string // %s is the publication
		byHand  bool
		created bool
		codes   string
		says    string
		since   int // the first major version with this grammar; 0: all
	}{
		"creates":           {created: true},
		"finds":             {sql: `CREATE PUBLICATION %s FOR TABLE calendar_events`},
		"finds with others": {sql: `CREATE TABLE other (id int PRIMARY KEY); CREATE PUBLICATION %s FOR TABLE other, calendar_events`},
		"adds the table":    {sql: `CREATE PUBLICATION %s`, created: true},
		"by hand":           {byHand: true, codes: CodePublication, says: `CREATE PUBLICATION "%s" FOR TABLE "public"."calendar_events"`},
		"add by hand":       {sql: `CREATE PUBLICATION %s`, byHand: true, codes: CodePublication, says: `ALTER PUBLICATION "%s" ADD TABLE`},
		"all tables":        {sql: `CREATE PUBLICATION %s FOR ALL TABLES`, codes: CodePublication, says: "clients"},
		"whole schema":      {sql: `CREATE PUBLICATION %s FOR TABLES IN SCHEMA public`, codes: CodePublication, says: "clients", since: 15},
		"own schema":        {sql: `ALTER TABLE clients SET SCHEMA public; CREATE SCHEMA e; CREATE PUBLICATION %s FOR TABLE calendar_events, TABLES IN SCHEMA e`, since: 15},
		"clients":           {sql: `CREATE PUBLICATION %s FOR TABLE calendar_events, clients`, codes: CodePublication, says: "clients"},
		"no truncate":       {sql: `CREATE PUBLICATION %s FOR TABLE calendar_events WITH (publish = 'insert, update, delete')`, codes: CodePublication, says: "operations"},
		"row filter":        {sql: `CREATE PUBLICATION %s FOR TABLE calendar_events WHERE (id <> 'x')`, codes: CodePublication, says: "row filter", since: 15},
		"column list":       {sql: `CREATE PUBLICATION %s FOR TABLE calendar_events (id, title)`, codes: CodePublication, says: "column list", since: 15},
	} {
		if pgtest.Major(t) < tc.since {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.cfg.Create = !tc.byHand
			if tc.sql != "" {
				r.db.Exec(t, strings.ReplaceAll(tc.sql, "%s", r.cfg.Publication))
			}
			s := r.open(t)
			created, err := s.EnsurePublication(t.Context())
			if created != tc.created || codes(err) != tc.codes {
				t.Fatalf("created %v, %v", created, err)
			}
			if err != nil {
				if says := strings.ReplaceAll(tc.says, "%s", r.cfg.Publication); !strings.Contains(err.Error(), says) {
					t.Errorf("%q does not say %q", err, says)
				}
				return
			}
			f, err := s.Inspect(t.Context())
			if err != nil || f.Fingerprint == "" || !f.Publication.HasTable {
				t.Errorf("facts %+v, %v", f.Publication, err)
			}
			if created, err := s.EnsurePublication(t.Context()); created || err != nil {
				t.Errorf("a second time: %v, %v", created, err)
			}
		})
	}
}

func TestEnsurePublicationWithoutRights(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	role, url := r.db.Role(t, "login replication bypassrls")
	r.db.Exec(t, fmt.Sprintf(`GRANT SELECT ON calendar_events, clients TO %s`, role))
	r.cfg.URL = url
	s := r.open(t)
	_, err := s.EnsurePublication(t.Context())
	found := Findings(err)
	if len(found) != 1 || found[0].Code != CodePublication {
		t.Fatalf("got %v", err)
	}
	for _, sql := range found[0].SQL {
		r.db.Exec(t, sql)
	}
	if created, err := s.EnsurePublication(t.Context()); created || err != nil {
		t.Errorf("after the mend: %v, %v", created, err)
	}
	// The least role can do all the rest.
	h := r.slot(t, s)
	rec := newRecorder(h.LSN)
	start(t, s, h.LSN, rec)
	r.db.Exec(t, insertSQL("a"))
	rec.awaitChanges(t, 1)
	if rows := snapshotAll(t, s, h, 0); len(rows) != 0 {
		t.Errorf("snapshot from before shows %d rows", len(rows))
	}
}

// The fingerprint is of this very publication of this very table.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	look := func() string {
		t.Helper()
		f, err := s.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return f.Fingerprint
	}
	if got := look(); got != "" {
		t.Errorf("without publication: %q", got)
	}
	if _, err := s.EnsurePublication(t.Context()); err != nil {
		t.Fatal(err)
	}
	last := look()
	r.db.Exec(t, insertSQL("a")+`ALTER TABLE calendar_events ADD COLUMN x int`)
	r.db.Exec(t, `VACUUM FREEZE pg_publication, pg_publication_rel`)
	if got := look(); got != last {
		t.Errorf("changed from %q to %q for nothing", last, got)
	}
	p := r.cfg.Publication
	for _, sql := range []string{
		`DROP PUBLICATION ` + p + `; CREATE PUBLICATION ` + p + ` FOR TABLE calendar_events`,
		`ALTER PUBLICATION ` + p + ` DROP TABLE calendar_events; ALTER PUBLICATION ` + p + ` ADD TABLE calendar_events`,
		`ALTER PUBLICATION ` + p + ` SET (publish = 'insert')`,
		`CREATE TABLE copy (LIKE calendar_events INCLUDING ALL); DROP TABLE calendar_events; ALTER TABLE copy RENAME TO calendar_events; ALTER PUBLICATION ` + p + ` ADD TABLE calendar_events`,
	} {
		r.db.Exec(t, sql)
		if got := look(); got == last || got == "" {
			t.Errorf("%s: fingerprint %q", sql, got)
		} else {
			last = got
		}
	}
	r.db.Exec(t, `ALTER PUBLICATION `+p+` DROP TABLE calendar_events`)
	if got := look(); got != "" {
		t.Errorf("without the table: %q", got)
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.open(t)
	h := r.slot(t, s)
	f, err := s.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if f.SystemID != r.db.QueryString(t, `SELECT system_identifier FROM pg_control_system()`) || f.Timeline != 1 ||
		f.Database != r.db.Name || f.ServerVersion < 140000 || f.WALEnd < h.LSN ||
		fmt.Sprint(f.TableOID) != r.db.QueryString(t, `SELECT 'calendar_events'::regclass::oid`) {
		t.Errorf("facts %+v", f)
	}
	if f.Slot == nil || f.Slot.Plugin != "pgoutput" || !f.Slot.Logical || f.Slot.Active || f.Slot.ConfirmedFlush != h.LSN ||
		f.Slot.Restart == 0 || f.Slot.Database != r.db.Name || f.Slot.Lost() || f.Slot.WALStatus != "reserved" {
		t.Errorf("slot %+v", f.Slot)
	}
	if got := Judge(nil, f, r.cfg); got.Action != Adopt {
		t.Errorf("judged %v", got)
	}
	start(t, s, h.LSN, newRecorder(h.LSN))
	r.db.Await(t, "t", `SELECT active FROM pg_replication_slots WHERE slot_name = $1`, r.cfg.Slot)
	if f, err = s.Inspect(t.Context()); err != nil || !f.Slot.Active || f.Slot.ActivePID == 0 {
		t.Errorf("slot in use %+v, %v", f.Slot, err)
	}
}
