package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"ghlsync/state"
)

// saveRows is how many rows one statement writes at most. The server works on one
// part of a Save while the next is made.
const saveRows = 1000

// Save implements state.Tx. It is one round trip, or two.
func (t *tx) Save(ctx context.Context, rows ...*state.Mapping) error {
	if err := t.usable(ctx); err != nil {
		return err
	}
	fresh, others := t.part(distinct(rows))
	err := insert(ctx, t.conn.Conn(), fresh)
	if err == nil {
		err = upsert(ctx, t.conn.Conn(), others)
	}
	if err != nil {
		return t.done(ctx, "save mappings", err)
	}
	for _, m := range rows {
		class := m.Class()
		t.moved.Move(m.Stored(), class)
		m.SetStored(class)
		t.attempted(m.LastAttempt)
	}
	return nil
}

// distinct leaves of a row that comes twice the last.
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

// part takes out the rows that are known not to be stored. A Tx that is alone knows
// it of what it has loaded in vain.
func (t *tx) part(rows []*state.Mapping) (fresh, others []*state.Mapping) {
	if len(t.absent) == 0 {
		return nil, rows
	}
	for _, m := range rows {
		if _, ok := t.absent[m.ID]; ok {
			delete(t.absent, m.ID)
			fresh = append(fresh, m)
		} else {
			others = append(others, m)
		}
	}
	return fresh, others
}

var copySQL = "COPY ghl_sync_mappings (" + columnList + ") FROM STDIN (FORMAT binary)"

// insert copies new rows, which is the cheapest way for the server.
func insert(ctx context.Context, conn *pgx.Conn, rows []*state.Mapping) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := conn.PgConn().CopyFrom(ctx, &copied{rows: rows, buf: []byte(copyHead)}, copySQL)
	return err
}

// copyHead is the signature of the binary format, without flags or an extension.
const copyHead = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// copied reads as rows in the binary format of COPY, made as they are needed. The
// protocol's end is that of the data as well.
type copied struct {
	rows []*state.Mapping
	buf  []byte // made and not read
	next int    // in buf
}

func (c *copied) Read(p []byte) (int, error) {
	if c.next == len(c.buf) {
		if len(c.rows) == 0 {
			return 0, io.EOF
		}
		c.buf, c.next = c.buf[:0], 0
	}
	for len(c.rows) > 0 && len(c.buf) < len(p) {
		c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(len(columns)))
		c.buf = appendRow(c.buf, columns, c.rows[0])
		c.rows = c.rows[1:]
	}
	n := copy(p, c.buf[c.next:])
	c.next += n
	return n, nil
}

// statement writes rows, whether they are there or not, and each whole: a column that
// is not named gets its default, in a row that exists too.
type statement struct {
	name  string
	named []column
	sql   string
}

func newStatement(name string, named []column) statement {
	arrays, set := make([]string, len(named)), make([]string, len(columns))
	for i, c := range named {
		arrays[i] = "$" + strconv.Itoa(i+1) + "::" + c.kind.name + "[]"
	}
	for i, c := range columns {
		set[i] = c.name + " = excluded." + c.name
	}
	return statement{name: name, named: named, sql: "INSERT INTO ghl_sync_mappings (" + names(named) + ") SELECT * FROM unnest(" +
		strings.Join(arrays, ", ") + ") ON CONFLICT (sentra_event_id) DO UPDATE SET " + strings.Join(set[1:], ", ")}
}

// whole names every column. plain names those that a row has that capture saw and
// nobody worked on, the bulk of a backlog; special are the rest.
var whole, plain, special = func() (whole, plain statement, special []column) {
	words := []string{
		"sentra_event_id", "sync_status", "created_at", "updated_at", "event_type", "wanted", "payload_hash", "epoch",
		"commit_lsn", "committed_at", "revision", "starts_at", "ghl_state", "next_attempt_at", "payload",
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

func allPlain(rows []*state.Mapping) bool {
	var buf []byte
	for _, m := range rows {
		if buf = appendRow(buf[:0], special, m); !bytes.Equal(buf, nothing) {
			return false
		}
	}
	return true
}

// upsert writes rows in parts, of which the server has one while the next is made.
func upsert(ctx context.Context, conn *pgx.Conn, rows []*state.Mapping) (err error) {
	if len(rows) == 0 {
		return nil
	}
	st := whole
	if allPlain(rows) {
		st = plain
	}
	if _, err := conn.Prepare(ctx, st.name, st.sql); err != nil {
		return err
	}
	values, ok := spare.Get().(*[][]byte)
	if !ok {
		values = new(make([][]byte, len(columns)))
	}
	defer spare.Put(values)
	p := conn.PgConn().StartPipeline(ctx)
	defer func() { err = errors.Join(err, p.Close()) }()
	for part := range slices.Chunk(rows, saveRows) {
		p.SendQueryPrepared(st.name, st.arrays(*values, part), binaryFormat, binaryFormat) // which copies them
		if err := p.Flush(); err != nil {
			return err
		}
	}
	return p.Sync()
}

// spare holds room for arrays, one for each column, to be filled again.
var spare sync.Pool

func (st statement) arrays(values [][]byte, rows []*state.Mapping) [][]byte {
	for i, c := range st.named {
		values[i] = appendArrayHead(values[i][:0], c.kind, len(rows))
		for _, m := range rows {
			values[i] = c.write(values[i], m)
		}
	}
	return values[:len(st.named)]
}

// binaryFormat is that of all values.
var binaryFormat = []int16{pgx.BinaryFormatCode}
