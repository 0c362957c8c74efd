package setup

import (
	"fmt"
	"strings"

	"ghlsync/cdc"
)

// Target is what is to be prepared, and for whom.
type Target struct {
	Source  cdc.Config
	Role    string
	Host    Host
	Version int // server_version_num; 0 if it is not known
	// Survey is a look at the server; nil if nobody looked.
	Survey *cdc.Survey
}

// Learn takes what a look at the server told.
func (t *Target) Learn(v cdc.Survey) { t.Survey, t.Version = &v, v.ServerVersion }

// seen is what is known of the server, which may be nothing.
func (t Target) seen() cdc.Survey {
	if t.Survey == nil {
		return cdc.Survey{}
	}
	return *t.Survey
}

// statement is one statement, complete with its semicolon.
type statement struct {
	text string
	// when is the condition under which it is needed, in SQL; "" is always. Where
	// nobody can be asked, it counts as met, unless the statement is a rare one.
	when string
	rare bool
}

// step is one thing that has to be so.
type step struct {
	name string
	who  string // may do it
	// there is a query for one boolean: it is so already. One that fails, as for a
	// role that does not exist, counts as no.
	there string
	sql   []statement
	notes []string // for the script, in words
	undo  []string // statements of plpgsql, that hold where the role is there
}

// steps are all that has to be so, in order; undone in the reverse order.
func (t Target) steps() ([]step, error) {
	n, err := t.names()
	if err != nil {
		return nil, err
	}
	steps := []step{t.roleStep(n), t.replicationStep(n), t.rowSecurityStep(n), t.connectStep(n)}
	for _, schema := range n.schemas() {
		steps = append(steps, schemaStep(n, schema))
	}
	return append(steps, t.eventsStep(n), t.clientsStep(n), t.publicationStep(n)), nil
}

// names are the names of everything, as identifiers and as literals.
type names struct {
	role, roleText       string
	events, clients      [2]string // schema and table, quoted
	eventsAs, clientsAs  string    // the quoted names as a literal, for to_regclass
	publication, tableIs string    // the literal, and a condition on pg_publication_tables
}

func (t Target) names() (names, error) {
	events, clients, err := t.Source.Tables()
	if err != nil {
		return names{}, err
	}
	publication := cdc.Literal(t.Source.Publication)
	return names{
		role: cdc.Quote(t.Role), roleText: cdc.Literal(t.Role), events: events, clients: clients,
		eventsAs: cdc.Literal(dotted(events)), clientsAs: cdc.Literal(dotted(clients)), publication: publication,
		tableIs: fmt.Sprintf("pubname = %s AND schemaname = %s AND tablename = %s",
			publication, cdc.Literal(unquoted(events[0])), cdc.Literal(unquoted(events[1]))),
	}, nil
}

func dotted(table [2]string) string { return table[0] + "." + table[1] }

// unquoted is the name that an identifier stands for.
func unquoted(ident string) string {
	return strings.ReplaceAll(strings.Trim(ident, `"`), `""`, `"`)
}

func (n names) schemas() []string {
	if n.events[0] == n.clients[0] {
		return []string{n.events[0]}
	}
	return []string{n.events[0], n.clients[0]}
}

// owner names who owns a table of that purpose.
func owner(name, purpose string) string {
	text := "the owner of the " + purpose + " table"
	if name != "" {
		text += " (" + name + ")"
	}
	return text + ", or a superuser"
}

func (t Target) roleStep(n names) step {
	exists := "EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = " + n.roleText + ")"
	return step{
		name: "role " + t.Role, who: t.Host.admin(), there: "SELECT " + exists,
		sql:   []statement{{text: "CREATE ROLE " + n.role + " LOGIN;", when: "NOT " + exists}},
		notes: append(t.Host.roleNotes(), `It gets no password here. Set one in psql: \password `+n.role),
	}
}

// replicationStep: on Amazon RDS the right is a membership.
func (t Target) replicationStep(n names) step {
	sql := "ALTER ROLE " + n.role + " REPLICATION;"
	if t.Host == RDS {
		sql = "GRANT rds_replication TO " + n.role + ";"
	}
	return step{
		name: "may replicate", who: t.Host.admin(),
		there: `SELECT r.rolsuper OR r.rolreplication OR EXISTS (SELECT FROM pg_catalog.pg_roles g
			WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'USAGE')) FROM pg_catalog.pg_roles r WHERE r.rolname = ` + n.roleText,
		sql: []statement{{text: sql}},
	}
}

