package doctor_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"ghlsync/internal/config"
	"ghlsync/internal/doctor"
	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
)

// TestServerFaults takes a server of its own, since settings and open transactions
// are the whole server's.
func TestServerFaults(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, postgres.Options{})
	r := newRig(t, pgtest.DatabaseOn(t, server))
	r.options.LongTransaction = time.Nanosecond
	conn := r.db.Conn(t)

	fault{check: "slot_limit", before: doctor.Warn, status: doctor.Warn, says: "no limit"}.prove(t, r)

	r.db.Exec(t, `BEGIN; CREATE TABLE prepared (); PREPARE TRANSACTION 'left ''behind'`)
	fault{check: "transactions", before: doctor.Warn, status: doctor.Warn, says: `prepared transaction "left 'behind"`}.prove(t, r)
	if _, err := conn.Exec(t.Context(), `BEGIN; CREATE TABLE open ()`); err != nil {
		t.Fatal(err)
	}
	fault{check: "transactions", before: doctor.Warn, status: doctor.Warn, says: "idle in transaction"}.prove(t, r)

	if _, err := r.db.Conn(t).Exec(t.Context(), `SELECT pg_create_logical_replication_slot($1, 'pgoutput', true)`, r.db.Name); err != nil {
		t.Fatal(err)
	}
	fault{check: "slot", before: doctor.Fail, status: doctor.Fail, says: "temporary"}.prove(t, r)

	other := pgtest.DatabaseOn(t, server)
	other.Exec(t, `SELECT pg_create_logical_replication_slot($1, 'pgoutput')`, r.db.Name)
	fault{check: "slot", before: doctor.Fail, status: doctor.Fail, says: "belongs to database"}.prove(t, r)

	fault{
		check: "sync_standby", status: doctor.Fail, says: "(*)",
		sql: `ALTER SYSTEM SET synchronous_standby_names = '*';;SELECT pg_reload_conf()`,
	}.prove(t, r)
	r.db.Await(t, "", `SHOW synchronous_standby_names`)
	fault{
		check: "sync_standby", status: doctor.Fail, says: "(GHLSYNC Stream)",
		sql: `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (far, "GHLSYNC Stream")';;SELECT pg_reload_conf()`,
	}.prove(t, r)
	r.db.Await(t, `ANY 1 ("far")`, `SHOW synchronous_standby_names`)
	r.db.Exec(t, `ALTER SYSTEM RESET synchronous_standby_names`) // nobody is called far: commits would wait
	r.db.Exec(t, `SELECT pg_reload_conf()`)
	r.db.Await(t, "", `SHOW synchronous_standby_names`)

	if pgtest.Major(t) >= 17 {
		r.env["CDC_SLOT_FAILOVER"] = "true"
		fault{
			check: "standby_slots", status: doctor.Warn, says: "names far, which is not connected",
			sql: `SELECT pg_create_physical_replication_slot('far', true);;ALTER SYSTEM SET synchronized_standby_slots = 'far';;SELECT pg_reload_conf()`,
		}.prove(t, r)
		delete(r.env, "CDC_SLOT_FAILOVER")
	}
	if pgtest.Major(t) >= 18 {
		fault{
			check: "slot_idle", status: doctor.Warn, says: "away for 3600s",
			sql: `ALTER SYSTEM SET idle_replication_slot_timeout = '1h';;SELECT pg_reload_conf()`,
		}.prove(t, r)
	}

	fault{check: "slot", status: doctor.Warn, says: "has lost WAL", sql: `SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')
		;;ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'
		;;SELECT pg_reload_conf()
		;;CREATE TABLE bulk AS SELECT repeat('x', 1000) FROM generate_series(1, 20000)
		;;SELECT pg_switch_wal()
		;;CHECKPOINT`}.prove(t, r)
}

// TestHiddenTransaction: the age of a transaction is hidden from a role that may not
// monitor, but not that it stays.
func TestHiddenTransaction(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.DatabaseOn(t, pgtest.Own(t, postgres.Options{})))
	r.db.Exec(t, `REVOKE pg_monitor FROM `+r.role)
	conn := r.db.Conn(t)
	if _, err := conn.Exec(t.Context(), `BEGIN; CREATE TABLE open ()`); err != nil {
		t.Fatal(err)
	}
	found := r.expect(t, "transactions", doctor.Warn)
	r.mend(t, found)
	r.expect(t, "transactions", doctor.OK)
}

// TestRestartFaults: what a server takes only at a start.
func TestRestartFaults(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, postgres.Options{WALLevel: "replica", Settings: map[string]string{
		"max_replication_slots": "1", "max_wal_senders": "1",
	}})
	r := newRig(t, pgtest.DatabaseOn(t, server))
	r.db.Exec(t, `SELECT pg_create_physical_replication_slot('of_a_standby', true)`)
	checks := map[string]doctor.Status{"wal_level": doctor.Fail, "slots": doctor.Fail, "senders": doctor.Warn}
	results := r.examine(t)
	for name, want := range checks {
		found := results[name]
		if found.Status != want || !strings.Contains(found.Mend, "restart") {
			t.Errorf("%+v, want %s", found, want)
		}
		r.mend(t, found)
	}
	if start := results["start"]; start.Status != doctor.Skipped || start.Detail != "wal_level has failed" {
		t.Errorf("%+v", start)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name := range checks {
		r.expect(t, name, doctor.OK)
	}
}

// TestSourceDown: nobody there costs what is said of GHL nothing.
func TestSourceDown(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	r.env["SENTRA_DATABASE_URL"] = "postgres://someone:hunter2@127.0.0.1:1/sentra"
	results := r.examine(t)
	if got := results["connection"]; got.Status != doctor.Fail || got.Mend == "" || strings.Contains(got.Detail, "hunter2") {
		t.Errorf("%+v", got)
	}
	if got := results["start"]; got.Status != doctor.Skipped || got.Detail != "connection has failed" {
		t.Errorf("%+v", got)
	}
	for _, name := range []string{"settings", "state", "webhook"} {
		if got := results[name]; got.Status != doctor.OK {
			t.Errorf("%+v", got)
		}
	}
}

// TestSilence: who takes a connection and says nothing does not keep the doctor, and
// every check has a result.
func TestSilence(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	all := r.examine(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // the kernel takes connections by itself
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // nobody is served
	r.env["SENTRA_DATABASE_URL"] = "postgres://u:hunter2@" + silent.Addr().String() + "/d?sslmode=disable"
	r.env["GHL_WEBHOOK_URL"] = "https://" + silent.Addr().String() + "/hunter2"
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	report := doctor.Run(ctx, doctor.Options{Environment: config.FromMap(r.env)})
	if len(report.Checks) != len(all) || report.OK {
		t.Errorf("%d results, want %d: %+v", len(report.Checks), len(all), report)
	}
	for _, c := range report.Checks {
		if c.Name == "connection" || c.Name == "webhook" {
			if c.Status != doctor.Fail || c.Detail == "" || c.Mend == "" || strings.Contains(c.Detail, "hunter2") {
				t.Errorf("%+v", c)
			}
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	r := newRig(t, pgtest.Database(t))
	for _, shift := range []time.Duration{-time.Minute, time.Minute} {
		r.options.Now = func() time.Time { return time.Now().Add(shift) }
		if got := r.expect(t, "clock", doctor.Warn); !strings.Contains(got.Detail, "1m0s") {
			t.Errorf("%+v", got)
		}
	}
	r.options.Now = nil
	r.expect(t, "clock", doctor.OK)
}
