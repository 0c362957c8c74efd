package setup

import (
	"fmt"
	"strings"

	"ghlsync/cdc"
)

// Host is a kind of hosting, where rights are given in ways of its own.
type Host string

// A server that somebody runs as a superuser, and the hosted ones that differ.
const (
	Generic  Host = "generic"
	Neon     Host = "neon"
	Supabase Host = "supabase"
	RDS      Host = "rds"
)

// ParseHost reads a kind of hosting.
func ParseHost(s string) (Host, error) {
	switch h := Host(s); h {
	case Generic, Neon, Supabase, RDS:
		return h, nil
	}
	return "", fmt.Errorf("host %q is none: use auto, generic, neon, supabase or rds", s)
}

// HostOf guesses the hosting by the server's host name.
func HostOf(name string) Host {
	name = strings.ToLower(name)
	for suffix, h := range map[string]Host{
		".neon.tech": Neon, ".supabase.co": Supabase, ".supabase.com": Supabase, ".rds.amazonaws.com": RDS,
	} {
		if strings.HasSuffix(name, suffix) {
			return h
		}
	}
	return Generic
}

// Target is what is to be prepared, and for whom.
type Target struct {
	Source   cdc.Config
	Role     string
	Host     Host
	Version  int    // server_version_num
	Database string // "" if it is not known
	WALLevel string // "" if it is not known
}

// step is one thing that has to be so.
type step struct {
	name string
	// there is a query for one boolean: it is so already. A role that does not exist
	// makes it fail, which counts as no.
	there string
	sql   []string
	notes []string // for the script, in words
}

