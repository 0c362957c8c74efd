package cdc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// defaultChunk is how many rows of the table one transaction of a snapshot looks
// at.
const defaultChunk = 1000

// SnapshotRow is one event of a synced type, and its client; nil if there is
// none in the snapshot.
type SnapshotRow struct {
	Row    Row
	Client *Client
}

// Snapshot reads the events of the configured types, and their clients, as they
// were at h.LSN, and hands them to fn in the order of their ids. chunk is how
// many rows of the table one step looks at, so fn gets at most so many; 0 is
// 1000.
//
// Each step is a transaction of its own that imports the snapshot: an ALTER TABLE
// of the application waits for one step at most, and everybody behind it too. fn
// runs outside of it, and may be slow.
//
// A rewritten or truncated table looks empty to an older snapshot. So the catalog
// as the snapshot has it is compared with the catalog as it is, before the first
// step and after the last: ErrTableChanged if they differ. Rows that fn got until
// then are true, but not all. ErrSnapshotGone if h's connection is gone. An error
// of fn ends the snapshot and is returned.
func (s *Source) Snapshot(ctx context.Context, h *SnapshotHandle, chunk int, fn func(context.Context, []SnapshotRow) error) (err error) {
	if chunk <= 0 {
		chunk = defaultChunk
	}
	conn, err := s.connect(ctx, ordinary, " snapshot")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeConn(ctx, conn)) }()
	snap := &snapshot{source: s, conn: conn, name: h.Name, chunk: chunk}
	if err := snap.prepare(ctx); err != nil {
		return err
	}
	for !snap.done {
		rows, err := snap.next(ctx)
		if err != nil {
			return err
		}
		if len(rows) > 0 {
			if err := fn(ctx, rows); err != nil {
				return err
			}
		}
	}
	return snap.checkUnchanged(ctx)
}

type snapshot struct {
	source *Source
	conn   *pgconn.PgConn
	name   string
	chunk  int

	mark    string // of both tables, as the snapshot has them
	columns []Column
	shape   *shape
	after   string // the last id seen
	started bool
	done    bool
}

// markQuery describes both tables and their partitions: a rewrite or a TRUNCATE
// changes relfilenode. It reads pg_class as rows, which obeys the transaction's
// snapshot, as functions like pg_relation_filenode do not.
const markQuery = `
WITH RECURSIVE tree AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (n.nspname, c.relname) IN (($1, $2), ($3, $4))
  UNION
  SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)
SELECT coalesce(string_agg(concat_ws(':', c.oid, c.relfilenode, c.relrowsecurity, c.relforcerowsecurity), ' ' ORDER BY c.oid), '')
FROM tree JOIN pg_class c USING (oid)`

func (sn *snapshot) readMark(ctx context.Context) (string, error) {
	s := sn.source
	rows, err := query(ctx, sn.conn, markQuery, s.events.schema, s.events.name, s.clients.schema, s.clients.name)
	if err != nil {
		return "", err
	}
	return rows[0].text(0), nil
}

