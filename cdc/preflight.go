package cdc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

const oldestServer = 140000

// preflight looks for everything that would keep capture from working, and
// reports all of it.
func (s *Source) preflight(ctx context.Context, conn *pgconn.PgConn) error {
	if find := versionFinding(s.version); find != nil {
		return find
	}
	rows, err := query(ctx, conn, `SELECT current_setting('wal_level'), pg_is_in_recovery()`)
	if err != nil {
		return fmt.Errorf("read server settings: %w", s.serverError(err))
	}
	if rows[0].yes(1) {
		return errStandby
	}
	var findings []error
	if find := walFinding(rows[0].text(0)); find != nil {
		findings = append(findings, find)
	}
	sh, err := s.readShape(ctx, conn)
	if err != nil {
		return err
	}
	s.shape.Store(sh)
	findings = append(findings, s.tableFindings(&sh.events, eventColumns())...)
	findings = append(findings, s.tableFindings(&sh.clients, clientColumns[:])...)
	if sh.events.oid != 0 {
		identity, err := s.identityFinding(ctx, conn, sh.events.oid)
		if err != nil {
			return err
		}
		findings = append(findings, identity)
	}
	return errors.Join(findings...)
}

var errStandby = fmt.Errorf("%w: point SENTRA_DATABASE_URL to the primary", ErrInRecovery)

func versionFinding(version int) *Finding {
	if version >= oldestServer {
		return nil
	}
	return &Finding{
		Code: CodeServerVersion, Problem: fmt.Sprintf("the server is Postgres %d", version/10000),
		Mend: "use Postgres 14 or later",
	}
}

func walFinding(level string) *Finding {
	if level == "logical" {
		return nil
	}
	return &Finding{
		Code: CodeWALLevel, Problem: fmt.Sprintf("wal_level is %s, which does not allow logical replication", level),
		Mend: "set it and restart the server (hosted: switch logical replication on for the project; on Amazon RDS set rds.logical_replication)",
		SQL:  []string{"ALTER SYSTEM SET wal_level = 'logical';"},
	}
}

// tableFindings judges one table by what the catalog says.
func (s *Source) tableFindings(t *tableShape, needed []string) []error {
	if t.oid == 0 {
		return []error{&Finding{
			Code: CodeTable, Problem: fmt.Sprintf("there is no table %s in database %q", t.name, s.base.Database),
			Mend: "check SENTRA_EVENTS_TABLE, SENTRA_CLIENTS_TABLE and the database of SENTRA_DATABASE_URL",
		}}
	}
	if t.kind != "r" && t.kind != "p" {
		return []error{&Finding{Code: CodeTable, Problem: fmt.Sprintf("%s is not a table", t.name), Mend: "name the table, not a view of it"}}
	}
	var findings []error
	if t.inherited && t.name == s.events {
		findings = append(findings, &Finding{
			Code: CodeTable, Problem: fmt.Sprintf("%s has child tables by inheritance, whose rows would be published under other names", t.name),
			Mend: "use declarative partitioning, or name a table without children",
		})
	}
	var missing []string
	for _, c := range needed {
		if _, ok := t.columns[c]; !ok {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		findings = append(findings, &Finding{
			Code: CodeColumn, Problem: fmt.Sprintf("table %s has no column %s", t.name, strings.Join(missing, ", ")),
			Mend: "check that this is Sentra's table",
		})
	}
	return append(findings, s.rightFindings(t)...)
}

// rightFindings judges what the role may read.
func (s *Source) rightFindings(t *tableShape) []error {
	role := quoteIdent(s.base.User)
	var findings []error
	if !t.schemaUsage {
		findings = append(findings, &Finding{
			Code: CodeSelect, Problem: fmt.Sprintf("role %q may not use schema %s", s.base.User, t.name.schema), Mend: "grant it",
			SQL: []string{fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", quoteIdent(t.name.schema), role)},
		})
	}
	var unreadable []string
	for name, c := range t.columns {
		if !c.readable {
			unreadable = append(unreadable, quoteIdent(name))
		}
	}
	if len(unreadable) > 0 {
		slices.Sort(unreadable)
		list := strings.Join(unreadable, ", ")
		findings = append(findings, &Finding{
			Code: CodeSelect, Problem: fmt.Sprintf("role %q may not read %s of %s", s.base.User, list, t.name), Mend: "grant it",
			SQL: []string{fmt.Sprintf("GRANT SELECT (%s) ON %s TO %s;", list, t.name.sql(), role)},
		})
	}
	if t.hidesRows {
		findings = append(findings, &Finding{
			Code: CodeRowSecurity, Problem: fmt.Sprintf("row level security of %s would hide rows from role %q", t.name, s.base.User),
			Mend: "let the role read all rows",
			SQL:  []string{fmt.Sprintf("ALTER ROLE %s BYPASSRLS;", role)},
		})
	}
	return findings
}

// identityQuery lists the table and its partitions whose replica identity does
// not cover the column id. A table that is published with UPDATE but has none at
// all makes the application's own UPDATE and DELETE fail; one without id makes
// a DELETE anonymous.
const identityQuery = `
WITH RECURSIVE tree AS (
  SELECT $1::oid AS oid
  UNION ALL
  SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
SELECT n.nspname, c.relname,
       EXISTS (SELECT FROM pg_index x JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'
               WHERE x.indrelid = c.oid AND x.indisprimary AND x.indisvalid
                 AND a.attnum = ANY ((x.indkey::int2[])[0:x.indnkeyatts - 1]))
FROM tree JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relreplident <> 'f'
  AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id'
                  WHERE x.indrelid = c.oid AND x.indisvalid
                    AND a.attnum = ANY ((x.indkey::int2[])[0:x.indnkeyatts - 1])
                    AND (c.relreplident = 'd' AND x.indisprimary OR c.relreplident = 'i' AND x.indisreplident))
ORDER BY 1, 2`

// identityFinding returns a *Finding as the first value, or nil.
func (s *Source) identityFinding(ctx context.Context, conn *pgconn.PgConn, oid uint32) (finding, err error) {
	rows, err := query(ctx, conn, identityQuery, fmt.Sprint(oid))
	if err != nil {
		return nil, fmt.Errorf("read replica identity: %w", s.serverError(err))
	}
	if len(rows) == 0 {
		return nil, nil
	}
	f := &Finding{Code: CodeReplicaIdentity, Mend: "give it one; REPLICA IDENTITY FULL works without a primary key"}
	var names []string
	for _, r := range rows {
		t := tableName{schema: r.text(0), name: r.text(1)}
		names = append(names, t.String())
		identity := "FULL"
		if r.yes(2) {
			identity = "DEFAULT"
		}
		f.SQL = append(f.SQL, fmt.Sprintf("ALTER TABLE %s REPLICA IDENTITY %s;", t.sql(), identity))
	}
	f.Problem = fmt.Sprintf("table %s has no replica identity that covers its column id (published like this, updates and deletes in it would fail or be lost)", strings.Join(names, ", "))
	return f, nil
}
