package cdc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// lookups serialises what runs on the ordinary connection, and replaces the
// connection once when it turns out to be broken: the stream may live on.
type lookups struct {
	source *Source
	turn   chan struct{} // holds one token while the connection is in use
	conn   *pgconn.PgConn
}

// use gives fn the connection. If it breaks under fn, fn runs once more on a new
// one.
func (l *lookups) use(ctx context.Context, fn func(*pgconn.PgConn) error) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-l.turn }()
	for again := false; ; again = true {
		if l.conn == nil || l.conn.IsClosed() {
			if err := l.reconnect(ctx); err != nil {
				return err
			}
		}
		err := fn(l.conn)
		if err == nil || again || !l.conn.IsClosed() || ctx.Err() != nil {
			return err
		}
	}
}

// reconnect makes sure that the new connection leads to the same server: behind
// one host name there may be another one by now.
func (l *lookups) reconnect(ctx context.Context) error {
	if err := closeConn(ctx, l.conn); err != nil {
		return err
	}
	l.conn = nil
	conn, err := l.source.connect(ctx, ordinary, "")
	if err != nil {
		return err
	}
	rows, err := query(ctx, conn, `SELECT system_identifier, pg_is_in_recovery() FROM pg_control_system()`)
	switch {
	case err != nil:
		err = l.source.serverError(err)
	case rows[0].text(0) != l.source.system.SystemID || rows[0].yes(1):
		err = fmt.Errorf("%w: the host name leads to another server now", ErrConnectionLost)
	}
	if err != nil {
		return fmt.Errorf("reconnect for look-ups: %w", errors.Join(err, closeConn(ctx, conn)))
	}
	l.conn = conn
	return nil
}

func (l *lookups) query(ctx context.Context, sql string, args ...string) (rows []textRow, err error) {
	err = l.use(ctx, func(conn *pgconn.PgConn) error {
		rows, err = query(ctx, conn, sql, args...)
		return l.source.serverError(err)
	})
	return rows, err
}

const (
	firstVisibilityPause = 2 * time.Millisecond
	lastVisibilityPause  = 200 * time.Millisecond
)

// untilVisible repeats a look-up until its snapshot shows all transactions. ask
// returns the snapshot's text. A transaction reaches the stream once it is
// flushed, but other sessions only later: under synchronous replication, when
// the standbys have answered.
func untilVisible(ctx context.Context, xids []uint32, ask func() (string, error)) error {
	for pause := firstVisibilityPause; ; pause = min(2*pause, lastVisibilityPause) {
		text, err := ask()
		if err != nil {
			return err
		}
		v, err := parseView(text)
		if err != nil {
			return err
		}
		if v.seesAll(xids) {
			return nil
		}
		if err := wait(ctx, pause); err != nil {
			return fmt.Errorf("wait for a transaction to become visible: %w", err)
		}
	}
}

