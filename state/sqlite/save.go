package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ghlsync/state"
)

// plainRows is how many plain rows one statement writes.
const plainRows = 8

// plain and special part the columns: a row that capture saw and nobody worked
// on has nothing but defaults in the special ones. Such rows, the bulk of a
// backlog, are written several at a time and with fewer values to bind.
var plain, special = func() (plain, special []column) {
	names := []string{
		"sentra_event_id", "sync_status", "created_at", "updated_at", "event_type", "wanted", "payload_hash", "epoch",
		"commit_lsn", "committed_at", "revision", "starts_at", "ghl_state", "next_attempt_at", "payload",
	}
	for _, c := range columns {
		if slices.Contains(names, c.name) {
			plain = append(plain, c)
		} else {
			special = append(special, c)
		}
	}
	return plain, special
}()

func isPlain(m *state.Mapping) bool {
	for _, c := range special {
		if v := c.get(m); v != nil && v != int64(0) {
			return false
		}
	}
	return true
}

// saveSQL writes whole rows: a column that is not named gets its default, in a
// row that exists too. With OR FAIL a statement that fails keeps what it wrote up
// to there, which a spoiled Tx rolls back anyway; SQLite then keeps no journal of
// each statement.
func saveSQL(named []column, rows int) string {
	marks := "(" + strings.TrimSuffix(strings.Repeat("?,", len(named)), ",") + ")"
	set := make([]string, len(columns))
	for i, c := range columns {
		set[i] = c.name + " = excluded." + c.name
	}
	return "INSERT OR FAIL INTO ghl_sync_mappings (" + names(named) + ") VALUES " +
		strings.TrimSuffix(strings.Repeat(marks+",", rows), ",") +
		" ON CONFLICT (sentra_event_id) DO UPDATE SET " + strings.Join(set[1:], ", ")
}

// saver writes rows through statements prepared once on the writer's connection.
// It goes past database/sql, whose work on so many arguments would cost as much
// as SQLite's. Only the goroutine that has the connection uses it.
type saver struct {
	conn  any // the driver's connection that the statements belong to
	whole statement
	plain statement
}

// statement is a prepared one with room for its arguments.
type statement struct {
	stmt    driver.Stmt
	exec    driver.StmtExecContext
	columns []column
	args    []driver.NamedValue
}

// rows writes each row whole. It stops between two statements when ctx ends.
func (s *saver) rows(ctx context.Context, conn *sql.Conn, rows []*state.Mapping) error {
	return conn.Raw(func(dc any) error {
		if err := s.prepare(dc); err != nil {
			return err
		}
		for len(rows) > 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			st := &s.whole
			if n := leadingPlain(rows); n == plainRows {
				st = &s.plain
			}
			n, err := st.write(rows)
			if err != nil {
				return err
			}
			rows = rows[n:]
		}
		return nil
	})
}

func leadingPlain(rows []*state.Mapping) int {
	for i, m := range rows[:min(len(rows), plainRows)] {
		if !isPlain(m) {
			return i
		}
	}
	return min(len(rows), plainRows)
}

// write writes as many rows as the statement takes and tells how many. It is not
// interrupted: that would end the transaction.
func (st *statement) write(rows []*state.Mapping) (int, error) {
	n := len(st.args) / len(st.columns)
	for i, m := range rows[:n] {
		args := st.args[i*len(st.columns):]
		for k, c := range st.columns {
			args[k].Value = c.get(m)
		}
	}
	_, err := st.exec.ExecContext(context.Background(), st.args)
	return n, err
}

func (s *saver) prepare(dc any) (err error) {
	if s.conn == dc {
		return nil
	}
	if s.whole, err = prepareStatement(dc, columns, 1); err != nil {
		return err
	}
	if s.plain, err = prepareStatement(dc, plain, plainRows); err != nil {
		return errors.Join(err, s.whole.stmt.Close())
	}
	s.conn = dc
	return nil
}

func prepareStatement(dc any, named []column, rows int) (statement, error) {
	p, ok := dc.(driver.ConnPrepareContext)
	if !ok {
		return statement{}, fmt.Errorf("a %T cannot prepare statements", dc)
	}
	stmt, err := p.PrepareContext(context.Background(), saveSQL(named, rows))
	if err != nil {
		return statement{}, err
	}
	exec, ok := stmt.(driver.StmtExecContext)
	if !ok {
		return statement{}, errors.Join(fmt.Errorf("a %T cannot be executed", stmt), stmt.Close())
	}
	st := statement{stmt: stmt, exec: exec, columns: named, args: make([]driver.NamedValue, len(named)*rows)}
	for i := range st.args {
		st.args[i].Ordinal = i + 1
	}
	return st, nil
}

// drop gives the statements back, if they belong to conn.
func (s *saver) drop(conn *sql.Conn) error {
	return conn.Raw(func(dc any) error {
		if s.conn == nil || s.conn != dc {
			return nil
		}
		s.conn = nil
		return errors.Join(s.whole.stmt.Close(), s.plain.stmt.Close())
	})
}
