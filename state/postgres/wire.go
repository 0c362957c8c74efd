package postgres

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgtype"
)

// kind is a type of PostgreSQL's. Rows go over the wire in its binary form, past
// pgx's conversions, whose work on so many values would cost as much as the
// server's.
type kind struct {
	name string
	oid  uint32
}

var (
	textKind  = kind{"text", pgtype.TextOID}
	int8Kind  = kind{"bigint", pgtype.Int8OID}
	boolKind  = kind{"boolean", pgtype.BoolOID}
	stampKind = kind{"timestamptz", pgtype.TimestamptzOID}
)

// The append functions write one value with its length before it.

func appendNull(buf []byte) []byte { return binary.BigEndian.AppendUint32(buf, 0xFFFFFFFF) }

// appendText leaves room for the length, which what is stored decides.
func appendText[T ~string | ~[]byte](buf []byte, s T) []byte {
	buf = append(appendNull(buf), s...)
	from := len(buf) - len(s)
	if text := buf[from:]; bytes.IndexByte(text, 0) >= 0 || !utf8.Valid(text) {
		buf = append(buf[:from], storable(string(s))...)
	}
	binary.BigEndian.PutUint32(buf[from-4:], uint32(len(buf)-from))
	return buf
}

func appendInt8(buf []byte, n int64) []byte {
	buf = binary.BigEndian.AppendUint32(buf, 8)
	return binary.BigEndian.AppendUint64(buf, uint64(n))
}

func appendBool(buf []byte, b bool) []byte {
	buf = binary.BigEndian.AppendUint32(buf, 1)
	if b {
		return append(buf, 1)
	}
	return append(buf, 0)
}

// century is where PostgreSQL's time begins: 2000-01-01 in microseconds since 1970.
const century = 946_684_800_000_000

// noStart is -infinity in PostgreSQL's binary form of a time.
const noStart int64 = math.MinInt64

// appendStamp cuts to microseconds; a zero time is NULL.
func appendStamp(buf []byte, t time.Time) []byte {
	if t.IsZero() {
		return appendNull(buf)
	}
	return appendInt8(buf, t.UnixMicro()-century)
}

// storable is s without what a text of PostgreSQL cannot hold. Sentra's texts come
// from a PostgreSQL; what GHL answers may be anything, and must not keep a row from
// being saved for ever.
func storable(s string) string {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func storables[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = storable(string(s))
	}
	return out
}

// The read functions are given a value without its length, and not NULL.

func readInt8(raw []byte) (int64, error) {
	if len(raw) != 8 {
		return 0, fmt.Errorf("an integer comes as %d bytes", len(raw))
	}
	return int64(binary.BigEndian.Uint64(raw)), nil
}

func readBool(raw []byte) (bool, error) {
	if len(raw) != 1 {
		return false, fmt.Errorf("a boolean comes as %d bytes", len(raw))
	}
	return raw[0] != 0, nil
}

func readStamp(raw []byte) (time.Time, error) {
	us, err := readInt8(raw)
	return time.UnixMicro(us + century).UTC(), err
}

// appendArrayHead begins an array of one dimension that may hold NULLs.
func appendArrayHead(buf []byte, k kind, length int) []byte {
	for _, n := range [...]uint32{1, 1, k.oid, uint32(length), 1} {
		buf = binary.BigEndian.AppendUint32(buf, n)
	}
	return buf
}
