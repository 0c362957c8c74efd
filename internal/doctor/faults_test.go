package doctor_test

import (
	"strings"
	"testing"

	"ghlsync/internal/doctor"
	"ghlsync/internal/postgres/pgtest"
)

// partitioned puts a partitioned table in the place of Sentra's.
const partitioned = `
	ALTER TABLE calendar_events RENAME TO plain;
	CREATE TABLE calendar_events (LIKE plain, PRIMARY KEY (id)) PARTITION BY HASH (id);
	CREATE TABLE part PARTITION OF calendar_events FOR VALUES WITH (MODULUS 1, REMAINDER 0);
	GRANT SELECT ON calendar_events TO {role};
	DROP PUBLICATION {name};`

var faults = []fault{
	{name: "may not connect", check: "connection", status: doctor.Fail, sql: `REVOKE CONNECT ON DATABASE {name} FROM PUBLIC`, says: "may not connect"},
	{name: "may not replicate", check: "replication", status: doctor.Fail, sql: `ALTER ROLE {role} NOREPLICATION`, says: "may not replicate"},
	{name: "events unreadable", check: "rights", status: doctor.Fail, sql: `REVOKE SELECT ON calendar_events FROM {role}`, says: "calendar_events"},
	{name: "column of events unreadable", check: "rights", status: doctor.Fail, sql: `REVOKE SELECT ON calendar_events FROM {role}; GRANT SELECT (id, type) ON calendar_events TO {role}`, says: `"title"`},
	{name: "column of clients unreadable", check: "rights", status: doctor.Fail, sql: `REVOKE SELECT (email) ON clients FROM {role}`, says: `"email" of public.clients`},
	{name: "schema unusable", check: "rights", status: doctor.Fail, sql: `REVOKE USAGE ON SCHEMA public FROM PUBLIC`, says: "schema public"},
	{name: "row security", check: "row_security", status: doctor.Fail, sql: `ALTER ROLE {role} NOBYPASSRLS`, says: "row level security"},
	{name: "no replica identity", check: "replica_identity", status: doctor.Fail, sql: `ALTER TABLE calendar_events REPLICA IDENTITY NOTHING`, says: "calendar_events"},
	{name: "no primary key", check: "replica_identity", status: doctor.Fail, sql: `ALTER TABLE calendar_events DROP CONSTRAINT calendar_events_pkey`, says: "calendar_events"},
	{name: "date with a time", check: "types", status: doctor.Fail, sql: `ALTER TABLE calendar_events ALTER start_date TYPE timestamp`, says: "start_date"},
	{name: "time as text", check: "types", status: doctor.Fail, sql: `ALTER TABLE calendar_events ALTER end_time TYPE varchar(8)`, says: "end_time"},
	{name: "timestamp as date", check: "types", status: doctor.Fail, sql: `ALTER TABLE calendar_events ALTER updated_at TYPE date`, says: "updated_at"},
	{name: "clients published", check: "publication", status: doctor.Fail, sql: `ALTER PUBLICATION {name} ADD TABLE clients`, says: "clients"},
	{name: "all published", check: "publication", status: doctor.Fail, sql: `DROP PUBLICATION {name}; CREATE PUBLICATION {name} FOR ALL TABLES`, says: "clients"},
	{name: "operations left out", check: "publication", status: doctor.Fail, sql: `ALTER PUBLICATION {name} SET (publish = 'insert, update')`, says: "operations"},
	{name: "row filter", check: "publication", status: doctor.Fail, sql: `ALTER PUBLICATION {name} SET TABLE calendar_events WHERE (id <> 'x')`, says: "row filter", since: 15},
	{name: "column list", check: "publication", status: doctor.Fail, sql: `ALTER PUBLICATION {name} SET TABLE calendar_events (id, title)`, says: "column list", since: 15},
	{name: "partitions published", check: "publication", status: doctor.Fail, sql: partitioned + `CREATE PUBLICATION {name} FOR TABLE calendar_events`, says: "partitions"},
	{name: "no publication, and no right to it", check: "publication", status: doctor.Fail, sql: `DROP PUBLICATION {name}`, says: "may not change"},
	{name: "no publication, and none to be made", check: "publication", status: doctor.Fail, sql: `DROP PUBLICATION {name}`, env: map[string]string{"CDC_CREATE": "false"}, says: "does not exist"},
	{name: "table not in the publication", check: "publication", status: doctor.Fail, sql: `ALTER PUBLICATION {name} DROP TABLE calendar_events`, says: "does not have"},
	{name: "slot of another plugin", check: "slot", status: doctor.Fail, sql: `SELECT pg_create_logical_replication_slot('{name}', 'test_decoding')`, says: "test_decoding"},
	{name: "physical slot", check: "slot", status: doctor.Fail, sql: `SELECT pg_create_physical_replication_slot('{name}')`, says: "physical"},
	{name: "two-phase slot", check: "slot", status: doctor.Fail, sql: `SELECT pg_create_logical_replication_slot('{name}', 'pgoutput', false, true)`, says: "two_phase"},
	{name: "no slot, and none to be made", check: "slot", status: doctor.Fail, env: map[string]string{"CDC_CREATE": "false"}, says: "does not exist"},
	{name: "failover before Postgres 17", check: "slot", status: doctor.Warn, env: map[string]string{"CDC_SLOT_FAILOVER": "true"}, says: "CDC_SLOT_FAILOVER", until: 16},
	{name: "slot that does not fail over", check: "slot", status: doctor.Warn, since: 17, sql: `SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')`, env: map[string]string{"CDC_SLOT_FAILOVER": "true"}, says: "would not survive a failover"},
	{name: "slot that fails over unasked", check: "slot", status: doctor.Warn, since: 17, sql: `SELECT pg_create_logical_replication_slot('{name}', 'pgoutput', failover => true)`, says: "marked for failover"},
	{name: "nothing is sent", check: "webhook", status: doctor.Warn, env: map[string]string{"GHL_WEBHOOK_ENABLED": "false"}, says: "GHL_WEBHOOK_ENABLED"},
	{name: "marker spelt otherwise", check: "echo", status: doctor.Warn, sql: `UPDATE calendar_events SET description = 'Booked. appointment id = abc' WHERE id = 'event-1700000004.000004'`, says: `"event-1700000004.000004"`},
	{name: "pattern that misses", check: "echo", status: doctor.Warn, sql: `UPDATE calendar_events SET description = E'Booked.\nAppointment ID: abc' WHERE id = 'event-1700000004.000004'`, env: map[string]string{"SENTRA_ECHO_PATTERN": `ref (\d+)`}, says: "1 event"},
}

