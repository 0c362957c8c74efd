package cdc

import (
	"encoding/binary"
	"time"

	"github.com/jackc/pglogrepl"
)

// message builds pgoutput messages byte by byte.
type message []byte

func (m message) u8(v byte) message      { return append(m, v) }
func (m message) u16(v uint16) message   { return binary.BigEndian.AppendUint16(m, v) }
func (m message) u32(v uint32) message   { return binary.BigEndian.AppendUint32(m, v) }
func (m message) u64(v uint64) message   { return binary.BigEndian.AppendUint64(m, v) }
func (m message) name(s string) message  { return append(append(m, s...), 0) }
func (m message) text(s string) message  { return append(m.u8('t').u32(uint32(len(s))), s...) }
func (m message) null() message          { return m.u8('n') }
func (m message) unchanged() message     { return m.u8('u') }
func (m message) columns(n int) message  { return m.u16(uint16(n)) }
func (m message) part(mark byte) message { return m.u8(mark) }

const testOID = 4711

var testTime = time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC)

func pgMicros(t time.Time) uint64 { return uint64(t.UnixMicro() - 946684800*1_000_000) }

func beginMessage(commit pglogrepl.LSN, xid uint32) message {
	return message{'B'}.u64(uint64(commit)).u64(pgMicros(testTime)).u32(xid)
}

func commitMessage(commit, end pglogrepl.LSN) message {
	return message{'C'}.u8(0).u64(uint64(commit)).u64(uint64(end)).u64(pgMicros(testTime))
}

func relationOf(oid uint32, schema, table string, columns ...string) message {
	m := message{'R'}.u32(oid).name(schema).name(table).u8('d').u16(uint16(len(columns)))
	for i, c := range columns {
		flag := byte(0)
		if i == 0 {
			flag = 1
		}
		m = m.u8(flag).name(c).u32(25).u32(0xffffffff)
	}
	return m
}

var sentraColumns = []string{
	"id", "client_id", "title", "start_date", "end_date", "start_time", "end_time", "description", "type",
	"created_at", "updated_at",
}

func sentraRelation() message {
	return relationOf(testOID, "public", "calendar_events", sentraColumns...)
}

func rowMessage(kind byte) message { return message{kind}.u32(testOID) }

// sentraTuple is a whole row of the table as Sentra has it.
func (m message) sentraTuple(id, title string) message {
	return m.columns(11).text(id).text("7").text(title).text("2026-03-04").text("2026-03-04").
		text("10:00:00").text("11:00:00").null().text("onboarding").
		text("2026-03-01 12:00:00+00").text("2026-03-01 12:00:00+00")
}

// collected is a sink.
type collected struct {
	changes  []Change
	commits  []pglogrepl.LSN
	canaries []string
}

func (c *collected) change(change *Change, _ int) { c.changes = append(c.changes, *change) }
func (c *collected) commit(end pglogrepl.LSN, _ time.Time, canary string) {
	c.commits = append(c.commits, end)
	c.canaries = append(c.canaries, canary)
}

func testDecoder(from pglogrepl.LSN) *decoder {
	return newDecoder(tableName{schema: "public", name: "calendar_events"}, from)
}
