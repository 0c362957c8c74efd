package cdc

import (
	"sync"
	"time"
	"unsafe"

	"github.com/jackc/pglogrepl"
)

// Bounds of what is received but not yet handed over.
const (
	maxRows  = 4096
	maxBytes = 4 << 20
)

const changeSize = int(unsafe.Sizeof(Change{}))

// batch is a run of the stream.
type batch struct {
	changes  []Change
	complete int // changes before this index belong to ended transactions
	bytes    int
	last     Boundary
	bounded  bool // last is set
	commits  int
}

func (b *batch) reset() {
	clear(b.changes) // let go of the strings
	*b = batch{changes: b.changes[:0]}
}

// mailbox lies between the reader, which must not wait for the store, and the
// applier, which takes all that has arrived since the last time. It has two
// buffers: one is filled while the other is handled. The reader waits only when
// the one being filled is full.
type mailbox struct {
	mu       sync.Mutex
	filling  batch
	spare    batch
	end      pglogrepl.LSN // of the latest boundary; they never go back
	closed   bool
	maxRows  int
	maxBytes int

	arrived chan struct{} // something can be taken
	taken   chan struct{} // the filling buffer has room again
	done    chan struct{} // closed with the mailbox
}

func newMailbox(from pglogrepl.LSN, rows, bytes int) *mailbox {
	return &mailbox{
		end: from, maxRows: rows, maxBytes: bytes,
		arrived: make(chan struct{}, 1), taken: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// change appends a change, and waits while the buffer is full.
func (m *mailbox) change(c *Change, size int) {
	for {
		m.mu.Lock()
		if !m.full() || m.closed {
			break
		}
		m.mu.Unlock()
		select {
		case <-m.taken:
		case <-m.done:
		}
	}
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	f := &m.filling
	f.changes = append(f.changes, *c)
	f.bytes += size + changeSize
	if m.full() {
		notify(m.arrived)
	}
}

// full also covers what is left of the last take. A single large row may exceed
// the bound: it is never split.
func (m *mailbox) full() bool {
	return len(m.filling.changes) >= m.maxRows || m.filling.bytes >= m.maxBytes
}

// commit ends a transaction.
func (m *mailbox) commit(end pglogrepl.LSN, at time.Time, canary string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &m.filling
	f.complete = len(f.changes)
	f.commits++
	f.last.CommitTime = at
	if canary != "" {
		f.last.Canary = canary
	}
	m.bound(end)
}

// idle records that the server has nothing below end that we have not received.
// It is called between transactions only. now asks to make it durable.
func (m *mailbox) idle(end pglogrepl.LSN, now bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now {
		m.filling.last.Now = true
	}
	m.bound(end)
}

func (m *mailbox) bound(end pglogrepl.LSN) {
	m.end = max(m.end, end)
	m.filling.last.End, m.filling.bounded = m.end, true
	notify(m.arrived)
}

// take returns what has arrived: complete transactions, or, when an unfinished
// one fills the buffer by itself, a part of that. ok is false if there is
// neither. The chunk is good until the next take.
func (m *mailbox) take() (c Chunk, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &m.filling
	switch {
	case f.bounded:
		c = Chunk{Changes: f.changes[:f.complete:f.complete], Last: f.last, Transactions: f.commits}
	case m.full():
		c = Chunk{Changes: f.changes, Open: true}
		f.complete = len(f.changes)
	default:
		return Chunk{}, false
	}
	rest := f.changes[f.complete:]
	m.spare.reset()
	m.spare.changes = append(m.spare.changes, rest...)
	for i := range rest {
		m.spare.bytes += rest[i].size()
	}
	m.filling, m.spare = m.spare, m.filling
	notify(m.taken)
	return c, true
}

// size is what a change counts for: its texts, which share one allocation, and
// itself.
func (c *Change) size() int {
	n := changeSize
	for i := range c.Row.values {
		n += len(c.Row.values[i])
	}
	return n
}

// reached is the latest boundary.
func (m *mailbox) reached() pglogrepl.LSN {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.end
}

// close lets the reader run on into nothing, so that it can end.
func (m *mailbox) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.done)
	}
}