// TestFaults: each is found under its check, and what is printed mends it.
func TestFaults(t *testing.T) {
	t.Parallel()
	for _, f := range faults {
		if major := pgtest.Major(t); major < f.since || f.until != 0 && major > f.until {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.prove(t, newRig(t, pgtest.Database(t)))
		})
	}
}

// TestNothingWrong: what the other tests take a fault away from.
func TestNothingWrong(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	for name, got := range r.examine(t) {
		switch name {
		case "slot_limit", "transactions": // the server's own, and what other tests do
		case "certificate", "in_app_webhooks":
		default:
			if got.Status != doctor.OK {
				t.Errorf("%+v", got)
			}
		}
	}
}

// TestWordsAlone: what no statement mends is told all the same, and what builds on it
// is not judged.
func TestWordsAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, sql, check, says, skips string
		env                           map[string]string
	}{
		{name: "no such table", env: map[string]string{"SENTRA_EVENTS_TABLE": "public.events"}, check: "tables", says: "no table public.events", skips: "columns"},
		{name: "a view", sql: `ALTER TABLE clients RENAME TO people; CREATE VIEW clients AS SELECT * FROM people`, check: "tables", says: "not a table", skips: "rights"},
		{name: "children", sql: `CREATE TABLE child () INHERITS (calendar_events)`, check: "tables", says: "inheritance", skips: "publication"},
		{name: "no such column", sql: `ALTER TABLE calendar_events DROP COLUMN end_time`, check: "columns", says: "end_time", skips: "echo"},
		{name: "may not log in", sql: `ALTER ROLE {role} NOLOGIN`, check: "connection", says: "refuses role", skips: "version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, pgtest.Database(t))
			r.plant(t, c.sql, c.env)
			results := r.examine(t)
			if got := results[c.check]; got.Status != doctor.Fail || !strings.Contains(got.Detail, c.says) || got.Mend == "" {
				t.Errorf("%+v does not say %q", got, c.says)
			}
			if got := results[c.skips]; got.Status != doctor.Skipped || !strings.Contains(got.Detail, "has failed") {
				t.Errorf("%+v", got)
			}
		})
	}
}
