package postgres

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"ghlsync/state"
)

// saveRows is how many rows one statement writes at most.
const saveRows = 1000

// statement writes rows in one round trip: each column is an array.
type statement struct {
	name    string
	columns []column
	sql     string
}

// whole names every column. plain names those that a row has that capture saw and
// nobody worked on, the bulk of a backlog; special are the rest.
var whole, plain, special = func() (whole, plain statement, special []column) {
	words := []string{
		"sentra_event_id", "sync_status", "created_at", "updated_at", "event_type", "wanted", "payload_hash", "epoch",
		"commit_lsn", "committed_at", "revision", "ghl_state", "next_attempt_at", "payload",
	}
	var some []column
	for _, c := range columns {
		if slices.Contains(words, c.name) {
			some = append(some, c)
		} else {
			special = append(special, c)
		}
	}
	return newStatement("ghlsync_save", columns), newStatement("ghlsync_save_plain", some), special
}()

// nothing is what a plain row has in the special columns: their defaults.
var nothing = appendRow(nil, special, &state.Mapping{})

func appendRow(buf []byte, columns []column, m *state.Mapping) []byte {
	for _, c := range columns {
		buf = c.write(buf, m)
	}
	return buf
}

// newStatement writes whole rows: a column that is not named gets its default, in a
// row that exists too.
func newStatement(name string, named []column) statement {
	arrays := make([]string, len(named))
	for i, c := range named {
		arrays[i] = "$" + strconv.Itoa(i+1) + "::" + c.kind.name + "[]"
	}
	set := make([]string, 0, len(columns))
	for _, c := range columns[1:] {
		set = append(set, c.name+" = excluded."+c.name)
	}
	return statement{name: name, columns: named, sql: "INSERT INTO ghl_sync_mappings (" + names(named) + ") SELECT * FROM unnest(" +
		strings.Join(arrays, ", ") + ") ON CONFLICT (sentra_event_id) DO UPDATE SET " + strings.Join(set, ", ")}
}

// save writes rows in parts. A row that comes twice is written as it was last.
func save(ctx context.Context, conn *pgx.Conn, rows []*state.Mapping) error {
	for part := range slices.Chunk(distinct(rows), saveRows) {
		st := plain
		if !allPlain(part) {
			st = whole
		}
		if err := st.write(ctx, conn, part); err != nil {
			return err
		}
	}
	return nil
}

func distinct(rows []*state.Mapping) []*state.Mapping {
	at := make(map[state.EventID]int, len(rows))
	for i, m := range rows {
		at[m.ID] = i
	}
	if len(at) == len(rows) {
		return rows
	}
	last := make([]*state.Mapping, 0, len(at))
	for i, m := range rows {
		if at[m.ID] == i {
			last = append(last, m)
		}
	}
	return last
}

func allPlain(rows []*state.Mapping) bool {
	var buf []byte
	for _, m := range rows {
		if buf = appendRow(buf[:0], special, m); !bytes.Equal(buf, nothing) {
			return false
		}
	}
	return true
}

func (st statement) write(ctx context.Context, conn *pgx.Conn, rows []*state.Mapping) error {
	if _, err := conn.Prepare(ctx, st.name, st.sql); err != nil {
		return err
	}
	values := make([][]byte, len(st.columns))
	for i, c := range st.columns {
		values[i] = arrayHead(c.kind, len(rows))
		for _, m := range rows {
			values[i] = c.write(values[i], m)
		}
	}
	return conn.PgConn().ExecPrepared(ctx, st.name, values, binaryFormat, binaryFormat).Read().Err
}

// binaryFormat is that of all values.
var binaryFormat = []int16{pgx.BinaryFormatCode}
