package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ghlsync/internal/bookcheck"
)

// How long a change may take to its answer. A healthy daemon needs milliseconds.
// The rest is for a machine that is busy with something else; to somebody who
// watches, and may have taken GHL down by hand, a call that has not come yet is
// shown sooner.
const (
	scriptPatience = 8 * time.Second
	livePatience   = 3 * time.Second
	lostPatience   = 500 * time.Millisecond // of a script that has failed anyway
)

// player plays steps and writes a line for each, once it is known what came of
// it.
type player struct {
	admin   *admin
	journal *journal
	out     *printer
	tally   *tally
	ended   <-chan struct{} // the daemon cannot go on

	// strict is for the script: nobody else changes anything, and every call is
	// of the operation that was foreseen.
	strict   bool
	patience time.Duration
	opened   bool     // what is delivered from here on has a commit of its own
	unproven []step   // silent ones that no later change has vouched for yet
	wrong    []string // what should not have been, for the verdict; when strict
}

// errEnded tells that the daemon ended by itself.
var errEnded = errors.New("the daemon has ended")

// play changes Sentra and waits for the calls that must follow. An error means
// that playing cannot go on; a call that does not come is not one.
func (p *player) play(ctx context.Context, s step) error {
	p.strays()
	if err := s.act(ctx, p.admin); err != nil {
		return fmt.Errorf("play %q: %w", s.does, err)
	}
	p.tally.changes++
	if len(s.calls) == 0 {
		s.event = p.admin.event(s.event) // the name may stand for another one soon
		p.unproven = append(p.unproven, s)
		return nil
	}
	got, err := p.await(ctx, s.calls)
	if err != nil {
		return err
	}
	if len(got) > 0 {
		p.vouch()
	}
	p.show(s, got)
	return nil
}

// answered is a delivery and the place of its call in the step.
type answered struct {
	delivery
	place int
}

// await waits until GHL has had the calls, or patience ends. What else arrives
// meanwhile is a stray.
func (p *player) await(ctx context.Context, calls []call) ([]answered, error) {
	open := make(map[string]int, len(calls)) // by event id, to the place
	for i, c := range calls {
		open[p.admin.event(c.event)] = i
	}
	timer := time.NewTimer(p.patience)
	defer timer.Stop()
	var got []answered
	for {
		finished, more := p.take()
		for _, d := range finished {
			place, asked := open[d.event]
			if !asked || p.strict && d.operation != calls[place].operation {
				p.stray(d)
				continue
			}
			p.tally.add(d)
			got = append(got, answered{d, place})
			if d.done() {
				delete(open, d.event)
			}
		}
		if len(open) == 0 {
			return got, nil
		}
		select {
		case <-more:
		case <-timer.C:
			return got, nil
		case <-p.ended:
			return got, errEnded
		case <-ctx.Done():
			return got, context.Cause(ctx)
		}
	}
}

// take is the journal's. Rows of the first snapshot have no commit that a time
// could be reckoned from.
func (p *player) take() ([]delivery, <-chan struct{}) {
	finished, more := p.journal.take()
	for i := range finished {
		if !p.opened {
			finished[i].committed = time.Time{}
		}
	}
	return finished, more
}

// vouch writes the silent steps: a later change has gone through.
func (p *player) vouch() {
	for _, s := range p.unproven {
		p.tally.silent++
		p.out.plain(s.does, s.event, dim, "nothing sent")
	}
	p.unproven = nil
}

// show writes a step's lines, in the order of its calls.
func (p *player) show(s step, got []answered) {
	slices.SortStableFunc(got, func(a, b answered) int { return a.place - b.place })
	label := s.does
	for i, c := range s.calls {
		came := false
		for _, a := range got {
			if a.place == i {
				p.out.line(label, a.delivery)
				label, came = "", came || a.done()
			}
		}
		if !came {
			p.miss(s, label, c)
			label = ""
		}
	}
	if p.strict && len(p.wrong) > 0 {
		p.patience = lostPatience
	}
}

// miss writes that a call has not come.
func (p *player) miss(s step, label string, c call) {
	event := p.admin.event(c.event)
	if !p.strict {
		p.out.plain(label, event, yellow, "not yet")
		return
	}
	p.out.plain(label, event, red, fmt.Sprintf("no %s within %s", c.operation, p.patience))
	p.wrong = append(p.wrong, fmt.Sprintf("%s: GHL got no %s of event %s within %s", s.does, c.operation, event, p.patience))
}

// strays writes what has finished since the last step, and gives a channel that
// closes when there is more.
func (p *player) strays() <-chan struct{} {
	finished, more := p.take()
	for _, d := range finished {
		p.stray(d)
	}
	return more
}

// stray writes a call that no step waits for: somebody else's change, or one
// that came late.
func (p *player) stray(d delivery) {
	p.tally.add(d)
	if !p.strict {
		p.out.line("by another hand: "+d.kind, d)
		return
	}
	p.out.line("nobody asked for this", d)
	p.wrong = append(p.wrong, fmt.Sprintf("GHL got an unasked %s of event %s", d.operation, d.event))
}

// opening waits for what was in Sentra before the daemon came.
func (p *player) opening(ctx context.Context, wanted []bookcheck.Event) error {
	s := step{does: "was there before the daemon"}
	for _, w := range wanted {
		s.calls = append(s.calls, creates(w.ID))
	}
	got, err := p.await(ctx, s.calls)
	if err != nil {
		return err
	}
	p.show(s, got)
	p.opened = true
	return nil
}

// script plays every kind of change once.
func (p *player) script(ctx context.Context) error {
	for _, s := range script() {
		if err := p.play(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// settle makes sure that nothing is left unsaid at the end of a script.
func (p *player) settle() {
	p.strays()
	for _, s := range p.unproven {
		p.wrong = append(p.wrong, s.does+": no later change has proved that GHL heard nothing of it")
	}
}
