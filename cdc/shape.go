package cdc

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// clientColumns are all that is ever read of the clients table.
var clientColumns = [...]string{"id", "name", "business_name", "email", "phone"}

// eventColumns are the names of the required columns of the events table.
func eventColumns() []string {
	var names []string
	for c := range NumColumns {
		if c.Required() {
			names = append(names, c.String())
		}
	}
	return names
}

// shape is what the catalog says of the two tables at one moment.
type shape struct{ events, clients tableShape }

type tableShape struct {
	name        tableName
	oid         uint32
	kind        string // relkind
	hidesRows   bool   // row security is active for the role
	schemaUsage bool
	inherited   bool // has children that are not partitions
	columns     map[string]columnShape
}

type columnShape struct {
	typ      string // as SQL spells it, without modifiers
	readable bool
}

// has reports whether the table has the column.
func (t *tableShape) has(column string) bool { _, ok := t.columns[column]; return ok }

const tableQuery = `
SELECT c.oid, c.relkind, row_security_active(c.oid), has_schema_privilege(n.oid, 'USAGE'),
       c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2`

// columnQuery gives types without modifiers: a cast to varchar(10) would cut.
// format_type calls bpchar 'character', which as a cast means one character.
const columnQuery = `
SELECT a.attname, CASE WHEN a.atttypid = 'bpchar'::regtype THEN 'bpchar' ELSE format_type(a.atttypid, NULL) END,
       has_column_privilege(a.attrelid, a.attnum, 'SELECT')
FROM pg_attribute a
WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname = ANY ($2::text[])`

func (s *Source) readShape(ctx context.Context, conn *pgconn.PgConn) (*shape, error) {
	sh := &shape{}
	all := columnNames[:]
	for _, t := range []struct {
		to      *tableShape
		name    tableName
		columns []string
	}{{&sh.events, s.events, all}, {&sh.clients, s.clients, clientColumns[:]}} {
		read, err := readTable(ctx, conn, t.name, t.columns)
		if err != nil {
			return nil, fmt.Errorf("read the catalog of %s: %w", t.name, s.serverError(err))
		}
		*t.to = read
	}
	return sh, nil
}

func readTable(ctx context.Context, conn *pgconn.PgConn, name tableName, columns []string) (tableShape, error) {
	t := tableShape{name: name, columns: map[string]columnShape{}}
	rows, err := query(ctx, conn, tableQuery, name.schema, name.name)
	if err != nil || len(rows) == 0 {
		return t, err
	}
	oid, err := strconv.ParseUint(rows[0].text(0), 10, 32)
	if err != nil {
		return t, fmt.Errorf("parse oid: %w", err)
	}
	t.oid, t.kind = uint32(oid), rows[0].text(1)
	t.hidesRows, t.schemaUsage, t.inherited = rows[0].yes(2), rows[0].yes(3), rows[0].yes(4)
	rows, err = query(ctx, conn, columnQuery, fmt.Sprint(oid), arrayLiteral(columns))
	if err != nil {
		return t, err
	}
	for _, r := range rows {
		t.columns[r.text(0)] = columnShape{typ: r.text(1), readable: r.yes(2)}
	}
	return t, nil
}

// currentShape returns the shape, read anew after a Relation message told of
// other columns.
func (s *Source) currentShape(ctx context.Context, conn *pgconn.PgConn) (*shape, error) {
	if sh := s.shape.Load(); sh != nil {
		return sh, nil
	}
	sh, err := s.readShape(ctx, conn)
	if err != nil {
		return nil, err
	}
	s.shape.Store(sh)
	return sh, nil
}