// Clients returns the clients of these ids that exist once all the transactions
// are visible; it waits for that. A client that is not in the result does not
// exist. Nothing is kept: it is one query, more only while it waits.
func (s *Source) Clients(ctx context.Context, xids []uint32, ids []string) (map[string]Client, error) {
	found := make(map[string]Client, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	err := untilVisible(ctx, xids, func() (view string, err error) {
		rows, err := s.askClients(ctx, ids)
		if err != nil {
			return "", err
		}
		clear(found)
		for _, r := range rows {
			if !r.null(1) {
				c := clientFrom(r[1:])
				found[c.ID] = c
			}
		}
		return rows[0].text(0), nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up clients: %w", err)
	}
	return found, nil
}

func (s *Source) askClients(ctx context.Context, ids []string) (rows []textRow, err error) {
	from := `SELECT pg_current_snapshot(), ` + clientList("c") + ` FROM (SELECT 1) one LEFT JOIN ` + s.clients.sql() + ` c ON `
	err = s.withShape(ctx, func(conn *pgconn.PgConn, sh *shape) error {
		rows, err = query(ctx, conn, from+`c."id" = ANY ($1::`+sh.clients.columns["id"].typ+`[])`, arrayLiteral(ids))
		if strings.HasPrefix(stateOf(err), "22") {
			// An id that is no value of the column's type cannot be found, but must
			// not hide the others. Without the index, but right.
			rows, err = query(ctx, conn, from+`c."id"::text = ANY ($1::text[])`, arrayLiteral(ids))
		}
		return err
	})
	return rows, err
}

func clientList(alias string) string {
	var b strings.Builder
	for i, c := range clientColumns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(alias + "." + quoteIdent(c))
	}
	return b.String()
}

// clientFrom reads the columns of clientColumns.
func clientFrom(r textRow) Client {
	return Client{ID: r.text(0), Name: r.text(1), BusinessName: r.text(2), Email: r.text(3), Phone: r.text(4)}
}

// EventRow returns the row of the event as it is once the transaction is
// visible; it waits for that. found is false if there is none.
func (s *Source) EventRow(ctx context.Context, xid uint32, id string) (row Row, found bool, err error) {
	err = untilVisible(ctx, []uint32{xid}, func() (view string, err error) {
		view, row, found, err = s.askEvent(ctx, id)
		return view, err
	})
	if err != nil {
		return Row{}, false, fmt.Errorf("look up event: %w", err)
	}
	return row, found, nil
}

func (s *Source) askEvent(ctx context.Context, id string) (view string, row Row, found bool, err error) {
	err = s.withShape(ctx, func(conn *pgconn.PgConn, sh *shape) error {
		columns := sh.events.present()
		from := `SELECT pg_current_snapshot(), e."id" IS NOT NULL` + eventList("e", columns) +
			` FROM (SELECT 1) one LEFT JOIN ` + s.events.sql() + ` e ON `
		rows, err := query(ctx, conn, from+`e."id" = $1::`+sh.events.columns["id"].typ, id)
		if strings.HasPrefix(stateOf(err), "22") {
			rows, err = query(ctx, conn, from+`e."id"::text = $1`, id)
		}
		if err != nil {
			return err
		}
		view, found = rows[0].text(0), rows[0].yes(1)
		row = rowFrom(rows[0][2:], columns)
		return nil
	})
	return view, row, found, err
}

// present lists the columns of the events table that exist and are of interest.
func (t *tableShape) present() []Column {
	var columns []Column
	for c := range NumColumns {
		if t.has(c.String()) {
			columns = append(columns, c)
		}
	}
	return columns
}

// eventList is the columns as a list that starts with a comma.
func eventList(alias string, columns []Column) string {
	var b strings.Builder
	for _, c := range columns {
		b.WriteString(", " + alias + "." + quoteIdent(c.String()))
	}
	return b.String()
}

func rowFrom(r textRow, columns []Column) Row {
	var row Row
	for i, c := range columns {
		if r.null(i) {
			row.Set(c, "", Null)
		} else {
			row.Set(c, r.text(i), Value)
		}
	}
	return row
}

var errNoShape = errors.New("the table or its column id is gone")

// withShape runs a statement that is built from the tables' columns, and once
// more with the columns read anew if the server says that it does not fit.
func (s *Source) withShape(ctx context.Context, ask func(*pgconn.PgConn, *shape) error) error {
	return s.look.use(ctx, func(conn *pgconn.PgConn) error {
		for again := false; ; again = true {
			sh, err := s.currentShape(ctx, conn)
			if err != nil {
				return err
			}
			if !sh.events.has("id") || !sh.clients.has("id") {
				err = errNoShape
			} else {
				err = ask(conn, sh)
			}
			misfit := errors.Is(err, errNoShape) || strings.HasPrefix(stateOf(err), "42")
			if !misfit || again {
				return s.serverError(err)
			}
			s.shape.Store(nil)
		}
	})
}