// roleSteps are the rights of the role, in order.
func (t Target) roleSteps() ([]step, error) {
	events, clients, err := t.Source.Tables()
	if err != nil {
		return nil, err
	}
	role, text := cdc.Quote(t.Role), cdc.Literal(t.Role)
	eventsTable, clientsTable := events[0]+"."+events[1], clients[0]+"."+clients[1]
	steps := []step{
		{
			name: "role " + t.Role, there: "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = " + text + ")",
			sql:   []string{t.unless("SELECT FROM pg_catalog.pg_roles WHERE rolname = "+text, "CREATE ROLE "+role+" LOGIN")},
			notes: t.passwordNotes(),
		},
		t.replicationStep(role, text),
		t.rowSecurityStep(role, text, eventsTable, clientsTable),
	}
	steps = append(steps, step{
		name: "may connect", there: fmt.Sprintf("SELECT has_database_privilege(%s, current_database(), 'CONNECT')", text),
		sql: []string{fmt.Sprintf("DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %%I TO %%I', current_database(), %s); END $$;", text)},
	})
	schemas := []string{events[0]}
	if clients[0] != events[0] {
		schemas = append(schemas, clients[0])
	}
	for _, schema := range schemas {
		steps = append(steps, step{
			name: "may use schema " + schema, there: fmt.Sprintf("SELECT has_schema_privilege(%s, %s, 'USAGE')", text, cdc.Literal(unquoted(schema))),
			sql: []string{fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", schema, role)},
		})
	}
	return append(steps, step{
		name: "may read events", there: fmt.Sprintf("SELECT has_table_privilege(%s, %s, 'SELECT')", text, cdc.Literal(eventsTable)),
		sql: []string{fmt.Sprintf("GRANT SELECT ON %s TO %s;", eventsTable, role)},
	}, step{
		name: "may read clients", there: fmt.Sprintf("SELECT bool_and(has_column_privilege(%s, %s, c, 'SELECT')) FROM unnest(ARRAY['%s']) c",
			text, cdc.Literal(clientsTable), strings.Join(cdc.ClientColumns(), "', '")),
		sql: []string{fmt.Sprintf("GRANT SELECT (%s) ON %s TO %s;", strings.Join(cdc.ClientColumns(), ", "), clientsTable, role)},
	}), nil
}

func (t Target) passwordNotes() []string {
	if t.Host == Neon {
		return []string{
			"On Neon, make the role in the console, with the CLI or the API instead: only roles made there may replicate.",
			"Logical replication must be switched on for the project.",
		}
	}
	return []string{`Give it a password yourself, such as with psql's \password, so that none stands in a file.`}
}

// replicationStep: on Amazon RDS the right is a membership.
func (t Target) replicationStep(role, text string) step {
	sql := "ALTER ROLE " + role + " REPLICATION;"
	if t.Host == RDS {
		sql = "GRANT rds_replication TO " + role + ";"
	}
	return step{
		name: "may replicate",
		there: `SELECT r.rolsuper OR r.rolreplication OR EXISTS (SELECT FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid = m.roleid
			WHERE m.member = r.oid AND g.rolname = 'rds_replication') FROM pg_catalog.pg_roles r WHERE r.rolname = ` + text,
		sql: []string{sql},
	}
}

// rowSecurityStep: hidden rows would look deleted. Where BYPASSRLS cannot be given,
// the rights of the tables' owner do it.
func (t Target) rowSecurityStep(role, text, events, clients string) step {
	s := step{
		name: "sees all rows",
		there: fmt.Sprintf(`SELECT bool_and(NOT c.relrowsecurity OR r.rolsuper OR r.rolbypassrls OR NOT c.relforcerowsecurity AND pg_has_role(r.oid, c.relowner, 'USAGE'))
			FROM pg_catalog.pg_roles r, pg_catalog.pg_class c WHERE r.rolname = %s AND c.oid IN (to_regclass(%s), to_regclass(%s))`,
			text, cdc.Literal(events), cdc.Literal(clients)),
		sql:   []string{"ALTER ROLE " + role + " BYPASSRLS;"},
		notes: []string{"Both tables have row level security: rows that it hides would look deleted."},
	}
	if t.Host == RDS {
		s.sql = []string{fmt.Sprintf("DO $$ BEGIN EXECUTE format('GRANT %%I TO %%I', (SELECT pg_get_userbyid(relowner) FROM pg_catalog.pg_class WHERE oid = %s::regclass), %s); END $$;",
			cdc.Literal(events), text)}
		s.notes = append(s.notes, "Amazon RDS has nobody who may give BYPASSRLS, so the role gets the rights of the tables' owner, which row level security spares.")
	}
	return s
}

// publicationStep and slotStep make the two where they are missing.
func (t Target) publicationStep() (step, error) {
	events, _, err := t.Source.Tables()
	if err != nil {
		return step{}, err
	}
	name := cdc.Literal(t.Source.Publication)
	return step{
		name: "publication " + t.Source.Publication,
		there: fmt.Sprintf("SELECT EXISTS (SELECT FROM pg_catalog.pg_publication_tables WHERE pubname = %s AND schemaname = %s AND tablename = %s)",
			name, cdc.Literal(unquoted(events[0])), cdc.Literal(unquoted(events[1]))),
		sql: []string{
			t.unless("SELECT FROM pg_catalog.pg_publication WHERE pubname = "+name, strings.TrimSuffix(t.Source.PublicationSQL(), ";")),
			t.unless(fmt.Sprintf("SELECT FROM pg_catalog.pg_publication_tables WHERE pubname = %s AND schemaname = %s AND tablename = %s",
				name, cdc.Literal(unquoted(events[0])), cdc.Literal(unquoted(events[1]))), strings.TrimSuffix(t.Source.AddTableSQL(), ";")),
		},
		notes: []string{"It has to be run by the owner of the events table. The clients table is never published."},
	}, nil
}

func (t Target) slotStep() step {
	slot := cdc.Literal(t.Source.Slot)
	return step{
		name:  "slot " + t.Source.Slot,
		there: "SELECT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = " + slot + ")",
		sql: []string{strings.TrimSuffix(t.Source.SlotSQL(t.Version), ";") +
			" WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots WHERE slot_name = " + slot + ");"},
		notes: []string{
			"From here on the server keeps WAL for the daemon: start it soon. (Left out, it makes the slot itself.)",
		},
	}
}

// unless runs a statement if a query finds nothing. Statement and query stand in
// one line, and may hold any quotes.
func (t Target) unless(query, statement string) string {
	return fmt.Sprintf("DO $ghlsync$ BEGIN IF NOT EXISTS (%s) THEN EXECUTE %s; END IF; END $ghlsync$;", query, cdc.Literal(statement))
}

// unquoted is the name that an identifier stands for.
func unquoted(ident string) string {
	return strings.ReplaceAll(strings.Trim(ident, `"`), `""`, `"`)
}
