package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"

	"ghlsync/state"
)

// saver writes rows through a statement prepared once on the writer's
// connection. It goes past database/sql, whose work on 37 arguments would cost
// as much as SQLite's. Only the goroutine that has the connection uses it.
type saver struct {
	conn any // the driver's connection that stmt belongs to
	stmt driver.StmtExecContext
	args []driver.NamedValue
}

var saveSQL = func() string {
	var marks, set []string
	for _, c := range columns {
		marks = append(marks, "?")
		if c.name != "sentra_event_id" {
			set = append(set, c.name+" = excluded."+c.name)
		}
	}
	return "INSERT INTO ghl_sync_mappings (" + columnList + ") VALUES (" + strings.Join(marks, ", ") + ")" +
		" ON CONFLICT (sentra_event_id) DO UPDATE SET " + strings.Join(set, ", ")
}()

// rows writes each row whole. It stops between two rows when ctx ends.
func (s *saver) rows(ctx context.Context, conn *sql.Conn, rows []*state.Mapping) error {
	return conn.Raw(func(dc any) error {
		if err := s.prepare(dc); err != nil {
			return err
		}
		for _, m := range rows {
			if err := ctx.Err(); err != nil {
				return err
			}
			for i, c := range columns {
				s.args[i].Value = c.get(m)
			}
			// Not ctx: interrupting the statement would end the transaction.
			if _, err := s.stmt.ExecContext(context.Background(), s.args); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *saver) prepare(dc any) error {
	if s.conn == dc {
		return nil
	}
	p, ok := dc.(driver.ConnPrepareContext)
	if !ok {
		return fmt.Errorf("a %T cannot prepare statements", dc)
	}
	stmt, err := p.PrepareContext(context.Background(), saveSQL)
	if err != nil {
		return err
	}
	exec, ok := stmt.(driver.StmtExecContext)
	if !ok {
		return errors.Join(fmt.Errorf("a %T cannot be executed", stmt), stmt.Close())
	}
	s.conn, s.stmt = dc, exec
	s.args = make([]driver.NamedValue, len(columns))
	for i := range s.args {
		s.args[i].Ordinal = i + 1
	}
	return nil
}

// drop gives the statement back, if it belongs to conn.
func (s *saver) drop(conn *sql.Conn) error {
	return conn.Raw(func(dc any) error {
		if s.conn != dc || s.stmt == nil {
			return nil
		}
		stmt, ok := s.stmt.(driver.Stmt)
		s.conn, s.stmt = nil, nil
		if !ok {
			return nil
		}
		return stmt.Close()
	})
}
