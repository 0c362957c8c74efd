package pgtest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/testdata/sentra"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func TestDatabaseHoldsSentra(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, first, second string
	}{
		{"column then seed", sentra.AppointmentColumn, sentra.Seed},
		{"seed then column", sentra.Seed, sentra.AppointmentColumn},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.Database(t)
			db.Exec(t, test.first)
			db.Exec(t, test.second)
			for _, fact := range []struct{ sql, want string }{
				{`select count(*) from clients`, "4"},
				{`select count(distinct type) from calendar_events`, "4"},
				{`select count(*) from calendar_events where type in ('onboarding', 'handover')`, "5"},
				{`select count(*) from calendar_events where ghl_appointment_id is null`, "10"},
				{`select bool_and(relrowsecurity) from pg_class where relname in ('clients', 'calendar_events')`, "t"},
				{`select string_agg(distinct roles::text, ',') from pg_policies where tablename in ('clients', 'calendar_events')`, "{authenticated}"},
				{`select string_agg(relreplident::text, '') from pg_class where relname in ('clients', 'calendar_events')`, "dd"},
			} {
				if got := db.QueryString(t, fact.sql); got != fact.want {
					t.Errorf("%s: %q, want %q", fact.sql, got, fact.want)
				}
			}
		})
	}
}

func TestStandbyReceives(t *testing.T) {
	t.Parallel()
	primary := pgtest.Own(t, postgres.Options{})
	db := pgtest.DatabaseOn(t, primary)
	other := db.On(t, pgtest.Standby(t, primary, db.Name, nil))
	db.Exec(t, sentra.Seed)
	other.Await(t, "4", `select count(*) from clients`)
	if other.QueryString(t, `select pg_is_in_recovery()`) != "t" {
		t.Error("it is no standby")
	}
	db.Await(t, "t", `select active from pg_replication_slots where slot_name = $1`, pgtest.StandbySlot)
}

func TestSchemaBehavesAsSentra(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	db.Exec(t, sentra.Seed)

	t.Log("the default id is a text of the commit's time")
	db.Exec(t, `insert into calendar_events (client_id, title, start_date, end_date, start_time, end_time, type)
		values (2, 'Event', '2030-01-01', '2030-01-01', '10:00', '11:00', 'handover')`)
	if id := db.QueryString(t, `select id from calendar_events where title = 'Event'`); !strings.HasPrefix(id, "event-1") {
		t.Errorf("default id %q", id)
	}

	t.Log("triggers set updated_at whatever the app writes")
	db.Exec(t, `update calendar_events set updated_at = '2001-01-01'; update clients set updated_at = '2001-01-01'`)
	if old := db.QueryString(t, `select (select count(*) from calendar_events where updated_at < '2002-01-01')
		+ (select count(*) from clients where updated_at < '2002-01-01')`); old != "0" {
		t.Errorf("%s rows keep the written updated_at", old)
	}

	t.Log("deleting a client deletes its events")
	db.Exec(t, `delete from clients where id = 1`)
	if left := db.QueryString(t, `select count(*) from calendar_events where client_id = 1`); left != "0" {
		t.Errorf("%s events outlive their client", left)
	}

	t.Log("a type out of the four is refused")
	_, err := db.Conn(t).Exec(t.Context(), `update calendar_events set type = 'meeting'`)
	if pgErr := (*pgconn.PgError)(nil); !errors.As(err, &pgErr) || pgErr.ConstraintName != "calendar_events_type_check" {
		t.Errorf("type meeting: %v", err)
	}

	t.Log("without BYPASSRLS a role sees nothing, and no error")
	role, address := db.Role(t, "login")
	db.Exec(t, `grant select on clients, calendar_events to `+role)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // only read from
	var seen int
	if err := conn.QueryRow(t.Context(), `select (select count(*) from clients) + (select count(*) from calendar_events)`).Scan(&seen); err != nil || seen != 0 {
		t.Errorf("an unprivileged role sees %d rows, error %v", seen, err)
	}
}

func TestDatabaseGoesWithItsTest(t *testing.T) {
	t.Parallel()
	var name, role string
	t.Run("busy", func(t *testing.T) {
		db := pgtest.Database(t)
		name = db.Name
		role, _ = db.Role(t, "nologin")
		db.Exec(t, `create table owned (); alter table owned owner to `+role)
		db.Exec(t, `select pg_create_logical_replication_slot('`+name+`', 'pgoutput')`)
		db.Exec(t, `begin; create table prepared (); prepare transaction 'left behind'`)
		db.Conn(t) // and a connection that stays open
	})
	other := pgtest.DatabaseWithoutSchema(t)
	for what, sql := range map[string]string{
		"database":             `select count(*) from pg_database where datname = $1`,
		"slot":                 `select count(*) from pg_replication_slots where slot_name = $1`,
		"prepared transaction": `select count(*) from pg_prepared_xacts where database = $1`,
	} {
		if got := other.QueryString(t, sql, name); got != "0" {
			t.Errorf("the %s is still there", what)
		}
	}
	if got := other.QueryString(t, `select count(*) from pg_roles where rolname = $1`, role); got != "0" {
		t.Error("the role is still there")
	}
	if got := other.QueryString(t, `select count(*) from pg_tables where schemaname = 'public'`); got != "0" {
		t.Errorf("a database without schema has %s tables", got)
	}
}

func TestActiveSlotIsTakenFromItsHolder(t *testing.T) {
	t.Parallel()
	var holder *pgconn.PgConn
	var name string
	t.Run("streaming", func(t *testing.T) {
		db := pgtest.Database(t)
		name = db.Name
		db.Exec(t, `create publication `+name+` for table calendar_events`)
		db.Exec(t, `select pg_create_logical_replication_slot('`+name+`', 'pgoutput')`)
		var err error
		if holder, err = pgconn.Connect(t.Context(), db.URL+"&replication=database"); err != nil {
			t.Fatal(err)
		}
		holder.Frontend().Send(startReplication(name))
		if err := holder.Frontend().Flush(); err != nil {
			t.Fatal(err)
		}
		db.Await(t, "t", `select active from pg_replication_slots where slot_name = $1`, name)
	})
	defer holder.Close(t.Context()) //nolint:errcheck // the server has cut it
	if got := pgtest.DatabaseWithoutSchema(t).QueryString(t, `select count(*) from pg_replication_slots where slot_name = $1`, name); got != "0" {
		t.Error("the slot is still there")
	}
}

func TestOwnServerComesBackForItsDatabase(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, postgres.Options{Settings: map[string]string{"wal_sender_timeout": "1234ms"}})
	db := pgtest.DatabaseOn(t, server)
	if got := db.QueryString(t, `show wal_sender_timeout`); got != "1234ms" {
		t.Errorf("wal_sender_timeout is %s", got)
	}
	db.Exec(t, sentra.Seed)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := db.QueryString(t, `select count(*) from calendar_events`); got != "10" {
		t.Errorf("%s events after the restart", got)
	}
	if server.PID() == pgtest.Server(t).PID() {
		t.Error("the server is the shared one")
	}
}

func startReplication(name string) *pgproto3.Query {
	return &pgproto3.Query{String: `START_REPLICATION SLOT "` + name + `" LOGICAL 0/0 (proto_version '1', publication_names '"` + name + `"')`}
}
