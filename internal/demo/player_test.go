package demo

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
)

// finished is the end of a call that was committed at begin and answered 5 ms
// later.
func finished(operation state.Operation, event string) deliver.Event {
	return deliver.Event{
		ID: state.EventID(event), Type: "onboarding", Operation: operation, DeliveryID: event + " " + string(operation),
		Result:      ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200, AppointmentID: "ghl_7"},
		CommittedAt: begin, Ended: begin.Add(5 * time.Millisecond),
	}
}

var begin = time.Date(2024, 1, 15, 9, 0, 0, 0, time.UTC)

func TestJournalJoinsBothEndsOfACall(t *testing.T) {
	t.Parallel()
	j := newJournal()
	e := finished(state.Create, "1")
	j.arrive(sandbox.Arrival{DeliveryID: e.DeliveryID, Time: begin.Add(2 * time.Millisecond)})
	j.arrive(sandbox.Arrival{DeliveryID: "another", Time: begin.Add(time.Hour)})
	_, more := j.take()
	j.finish(e)
	<-more
	got, _ := j.take()
	if len(got) != 1 {
		t.Fatalf("took %d deliveries, want 1", len(got))
	}
	reached, known := got[0].toGHL()
	answered, ended := got[0].toAnswer()
	if !known || !ended || reached != 2*time.Millisecond || answered != 5*time.Millisecond {
		t.Errorf("reached after %s (%t), answered after %s (%t); want 2ms and 5ms", reached, known, answered, ended)
	}
	if again, _ := j.take(); len(again) != 0 {
		t.Errorf("took %d deliveries twice", len(again))
	}
}

// newTestPlayer plays steps that act on the journal alone.
func newTestPlayer(strict bool) (*player, *journal, *strings.Builder) {
	j, text := newJournal(), &strings.Builder{}
	return &player{
		admin: newAdmin(nil, nil), journal: j, out: newPrinter(text), tally: newTally(),
		strict: strict, patience: 50 * time.Millisecond, opened: true,
	}, j, text
}

// telling is a change after which GHL has the calls.
func telling(j *journal, events ...deliver.Event) act {
	return func(context.Context, *admin) error {
		for _, e := range events {
			j.finish(e)
		}
		return nil
	}
}

func TestPlayerHoldsEveryDeviationAgainstTheDaemon(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		steps func(*journal) []step
		wrong []string // beginnings
	}{
		"as foreseen": {func(j *journal) []step {
			return []step{
				{does: "silent", event: "2", act: telling(j)},
				{does: "loud", act: telling(j, finished(state.Update, "1")), calls: []call{updates("1")}},
			}
		}, nil},
		"a call that does not come": {func(j *journal) []step {
			return []step{{does: "loud", act: telling(j), calls: []call{updates("1")}}}
		}, []string{"loud: GHL got no update of event 1"}},
		"another operation": {func(j *journal) []step {
			return []step{{does: "loud", act: telling(j, finished(state.Create, "1")), calls: []call{updates("1")}}}
		}, []string{"GHL got an unasked create of event 1", "loud: GHL got no update of event 1"}},
		"the call twice": {func(j *journal) []step {
			return []step{{does: "loud", act: telling(j, finished(state.Update, "1"), finished(state.Update, "1")), calls: []call{updates("1")}}}
		}, []string{"GHL got an unasked update of event 1"}},
		"a call for a silent change": {func(j *journal) []step {
			return []step{
				{does: "silent", event: "2", act: telling(j, finished(state.Create, "2"))},
				{does: "loud", act: telling(j, finished(state.Update, "1")), calls: []call{updates("1")}},
			}
		}, []string{"GHL got an unasked create of event 2"}},
		"silence that nothing proves": {func(j *journal) []step {
			return []step{{does: "silent", event: "2", act: telling(j)}}
		}, []string{"silent: no later change has proved"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, j, text := newTestPlayer(true)
			for _, s := range c.steps(j) {
				if err := p.play(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			p.settle()
			if len(p.wrong) != len(c.wrong) {
				t.Fatalf("found %q, want %q\n%s", p.wrong, c.wrong, text)
			}
			for i, want := range c.wrong {
				if !strings.HasPrefix(p.wrong[i], want) {
					t.Errorf("found %q, want %q", p.wrong[i], want)
				}
			}
		})
	}
}

// A silent change is written when a later one has gone through, and not before.
func TestSilenceIsClaimedOnlyWhenProved(t *testing.T) {
	t.Parallel()
	p, j, text := newTestPlayer(true)
	if err := p.play(t.Context(), step{does: "quiet change", act: telling(j)}); err != nil {
		t.Fatal(err)
	}
	if text.Len() > 0 {
		t.Errorf("wrote %q before it was proved", text)
	}
	loud := step{does: "loud change", act: telling(j, finished(state.Delete, "1")), calls: []call{deletes("1")}}
	if err := p.play(t.Context(), loud); err != nil {
		t.Fatal(err)
	}
	quiet, after := strings.Index(text.String(), "quiet change"), strings.Index(text.String(), "loud change")
	if quiet < 0 || after < quiet {
		t.Errorf("want the quiet change first:\n%s", text)
	}
}

func TestRefusedCallIsShownAndWaitedFor(t *testing.T) {
	t.Parallel()
	p, j, text := newTestPlayer(false)
	refused := finished(state.Update, "1")
	refused.Result = ghl.Result{Outcome: ghl.Retry, HTTPStatus: 503, Code: "HTTP_503"}
	s := step{does: "an edit", act: telling(j, refused, finished(state.Update, "1")), calls: []call{updates("1")}}
	if err := p.play(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	first, second, _ := strings.Cut(text.String(), "\n")
	if !strings.Contains(first, "update 503 ") || !strings.HasSuffix(first, " retry HTTP_503") || !strings.Contains(second, "update 200") {
		t.Errorf("want a refused call with its reason, and an answered one:\n%s", text)
	}
	if p.tally.failed != 1 || p.tally.done[state.Update] != 1 {
		t.Errorf("counted %d refused and %d done, want 1 and 1", p.tally.failed, p.tally.done[state.Update])
	}
}

func TestTookReadsWell(t *testing.T) {
	t.Parallel()
	got := []string{
		took(1234*time.Microsecond, true), took(45678*time.Microsecond, true), took(2345*time.Millisecond, true), took(0, false),
	}
	if diff := cmp.Diff([]string{"1.23 ms", "46 ms", "2.3 s", "–"}, got); diff != "" {
		t.Error(diff)
	}
}
