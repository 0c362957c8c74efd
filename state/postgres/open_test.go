package postgres_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// Several daemons start at once, on a database that has nothing yet.
func TestSeveralMigrate(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			s, err := postgres.Open(t.Context(), db.URL, postgres.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := db.QueryString(t, "select count(*) from (select from ghlsync.goose_db_version where version_id > 0 group by version_id having count(*) > 1) as twice"); n != "0" {
		t.Errorf("%s migrations were made twice", n)
	}
	openAt(t, db.URL, postgres.Options{})
}

func TestOtherSchemas(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	refused := func(what string, want error) {
		t.Helper()
		if r, err := postgres.OpenReadOnly(t.Context(), db.URL); !errors.Is(err, want) {
			t.Errorf("reading of %s: %v", what, err)
			if err == nil {
				_ = r.Close()
			}
		}
	}
	refused("no state", fs.ErrNotExist)
	if there := db.QueryString(t, "select to_regnamespace('ghlsync')::text"); there != "" {
		t.Error("reading has made a schema")
	}
	openAt(t, db.URL, postgres.Options{})
	reader, err := postgres.OpenReadOnly(t.Context(), db.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Counts(t.Context()); err != nil {
		t.Error(err)
	}
	if err := reader.Close(); err != nil {
		t.Error(err)
	}
	db.Exec(t, "delete from ghlsync.goose_db_version where version_id = (select max(version_id) from ghlsync.goose_db_version)")
	refused("an older state", state.ErrOlderSchema)
	db.Exec(t, "insert into ghlsync.goose_db_version (version_id, is_applied) values (999, true)")
	refused("a newer state", state.ErrNewerSchema)
	if s, err := postgres.Open(t.Context(), db.URL, postgres.Options{}); !errors.Is(err, state.ErrNewerSchema) {
		t.Errorf("a newer state: %v", err)
		if err == nil {
			_ = s.Close()
		}
	}
}

// While daemons are upgraded one after the other, the older ones start on what the
// newer ones have migrated. It goes no further than one version.
func TestOneMigrationAhead(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	openAt(t, db.URL, postgres.Options{})
	ahead := func() {
		db.Exec(t, "insert into ghlsync.goose_db_version (version_id, is_applied) select max(version_id) + 1, true from ghlsync.goose_db_version")
	}
	ahead()
	fill(t, openAt(t, db.URL, postgres.Options{}), 1)
	ahead()
	if s, err := postgres.Open(t.Context(), db.URL, postgres.Options{}); !errors.Is(err, state.ErrNewerSchema) {
		t.Errorf("two ahead: %v", err)
		if err == nil {
			_ = s.Close()
		}
	}
}

// A role that may not create schemas uses one that was made for it.
func TestRoleWithItsSchema(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	role, address := db.Role(t, "login")
	if s, err := postgres.Open(t.Context(), address, postgres.Options{}); err == nil || !strings.Contains(err.Error(), "create schema ghlsync") {
		t.Errorf("without a right: %v", err)
		if err == nil {
			_ = s.Close()
		}
	}
	db.Exec(t, "create schema ghlsync authorization "+role)
	fill(t, openAt(t, address, postgres.Options{}), 1)
}

// No test can cut the power: what makes commits outlive that is looked at, against
// the defaults of a database and what the address asks for.
func TestCommitsAreDurable(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	db.Exec(t, "alter database "+db.Name+" set synchronous_commit = off")
	db.Exec(t, "alter database "+db.Name+" set statement_timeout = '1ms'")
	db.Exec(t, "alter database "+db.Name+" set default_transaction_read_only = on")
	db.Exec(t, "alter database "+db.Name+" set default_transaction_isolation = 'serializable'")
	s := openAt(t, db.URL+"&options=-c%20synchronous_commit%3Doff", postgres.Options{})
	for _, as := range []state.Store{s, s.Delivery()} {
		tx := begin(t, as)
		for name, want := range map[string]string{
			"synchronous_commit": "on", "statement_timeout": "0", "transaction_read_only": "off", "transaction_isolation": "read committed",
		} {
			if value, err := postgres.Setting(t.Context(), tx, name); err != nil || value != want {
				t.Errorf("%s is %q, %v", name, value, err)
			}
		}
		if err := tx.Rollback(); err != nil {
			t.Error(err)
		}
	}
	fill(t, s, 1)
}

// A database in which some texts cannot be stored is refused, and so is an address
// that is none, without a word of it.
func TestRefused(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	name := db.Name + "_latin1"
	db.Exec(t, "create database "+name+" encoding 'LATIN1' template template0")
	defer db.Exec(t, "drop database "+name+" with (force)")
	for address, want := range map[string]string{
		db.Server.URL(name):                            "LATIN1",
		"postgres://user:%zz-geheim@127.0.0.1:port/db": "not a connection string",
		"postgres://user:geheim@127.0.0.1:1/db":        "connect",
	} {
		s, err := postgres.Open(t.Context(), address, postgres.Options{})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// Texts that PostgreSQL cannot hold keep no row from being saved and found.
func TestImpossibleTexts(t *testing.T) {
	t.Parallel()
	s := openAt(t, pgtest.DatabaseWithoutSchema(t).URL, postgres.Options{})
	const id = "ghl\x00\xff1"
	m := due("event")
	m.AppointmentID, m.SyncError = id, "\x00"
	must(t, s, func(tx state.Tx) error {
		return errors.Join(tx.Save(t.Context(), m), tx.Retire(t.Context(), "event", "\x00", begin0))
	})
	must(t, s, func(tx state.Tx) error {
		taken, err := tx.Taken(t.Context(), []string{id, "\x00", "other"})
		if len(taken) != 2 || taken[id] != "event" {
			t.Errorf("taken: %q", taken)
		}
		return err
	})
	if got := one(t, s, "event"); got.AppointmentID != "ghl\uFFFD\uFFFD1" {
		t.Errorf("the appointment is %q", got.AppointmentID)
	}
}

// In Sentra's own database the state is not published, and the stream has nothing
// of it.
func TestBesideWhatIsCaptured(t *testing.T) {
	t.Parallel()
	db := pgtest.Database(t)
	db.Exec(t, "create publication "+db.Name+" for table calendar_events")
	db.Exec(t, "select pg_create_logical_replication_slot('"+db.Name+"', 'pgoutput')")
	s := openAt(t, db.URL, postgres.Options{})
	fill(t, s, 10)
	if tables := db.QueryString(t, "select string_agg(schemaname || '.' || tablename, ' ') from pg_publication_tables where pubname = $1", db.Name); tables != "public.calendar_events" {
		t.Errorf("published: %s", tables)
	}
	// These are relations and rows; the boundaries of transactions are there on some versions.
	if n := db.QueryString(t, `select count(*) from pg_logical_slot_peek_binary_changes('`+db.Name+`', null, null, 'proto_version', '1', 'publication_names', '`+db.Name+`')
		where get_byte(data, 0) not in (ascii('B'), ascii('C'))`); n != "0" {
		t.Errorf("the stream brings %s messages of the state", n)
	}
	if id := db.QueryString(t, "select system_identifier::text from pg_control_system()"); s.SystemID() != id || id == "" {
		t.Errorf("the system is %q, want %q", s.SystemID(), id)
	}
	if schemas := db.QueryString(t, "select string_agg(distinct schemaname, ' ') from pg_tables where schemaname not in ('pg_catalog', 'information_schema', 'public')"); schemas != "ghlsync" {
		t.Errorf("there are tables in %s", schemas)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	s := openAt(t, pgtest.DatabaseWithoutSchema(t).URL, postgres.Options{})
	must(t, s, func(tx state.Tx) error {
		rows := make([]*state.Mapping, 30)
		for i := range rows {
			rows[i] = &state.Mapping{
				ID: state.EventID(fmt.Sprintf("%02d", i)), AppointmentID: fmt.Sprintf("ghl-%d", i), Wanted: state.Present, GHL: state.GHLPresent, Hash: "h", GHLHash: "h",
			}
		}
		return tx.Save(t.Context(), rows...)
	})
	for _, c := range []struct {
		query       string
		after       state.EventID
		limit, rows int
		want        int
		upTo        state.EventID
	}{
		{"2", "", 9, 13, 2, "12"}, {"2", "12", 2, 10, 2, "22"}, {"2", "24", 9, 10, 5, ""}, {"hl-29", "", 9, 30, 1, "29"}, {"nowhere", "29", 9, 10, 0, ""},
	} {
		found, upTo, err := s.Search(t.Context(), state.Filter{Query: c.query}, c.after, c.limit, c.rows)
		if err != nil || len(found) != c.want || upTo != c.upTo {
			t.Errorf("%+v: %d up to %q, %v", c, len(found), upTo, err)
		}
	}
	if id, err := s.HasAppointment(t.Context(), "ghl-21"); id != "21" || err != nil {
		t.Errorf("the event of an appointment: %q, %v", id, err)
	}
	if _, err := s.HasAppointment(t.Context(), "ghl-99"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("an appointment that nobody has: %v", err)
	}
}
