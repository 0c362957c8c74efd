package state_test

import (
	"slices"
	"time"

	"ghlsync/state"
)

// book is a model of the appointment book of GHL for one event: what each call
// leads to, at once or later, and what a receiver that knows delivery ids does.
type book struct {
	dedup   bool // a delivery id that was acted on is not acted on again
	acted   map[string]bool
	appts   []string // content hash of each appointment of the event
	made    int
	delayed []delayed
}

// sent is a call as it left.
type sent struct {
	op   state.Operation
	id   string
	hash string
}

// delayed is a call that GHL acts on although nobody waits for its answer.
type delayed struct {
	at   time.Time
	call sent
}

func newBook(dedup bool) *book { return &book{dedup: dedup, acted: map[string]bool{}} }

// act does what the call says and returns how GHL answers.
func (b *book) act(c sent) state.Outcome {
	if b.dedup && b.acted[c.id] {
		return state.Delivered
	}
	switch c.op {
	case state.Create:
		b.appts = append(b.appts, c.hash)
		b.made++
	case state.Update:
		if len(b.appts) == 0 {
			return state.NotFound
		}
		for i := range b.appts {
			b.appts[i] = c.hash
		}
	case state.Delete:
		b.appts = nil
	}
	b.acted[c.id] = true
	return state.Delivered
}

// catchUp lets GHL act on what is due by now.
func (b *book) catchUp(now time.Time) {
	var later []delayed
	for _, d := range b.delayed {
		if d.at.After(now) {
			later = append(later, d)
			continue
		}
		b.act(d.call)
	}
	b.delayed = later
}

// equals reports whether GHL has what the row wants, and nothing is on its way
// that would change it. A receiver that ignores delivery ids may have more than
// one appointment.
func (b *book) equals(m *state.Mapping) bool {
	for _, d := range b.delayed {
		if !b.dedup || !b.acted[d.call.id] {
			return false
		}
	}
	if m.Wanted == state.Absent {
		return len(b.appts) == 0
	}
	return slices.Contains(b.appts, m.Hash) && (len(b.appts) == 1 || !b.dedup)
}