// prepare learns the tables' columns, and what they were like at the snapshot.
func (sn *snapshot) prepare(ctx context.Context) error {
	err := sn.within(ctx, func() (err error) {
		sn.mark, err = sn.readMark(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if err := sn.checkUnchanged(ctx); err != nil {
		return err
	}
	sh, err := sn.source.readShape(ctx, sn.conn)
	if err != nil {
		return err
	}
	if !sh.events.has("id") || !sh.clients.has("id") {
		return fmt.Errorf("%w: %w", ErrTableChanged, errNoShape)
	}
	sn.shape, sn.columns = sh, sh.events.present()
	return nil
}

// checkUnchanged compares the catalog as it is now.
func (sn *snapshot) checkUnchanged(ctx context.Context) error {
	now, err := sn.readMark(ctx)
	if err != nil {
		return fmt.Errorf("look at the tables: %w", sn.source.serverError(err))
	}
	if now != sn.mark {
		return ErrTableChanged
	}
	return nil
}

// within runs fn in a transaction that sees the snapshot.
func (sn *snapshot) within(ctx context.Context, fn func() error) error {
	begin := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT " + quoteLiteral(sn.name)
	if _, err := sn.conn.Exec(ctx, begin).ReadAll(); err != nil {
		switch stateOf(err) {
		case stateInvalidParameter, stateUndefinedObject, stateNotInPrerequisite:
			return fmt.Errorf("%w: %w", ErrSnapshotGone, sn.source.serverError(err))
		}
		return fmt.Errorf("import snapshot: %w", sn.source.serverError(err))
	}
	if err := fn(); err != nil {
		// The connection ends with the snapshot, and the transaction with it.
		return sn.failed(err)
	}
	if _, err := sn.conn.Exec(ctx, "COMMIT").ReadAll(); err != nil {
		return fmt.Errorf("end snapshot step: %w", sn.source.serverError(err))
	}
	return nil
}

// failed tells a table that is no more what it was from other failures.
func (sn *snapshot) failed(err error) error {
	said := sn.source.serverError(err)
	switch state := stateOf(err); {
	case state == stateNoPrivilege:
		return &Finding{
			Code: CodeSelect, Problem: fmt.Sprintf("role %q may not read all of the tables any more", sn.source.base.User),
			Mend: "grant SELECT on both tables, and BYPASSRLS where row security is on", Err: said,
		}
	case strings.HasPrefix(state, "42"):
		return fmt.Errorf("%w: %w", ErrTableChanged, said)
	}
	return fmt.Errorf("read snapshot: %w", said)
}

// next reads one step.
func (sn *snapshot) next(ctx context.Context) (rows []SnapshotRow, err error) {
	err = sn.within(ctx, func() error {
		if rows, err = sn.events(ctx); err != nil {
			return err
		}
		return sn.addClients(ctx, rows)
	})
	return rows, err
}

// events reads the next rows of the table in the order of their ids, and returns
// those of a synced type. The step is bounded by what it looks at, not by what
// it finds: with few synced rows it would otherwise read, and lock, for long.
func (sn *snapshot) events(ctx context.Context) ([]SnapshotRow, error) {
	args := []string{arrayLiteral(sn.source.cfg.Types)}
	if sn.started {
		args = append(args, sn.after)
	}
	read, err := query(ctx, sn.conn, sn.eventsQuery(), args...)
	if err != nil {
		return nil, err
	}
	sn.done = len(read) < sn.chunk
	var rows []SnapshotRow
	for _, r := range read {
		sn.after, sn.started = r.text(0), true
		if r.yes(1) {
			rows = append(rows, SnapshotRow{Row: rowFrom(r[2:], sn.columns)})
		}
	}
	return rows, nil
}

// eventsQuery asks for the id, whether the type is synced, and the columns where
// it is. A TOASTed description that is not wanted is never fetched.
func (sn *snapshot) eventsQuery() string {
	var outer strings.Builder
	for _, c := range sn.columns {
		outer.WriteString(", CASE WHEN e.wanted THEN e." + quoteIdent(c.String()) + " END")
	}
	wanted := `t."type"::text = ANY ($1::text[])`
	if !sn.shape.events.has(Type.String()) {
		wanted = "$1::text[] IS NOT NULL" // all of them: the translation says what is wrong
	}
	above := ""
	if sn.started {
		above = ` WHERE t."id" > $2::` + sn.shape.events.columns["id"].typ
	}
	return `SELECT e."id", e.wanted` + outer.String() + ` FROM (SELECT ` + wanted + ` AS wanted` + eventList("t", sn.columns) +
		` FROM ` + sn.source.events.sql() + ` t` + above + ` ORDER BY t."id" LIMIT ` + strconv.Itoa(sn.chunk) + `) e ORDER BY e."id"`
}

// addClients reads the clients of the rows, in the same transaction.
func (sn *snapshot) addClients(ctx context.Context, rows []SnapshotRow) error {
	var ids []string
	seen := map[string]bool{}
	for i := range rows {
		if id, p := rows[i].Row.Get(ClientID); p == Value && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	read, err := query(ctx, sn.conn, sn.clientsQuery(), arrayLiteral(ids))
	if err != nil {
		return err
	}
	clients := make(map[string]*Client, len(read))
	for _, r := range read {
		c := clientFrom(r)
		clients[c.ID] = &c
	}
	for i := range rows {
		rows[i].Client = clients[rows[i].Row.Text(ClientID)]
	}
	return nil
}

// clientsQuery compares by a type that can hold every client_id and serves the
// index of the clients' id, else as text: a failed cast would end the snapshot.
func (sn *snapshot) clientsQuery() string {
	list := `SELECT ` + clientList("c") + ` FROM ` + sn.source.clients.sql() + ` c WHERE `
	refers, id := sn.shape.events.columns[ClientID.String()].typ, sn.shape.clients.columns["id"].typ
	if refers == id || integer(refers) && integer(id) {
		return list + `c."id" = ANY ($1::` + refers + `[])`
	}
	return list + `c."id"::text = ANY ($1::text[])`
}

func integer(typ string) bool {
	return typ == "smallint" || typ == "integer" || typ == "bigint"
}
