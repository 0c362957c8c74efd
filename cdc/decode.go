package cdc

import (
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
)

// decoder reads pgoutput's messages, protocol version 1, as in the PostgreSQL
// manual, 'Logical Replication Message Formats'. It does no I/O. A message that
// it cannot read is an error, never skipped and never a panic.
type decoder struct {
	events    tableName
	from      pglogrepl.LSN // transactions that committed below are known
	relations map[uint32]*relation
	last      *relation
	lastOID   uint32
	// onRelation is called when the events table's columns may have changed.
	onRelation func()

	open   bool   // between Begin and Commit
	canary string // the last of ours in the open transaction
	skip   bool   // the open transaction is known
	tx     Tx
	// shared is tx as its changes refer to it; nil before the first.
	shared *Tx

	old, new tuple  // scratch
	out      Change // scratch: a local one would be allocated for each row
}

func newDecoder(events tableName, from pglogrepl.LSN) *decoder {
	return &decoder{events: events, from: from, relations: map[uint32]*relation{}}
}

// sink takes what the decoder finds.
type sink interface {
	// change takes one change of an open transaction; c is only lent. It may wait.
	change(c *Change, size int)
	// commit ends the open transaction. canary is the one that it brought, or "".
	commit(end pglogrepl.LSN, at time.Time, canary string)
}

const truncated = "message is cut short"

// decode reads one message. lsn is where it starts, for errors. Errors are
// *DecodeError or *Finding.
func (d *decoder) decode(data []byte, lsn pglogrepl.LSN, to sink) (err error) {
	var kind byte
	// The decoder checks every length, so this never happens; if it does, the
	// stream stops at a known place instead of taking the process down.
	defer func() {
		if r := recover(); r != nil {
			err = &DecodeError{Type: kind, LSN: lsn, Problem: fmt.Sprintf("decoder failed (%T)", r)}
		}
	}()
	r := &reader{data: data}
	kind = r.u8()
	var problem string
	switch kind {
	case 'B':
		problem = d.begin(r)
	case 'C':
		problem = d.commit(r, to)
	case 'R':
		problem = d.relationMessage(r)
	case 'I', 'U', 'D':
		var find *Finding
		if find, problem = d.row(kind, r, to); find != nil {
			return find
		}
	case 'T':
		problem = d.truncate(r, to)
	case 'M':
		problem = d.message(r)
	case 'O', 'Y':
		// Where a change came from and what a type is called do not matter.
	default:
		problem = "message type is unknown"
	}
	if problem != "" {
		return &DecodeError{Type: kind, LSN: lsn, Problem: problem}
	}
	return nil
}

// ended checks that a message was neither shorter nor longer than its fields.
func ended(r *reader) string {
	switch {
	case r.short:
		return truncated
	case len(r.data) > 0:
		return "message is longer than its fields"
	}
	return ""
}

// begin handles 'B': the LSN of the commit record, the commit time, the xid.
func (d *decoder) begin(r *reader) string {
	if d.open {
		return "transaction begins within another"
	}
	tx := Tx{CommitLSN: pglogrepl.LSN(r.u64()), CommitTime: pgTime(r.u64()), XID: r.u32()}
	if problem := ended(r); problem != "" {
		return problem
	}
	d.open, d.tx, d.shared, d.canary = true, tx, nil, ""
	// A checkpoint is an end LSN: what committed below it is in the state, what
	// committed at it is not.
	d.skip = tx.CommitLSN < d.from
	return ""
}

// commit handles 'C': flags, the LSN of the commit record, the LSN behind it,
// the commit time.
func (d *decoder) commit(r *reader, to sink) string {
	r.u8()
	lsn, end, at := pglogrepl.LSN(r.u64()), pglogrepl.LSN(r.u64()), pgTime(r.u64())
	if problem := ended(r); problem != "" {
		return problem
	}
	if !d.open {
		return "commit without a transaction"
	}
	if lsn != d.tx.CommitLSN || end < lsn {
		return "commit of another transaction"
	}
	d.open = false
	if !d.skip {
		to.commit(end, at, d.canary)
	}
	return ""
}

// transactional is the flag of a message that belongs to a transaction, and
// comes when that commits.
const transactional = 1

