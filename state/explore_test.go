package state_test

import (
	"flag"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

var depth = flag.Int("depth", 8, "of the exploration of all that can happen to an event, in actions")

// explorer takes every decision, one after the other: those of path as they were
// taken, and the first choice of each that comes behind them.
type explorer struct {
	t     *testing.T
	story *strings.Builder
	path  []int // what was decided
	sizes []int // of how many
	next  int
}

// impossible is what Skip and the first pick of nothing panic with.
type impossible struct{}

func (e *explorer) Helper() {}

func (e *explorer) Fatalf(format string, args ...any) {
	e.t.Helper()
	e.t.Fatalf("after%s: "+format, append([]any{e.story}, args...)...)
}

func (e *explorer) Skip(...any) { panic(impossible{}) }

func (e *explorer) decide(n int) int {
	if e.next == len(e.path) {
		e.path, e.sizes = append(e.path, 0), append(e.sizes, n)
	}
	e.next++
	return e.path[e.next-1]
}

func (e *explorer) pick(label string, of ...string) string {
	chosen := of[e.decide(len(of))]
	fmt.Fprintf(e.story, " (%s: %s)", label, chosen)
	return chosen
}

// between takes the two ends: what lies in between differs in nothing.
func (e *explorer) between(label string, least, most int) int {
	chosen := least
	if most > least && e.decide(2) == 1 {
		chosen = most
	}
	fmt.Fprintf(e.story, " (%s: %d)", label, chosen)
	return chosen
}

// another prepares the decisions that come after the present ones and reports
// whether there are any.
func (e *explorer) another() bool {
	for len(e.path) > 0 {
		last := len(e.path) - 1
		if e.path[last]++; e.path[last] < e.sizes[last] {
			return true
		}
		e.path, e.sizes = e.path[:last], e.sizes[:last]
	}
	return false
}

// copied is the machine with nothing shared, which goes on by other decisions.
func (k *machine) copied(t chooser) *machine {
	r := *k.rig
	r.fataler = t
	if k.m != nil {
		r.m = clone(k.m)
	}
	b := *k.book
	b.acted, b.appts, b.delayed = maps.Clone(b.acted), slices.Clone(b.appts), slices.Clone(b.delayed)
	c := &machine{rig: &r, t: t, book: &b, last: k.last}
	if k.flight != nil {
		flight := *k.flight
		c.flight = &flight
	}
	return c
}

// key is the same for two machines that differ in nothing which matters: names
// of calls, numbers of revisions, and how late it is. Times count in seconds.
func (k *machine) key() string {
	var b strings.Builder
	in := func(t time.Time) int64 {
		if t.IsZero() {
			return -1
		}
		return max(0, int64(t.Sub(k.now)+time.Second-1)/int64(time.Second))
	}
	if m := k.m; m != nil {
		fmt.Fprint(&b, m.AppointmentID, m.SyncError, m.Wanted, string(m.Payload), m.Version.LSN == k.lsn, m.GHL, m.GHLHash, string(m.Known) != "",
			m.Attempts > 0, in(m.NextAttempt), m.LeaseUntil.IsZero(), m.Parked, m.Hold, m.Retracted, m.Drift, in(m.UnsettledUntil))
		if c := m.Call; c != nil {
			fmt.Fprint(&b, c.Operation, c.State, string(c.Body), c.Hash, c.Revision == m.Revision, c.Before, c.Tries, in(c.SettlesAt),
				c.StartedAt.Before(m.UnsettledUntil), k.book.acted[c.DeliveryID])
		}
	}
	fmt.Fprint(&b, "|", k.book.appts, k.flight != nil, k.last.Wanted, string(k.last.Payload), k.last.Source, k.last.Version.LSN == k.lsn)
	for _, d := range k.book.delayed {
		fmt.Fprint(&b, in(d.at), d.call.op, d.call.hash, k.book.acted[d.call.id], k.m != nil && k.m.Call != nil && k.m.Call.DeliveryID == d.call.id)
	}
	return b.String()
}

// place is a machine that was reached, and how.
type place struct {
	k     *machine
	story string
}

// step is one action in one of its ways; false if it cannot happen.
func (p place) step(e *explorer, name string, do func(*machine)) (next place, possible bool) {
	e.next, e.story = 0, &strings.Builder{}
	e.story.WriteString(p.story + "; " + name)
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(impossible); !ok {
				panic(r)
			}
		}
	}()
	k := p.k.copied(e)
	do(k)
	k.check()
	return place{k: k, story: e.story.String()}, true
}

// ways are what one action leads to, by all decisions.
func (p place) ways(e *explorer, name string, do func(*machine)) iter.Seq[place] {
	return func(yield func(place) bool) {
		for e.path, e.sizes = nil, nil; ; {
			if q, possible := p.step(e, name, do); possible && !yield(q) {
				return
			}
			if !e.another() {
				return
			}
		}
	}
}

// All that can happen to an event, in every order, each in all of its ways, up to
// a depth. After each of them invariants 4 to 6 hold, and from there, once
// everything works again, GHL gets what is wanted.
func TestAllInterleavings(t *testing.T) {
	t.Parallel()
	for name, dedup := range map[string]bool{"receiver knows delivery ids": true, "receiver ignores delivery ids": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			explore(t, dedup)
		})
	}
}

func explore(t *testing.T, dedup bool) {
	can := actions(dedup)
	names := slices.Sorted(maps.Keys(can))
	e := &explorer{t: t}
	seen := map[string]bool{}
	reached := []place{{k: newMachine(e, dedup)}}
	steps := 0
	for range *depth {
		var next []place
		for _, p := range reached {
			for _, name := range names {
				for q := range p.ways(e, name, can[name]) {
					steps++
					if key := q.k.key(); !seen[key] {
						seen[key] = true
						next = append(next, q)
						q.rests(t)
					}
				}
			}
		}
		reached = next
	}
	t.Logf("%d steps to a depth of %d lead to %d different states", steps, *depth, len(seen))
	if len(seen) < 5000 && *depth >= 8 {
		t.Errorf("only %d states: something is not explored", len(seen))
	}
}

// rests lets everything work again, in a copy.
func (p place) rests(t *testing.T) {
	q := &explorer{t: t, story: &strings.Builder{}}
	q.story.WriteString(p.story + "; all works again")
	p.k.copied(q).quiesce()
}
