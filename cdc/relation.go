package cdc

import "bytes"

// relation is the latest Relation message of one table.
type relation struct {
	raw  []byte // the message behind its OID
	mine bool   // the events table
	// columns maps a position in a tuple to the column; none for columns that
	// nobody reads.
	columns []Column
}

// none stands for a column that is not looked at.
const none = NumColumns

// relationMessage handles 'R': oid, namespace, name, replica identity, and per
// column flags, name, type, modifier. One may precede every row, and nearly all
// repeat the last; those cost a comparison.
func (d *decoder) relationMessage(r *reader) string {
	oid := r.u32()
	if known := d.relations[oid]; known != nil && !r.short && bytes.Equal(known.raw, r.data) {
		d.last, d.lastOID = known, oid
		return ""
	}
	rel := &relation{raw: bytes.Clone(r.data)}
	namespace, name := string(r.name()), string(r.name())
	r.u8() // replica identity: what an old tuple holds shows in the tuple
	n := int(r.u16())
	// An empty namespace is pg_catalog.
	rel.mine = namespace == d.events.schema && name == d.events.name
	rel.columns = make([]Column, 0, min(n, len(r.data)))
	for range n {
		r.u8() // flags: part of the key or not
		rel.columns = append(rel.columns, columnNamed(r.name()))
		r.u32()
		r.u32()
		if r.short {
			break
		}
	}
	if problem := ended(r); problem != "" {
		return problem
	}
	if rel.mine && d.onRelation != nil {
		d.onRelation()
	}
	d.relations[oid] = rel
	d.last, d.lastOID = rel, oid
	return ""
}

func columnNamed(name []byte) Column {
	for c, n := range columnNames {
		if string(name) == n {
			return Column(c)
		}
	}
	return none
}

// relation finds the table of a row; nil if no Relation message told of it.
func (d *decoder) relation(oid uint32) *relation {
	if d.last == nil || d.lastOID != oid {
		d.last, d.lastOID = d.relations[oid], oid
	}
	return d.last
}
