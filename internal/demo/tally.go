package demo

import (
	"fmt"
	"slices"
	"time"

	"ghlsync/state"
)

// tally counts what happened, for the table at the end.
type tally struct {
	changes  int // in Sentra, by the admin
	silent   int // of them, those that rightly sent nothing
	failed   int // calls that did not do what they were for
	done     map[state.Operation]int
	reached  map[state.Operation][]time.Duration // commit to GHL
	answered []time.Duration
}

func newTally() *tally {
	return &tally{done: make(map[state.Operation]int), reached: make(map[state.Operation][]time.Duration)}
}

func (t *tally) add(d delivery) {
	if !d.done() {
		t.failed++
		return
	}
	t.done[d.operation]++
	if took, ok := d.toGHL(); ok {
		t.reached[d.operation] = append(t.reached[d.operation], took)
	}
	if took, ok := d.toAnswer(); ok {
		t.answered = append(t.answered, took)
	}
}

// print writes the table, with the size of both books where they could be read.
func (t *tally) print(p *printer, v *verdict) {
	p.heading("GHL was told")
	p.printf("%s\n", p.paint(dim, fmt.Sprintf("  %-10s %6s   %12s   %12s", "", "calls", "median", "slowest")))
	var all []time.Duration
	total := 0
	for _, op := range []state.Operation{state.Create, state.Update, state.Delete} {
		t.row(p, string(op), t.done[op], t.reached[op])
		all = append(all, t.reached[op]...)
		total += t.done[op]
	}
	t.row(p, "all", total, all)
	t.row(p, "answered", total, t.answered)
	p.printf("\n  %d changes in Sentra, %d of which rightly sent nothing.", t.changes, t.silent)
	if t.failed > 0 {
		p.printf(" %d calls were refused or lost, and came again.", t.failed)
	}
	p.printf("\n")
	if v != nil {
		p.printf("  %d appointments in GHL's book, %d onboarding and handover events in Sentra.\n", v.appointments, v.events)
	}
}

func (t *tally) row(p *printer, name string, calls int, times []time.Duration) {
	slices.Sort(times)
	median, slowest := "–", "–"
	if n := len(times); n > 0 {
		median, slowest = took(times[n/2], true), took(times[n-1], true)
	}
	p.printf("  %-10s %6d   %s   %s\n", name, calls, right(median, 12), right(slowest, 12))
}