// rowSecurityStep: hidden rows would look deleted. Where nobody may give
// BYPASSRLS, the rights of the tables' owners do it.
func (t Target) rowSecurityStep(n names) step {
	tables := fmt.Sprintf("(to_regclass(%s), to_regclass(%s))", n.eventsAs, n.clientsAs)
	secured := "EXISTS (SELECT FROM pg_catalog.pg_class WHERE relrowsecurity AND oid IN " + tables + ")"
	s := step{
		name: "sees all rows", who: t.Host.admin(),
		there: fmt.Sprintf(`SELECT bool_and(NOT c.relrowsecurity OR r.rolsuper OR r.rolbypassrls OR NOT c.relforcerowsecurity AND pg_has_role(r.oid, c.relowner, 'USAGE'))
			FROM pg_catalog.pg_roles r, pg_catalog.pg_class c WHERE r.rolname = %s AND c.oid IN %s`, n.roleText, tables),
		sql:   []statement{{text: "ALTER ROLE " + n.role + " BYPASSRLS;", when: secured}},
		notes: []string{"Both of Sentra's tables have row level security. Rows that it hides would look deleted."},
	}
	if t.Host == RDS {
		s.sql = []statement{{text: fmt.Sprintf("DO $ghlsync$ DECLARE o name; BEGIN FOR o IN SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_catalog.pg_class WHERE relrowsecurity AND oid IN %s"+
			" LOOP EXECUTE format('GRANT %%I TO %%I', o, %s); END LOOP; END $ghlsync$;", tables, n.roleText)}}
		s.notes = append(s.notes, "Nobody on Amazon RDS may give BYPASSRLS. Row level security spares the tables' owner, so the role becomes a member",
			"of it: more than it needs, since it may write then, and read all columns.")
	}
	return s
}

// connectStep names the database where it is known.
func (t Target) connectStep(n names) step {
	s := step{
		name: "may connect", who: "the owner of the database, or a superuser",
		there: fmt.Sprintf("SELECT has_database_privilege(%s, current_database(), 'CONNECT')", n.roleText),
		undo:  []string{fmt.Sprintf("EXECUTE format('REVOKE CONNECT ON DATABASE %%I FROM %%I', current_database(), %s);", n.roleText)},
	}
	if database := t.seen().Database; database != "" {
		s.sql = []statement{{text: fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s;", cdc.Quote(database), n.role)}}
	} else {
		s.sql = []statement{{text: fmt.Sprintf("DO $ghlsync$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %%I TO %%I', current_database(), %s); END $ghlsync$;", n.roleText)}}
	}
	return s
}

func schemaStep(n names, schema string) step {
	return step{
		name: "may use schema " + unquoted(schema), who: "the owner of the schema, or a superuser",
		there: fmt.Sprintf("SELECT has_schema_privilege(%s, %s, 'USAGE')", n.roleText, cdc.Literal(unquoted(schema))),
		sql:   []statement{{text: fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", schema, n.role)}},
		undo: []string{fmt.Sprintf("IF to_regnamespace(%s) IS NOT NULL THEN REVOKE USAGE ON SCHEMA %s FROM %s; END IF;",
			cdc.Literal(schema), schema, n.role)},
	}
}

// eventsStep accepts rights to the columns that the daemon reads, and no more.
func (t Target) eventsStep(n names) step {
	return step{
		name: "may read events", who: owner(t.seen().EventsOwner, "events"),
		there: readable(n.roleText, n.eventsAs, cdc.EventColumns()),
		sql:   []statement{{text: fmt.Sprintf("GRANT SELECT ON %s TO %s;", dotted(n.events), n.role)}},
		undo:  []string{revoke("SELECT", n.eventsAs, n.events, n.role)},
	}
}

func (t Target) clientsStep(n names) step {
	columns := cdc.ClientColumns()
	list := strings.Join(columns, ", ")
	return step{
		name: "may read clients", who: owner(t.seen().ClientsOwner, "clients"),
		there: readable(n.roleText, n.clientsAs, columns),
		sql:   []statement{{text: fmt.Sprintf("GRANT SELECT (%s) ON %s TO %s;", list, dotted(n.clients), n.role)}},
		notes: []string{"These columns and no other: usernames, passwords and the like stay unreadable."},
		undo:  []string{revoke("SELECT ("+list+")", n.clientsAs, n.clients, n.role)},
	}
}

// readable is a query whether the role may read those of the columns that exist.
func readable(role, table string, columns []string) string {
	return fmt.Sprintf(`SELECT bool_and(has_column_privilege(%[1]s, a.attrelid, a.attnum, 'SELECT')) FROM pg_catalog.pg_attribute a
		WHERE a.attrelid = to_regclass(%[2]s) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname IN ('%[3]s')`, role, table, strings.Join(columns, "', '"))
}

func revoke(right, as string, table [2]string, role string) string {
	return fmt.Sprintf("IF to_regclass(%s) IS NOT NULL THEN REVOKE %s ON %s FROM %s; END IF;", as, right, dotted(table), role)
}

func (t Target) publicationStep(n names) step {
	exists := "EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = " + n.publication + ")"
	holds := "EXISTS (SELECT FROM pg_catalog.pg_publication_tables WHERE " + n.tableIs + ")"
	return step{
		name: "publication " + t.Source.Publication, who: owner(t.seen().EventsOwner, "events"),
		there: "SELECT " + holds,
		sql: []statement{
			{text: t.Source.PublicationSQL(), when: "NOT " + exists},
			{text: t.Source.AddTableSQL(), when: exists + " AND NOT " + holds, rare: true},
		},
		notes: []string{
			"The clients table is never published. The events table needs a replica identity that has its id, such as the",
			"primary key: published without one, Sentra's own UPDATE and DELETE would fail.",
		},
	}
}
