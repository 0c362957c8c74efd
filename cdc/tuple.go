package cdc

import "strings"

// tuple is where the wanted columns of a row lie in a message.
type tuple struct {
	text     [NumColumns][]byte
	presence [NumColumns]Presence
	size     int // of the texts
}

// read reads TupleData: per column 'n' (NULL), 'u' (unchanged and stored out of
// line), or 't' with a length and text. The other format, 'b', is never asked
// for.
func (t *tuple) read(r *reader, rel *relation) string {
	*t = tuple{}
	if n := int(r.u16()); n != len(rel.columns) && !r.short {
		return "row does not fit its relation"
	}
	for _, c := range rel.columns {
		kind := r.u8()
		var text []byte
		presence := Null
		switch kind {
		case 'n':
		case 'u':
			presence = Unchanged
		case 't':
			text, presence = r.take(int(int32(r.u32()))), Value
		default:
			if !r.short {
				return "unknown column format"
			}
		}
		if r.short {
			return truncated
		}
		if c != none {
			t.text[c], t.presence[c] = text, presence
			t.size += len(text)
		}
	}
	return ""
}

// fill takes what was left out from the old row, where the replica identity is
// FULL and the old row is whole: unchanged means equal.
func (t *tuple) fill(old *tuple) {
	for c, p := range t.presence {
		if p == Unchanged && old.presence[c] == Value {
			t.text[c], t.presence[c] = old.text[c], Value
			t.size += len(old.text[c])
		}
	}
}

// row copies the tuple out of the message, which is overwritten by the next: one
// allocation holds all texts.
func (t *tuple) row(to *Row) {
	var all strings.Builder
	all.Grow(t.size)
	for c := range t.text {
		all.Write(t.text[c])
	}
	rest := all.String()
	for c := range t.text {
		n := len(t.text[c])
		to.values[c], rest = rest[:n], rest[n:]
	}
	to.presence = t.presence
}
