package cdc

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"
	"pgregory.net/rapid"
)

func put(m *mailbox, keys ...string) {
	for _, k := range keys {
		m.change(&Change{Kind: Insert, Key: k}, len(k))
	}
}

func keysOf(c Chunk) string {
	var keys []string
	for _, ch := range c.Changes {
		keys = append(keys, ch.Key)
	}
	return strings.Join(keys, " ")
}

// Complete transactions are handed over before the open rest, which stays until
// it is complete or fills the mailbox.
func TestMailboxSplitsAtTheLastBoundary(t *testing.T) {
	t.Parallel()
	m := newMailbox(100, 4, 1<<20)
	if _, ok := m.take(); ok {
		t.Fatal("took from an empty mailbox")
	}
	put(m, "a", "b")
	if _, ok := m.take(); ok {
		t.Fatal("took a part of a small transaction")
	}
	m.commit(200, testTime, "")
	m.commit(210, testTime, "") // of a transaction on other tables
	put(m, "c")
	c, ok := m.take()
	if !ok || c.Open || keysOf(c) != "a b" || c.Last.End != 210 || c.Transactions != 2 || !c.Last.CommitTime.Equal(testTime) {
		t.Fatalf("got %+v", c)
	}
	put(m, "d", "e", "f")
	c, ok = m.take()
	if !ok || !c.Open || keysOf(c) != "c d e f" {
		t.Fatalf("got %+v", c)
	}
	m.commit(300, testTime, "")
	c, ok = m.take()
	if !ok || c.Open || len(c.Changes) != 0 || c.Last.End != 300 || c.Transactions != 1 {
		t.Fatalf("the end of a large transaction: got %+v", c)
	}
}

func TestMailboxCollapsesIdleBoundaries(t *testing.T) {
	t.Parallel()
	m := newMailbox(100, 4, 1<<20)
	m.idle(90, false) // the server's position may start below ours
	m.idle(150, true)
	m.idle(140, false)
	c, ok := m.take()
	if !ok || c.Open || c.Last.End != 150 || !c.Last.Now || !c.Last.CommitTime.IsZero() || c.Transactions != 0 {
		t.Fatalf("got %+v", c)
	}
	put(m, "a")
	m.commit(200, testTime, "")
	m.idle(250, false)
	c, _ = m.take()
	if c.Last.End != 250 || c.Last.Now || !c.Last.CommitTime.Equal(testTime) {
		t.Fatalf("a keepalive behind a commit: got %+v", c.Last)
	}
}

// The reader waits when the mailbox is full, by rows or by bytes, and a close
// frees it.
func TestMailboxIsBounded(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*mailbox{
		"rows":  newMailbox(0, 8, 1<<30),
		"bytes": newMailbox(0, 1<<30, 8*(changeSize+1)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			done := make(chan int)
			go func() {
				for i := range 20 {
					put(m, strconv.Itoa(i%10))
				}
				done <- 20
			}()
			total := 0
			for total < 16 {
				<-m.arrived
				c, ok := m.take()
				if !ok {
					continue
				}
				if len(c.Changes) != 8 || !c.Open {
					t.Fatalf("took %d changes at once", len(c.Changes))
				}
				total += len(c.Changes)
			}
			<-done
			go func() {
				put(m, "a", "b", "c", "d", "e", "f")
				done <- 6
			}()
			<-m.arrived
			m.close()
			m.close()
			<-done
		})
	}
}

// Whatever the order of writing and taking: each change comes once, in order,
// and is complete when its chunk says so.
func TestMailboxKeepsOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := newMailbox(0, 5, 1<<20)
		var next, seen int
		var lsn, ended pglogrepl.LSN
		bounds := map[pglogrepl.LSN]int{} // how many changes are complete at an LSN
		open := false
		take := func() {
			c, ok := m.take()
			if !ok {
				return
			}
			for _, ch := range c.Changes {
				if ch.Key != strconv.Itoa(seen) {
					t.Fatalf("got change %s for %d", ch.Key, seen)
				}
				seen++
			}
			if !c.Open {
				if c.Last.End < ended || bounds[c.Last.End] != seen {
					t.Fatalf("boundary %d after %d changes, before it %d", c.Last.End, seen, ended)
				}
				ended = c.Last.End
			}
		}
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			lsn++
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				// A take hands over what is complete; an open rest may fill the buffer by
				// itself and needs one more.
				for full(m) {
					take()
				}
				put(m, strconv.Itoa(next))
				next++
				open = true
			case 1:
				bounds[lsn] = next
				m.commit(lsn, time.Time{}, "")
				open = false
			case 2:
				if !open {
					bounds[lsn] = next
					m.idle(lsn, false)
				}
			case 3:
				take()
			}
		}
		lsn++
		bounds[lsn] = next
		m.commit(lsn, time.Time{}, "")
		for range 3 {
			take()
		}
		if seen != next {
			t.Fatalf("%d of %d changes arrived", seen, next)
		}
	})
}

// BenchmarkReadPath is the reader's whole work in memory: decode and mailbox,
// with somebody taking.
func BenchmarkReadPath(b *testing.B) {
	d := testDecoder(0)
	box := newMailbox(0, maxRows, maxBytes)
	rows, stopped := 0, make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-box.arrived:
				if c, ok := box.take(); ok {
					rows += len(c.Changes)
				}
			case <-box.done:
				return
			}
		}
	}()
	insert := rowMessage('I').part('N').sentraTuple("event-1753862400.123456", strings.Repeat("Kick-off ", 10))
	messages := []message{beginMessage(1000, 1), sentraRelation(), insert, commitMessage(1000, 1010)}
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range messages {
			if err := d.decode(m, 1, box); err != nil {
				b.Fatal(err)
			}
		}
	}
	box.close()
	<-stopped
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func full(m *mailbox) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.full()
}