// message handles 'M': flags, LSN, prefix, length and content of what somebody
// wrote with pg_logical_emit_message. Those of others are not ours to judge.
func (d *decoder) message(r *reader) string {
	flags := r.u8()
	r.u64()
	prefix := r.name()
	ours := string(prefix) == canaryPrefix && flags&transactional != 0
	content := r.take(int(int32(r.u32())))
	if problem := ended(r); problem != "" {
		return problem
	}
	if !ours {
		return ""
	}
	if !d.open {
		return "transactional message outside a transaction"
	}
	d.canary = string(content)
	return ""
}

// transaction is the open transaction, shared by its changes.
func (d *decoder) transaction() *Tx {
	if d.shared == nil {
		tx := d.tx
		d.shared = &tx
	}
	return d.shared
}

// row handles 'I', 'U' and 'D': the table's oid, and tuples that are marked 'N'
// (new), 'K' (the old key) or 'O' (the old row, under REPLICA IDENTITY FULL).
func (d *decoder) row(kind byte, r *reader, to sink) (*Finding, string) {
	rel := d.relation(r.u32())
	switch {
	case r.short:
		return nil, truncated
	case rel == nil:
		return nil, "relation was not announced"
	case !d.open:
		return nil, "row outside a transaction"
	case !rel.mine || d.skip:
		return nil, ""
	}
	mark := r.u8()
	old := (mark == 'K' || mark == 'O') && kind != 'I'
	if old {
		if problem := d.old.read(r, rel); problem != "" {
			return nil, problem
		}
		if kind == 'U' {
			mark = r.u8()
		}
	}
	if kind != 'D' {
		if mark != 'N' && !r.short {
			return nil, "row has an unknown part"
		}
		if problem := d.new.read(r, rel); problem != "" {
			return nil, problem
		}
	} else if !old && !r.short {
		return nil, "deleted row has no key"
	}
	if problem := ended(r); problem != "" {
		return nil, problem
	}
	return d.emit(kind, old, to), ""
}

// emit turns the scratch tuples into a change.
func (d *decoder) emit(kind byte, old bool, to sink) *Finding {
	d.out = Change{Tx: d.transaction()}
	c := &d.out
	switch kind {
	case 'D':
		if d.old.presence[ID] != Value {
			return noID("a deleted row")
		}
		c.Kind, c.Key = Delete, string(d.old.text[ID])
		to.change(c, len(c.Key))
		return nil
	case 'I':
		c.Kind = Insert
	case 'U':
		c.Kind = Update
		if old {
			d.new.fill(&d.old)
		}
	}
	if d.new.presence[ID] != Value {
		return noID("a row")
	}
	d.new.row(&c.Row)
	c.Key = c.Row.values[ID]
	if old && d.old.presence[ID] == Value && string(d.old.text[ID]) != c.Key {
		c.OldKey = string(d.old.text[ID])
	}
	to.change(c, d.new.size)
	return nil
}

// noID: without an id nothing can be said of which event a row is, and so it
// cannot even be parked.
func noID(what string) *Finding {
	return &Finding{
		Code: CodeColumn, Problem: what + " of the events table came without its column id",
		Mend: "give the table its column id back, and a replica identity that covers it",
	}
}

// truncate handles 'T': number of tables, options, oids.
func (d *decoder) truncate(r *reader, to sink) string {
	n := r.u32()
	r.u8()
	mine := false
	for range n {
		rel := d.relation(r.u32())
		if r.short {
			return truncated
		}
		if rel == nil {
			return "relation was not announced"
		}
		mine = mine || rel.mine
	}
	if problem := ended(r); problem != "" {
		return problem
	}
	if !d.open {
		return "truncation outside a transaction"
	}
	if mine && !d.skip {
		to.change(&Change{Kind: Truncate, Tx: d.transaction()}, 0)
	}
	return ""
}

// pgTime reads microseconds since 2000-01-01 UTC. The arithmetic cannot overflow
// in a way that panics; a nonsensical time stays nonsensical.
func pgTime(v uint64) time.Time {
	const y2k = 946684800 * 1_000_000
	return time.UnixMicro(int64(v) + y2k).UTC()
}
