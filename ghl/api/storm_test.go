package api_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

// storm is one event whose wishes change while GHL fails at random: what delivery
// and its state make of a client, in short.
type storm struct {
	*rig
	dice *rand.Rand

	wanted string // event_data; "": no appointment
	status string // that people set last

	id     string
	has    string       // event_data that GHL has; "": none, or not known
	call   *ghl.Request // without an answer that settles it
	denied int          // calls that were not settled
}

// TestStorm makes many calls while every way of failing comes up. Whatever does,
// there is never more than one appointment, and in the end it is the wanted one,
// with the status that people gave it.
func TestStorm(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			s := &storm{rig: newRig(t, sandbox.API{}, nil), dice: rand.New(rand.NewPCG(seed, 1))}
			s.failNow()
			for range 150 {
				s.change()
				s.deliver()
			}
			if s.denied == 0 || s.box.Stats().Faults == 0 {
				t.Errorf("nothing failed: %+v", s.box.Stats())
			}
			s.fault()
			for s.deliver() {
			}
			s.check()
		})
	}
}

func (s *storm) failNow() {
	s.Helper()
	err := s.box.Set(sandbox.Faults{Seed: s.dice.Uint64(), Rules: []sandbox.Rule{
		{Probability: 0.05, Status: 500},
		{Probability: 0.05, Status: 502, Act: sandbox.ActYes},
		{Probability: 0.05, Status: 429, RetryAfter: "1"},
		{Probability: 0.05, Effect: sandbox.EffectDropAfter},
		{Probability: 0.05, Effect: sandbox.EffectDropBefore, Reset: true},
		{Probability: 0.05, Effect: sandbox.EffectCut},
		{Probability: 0.05, Effect: sandbox.EffectMalformed},
		{Probability: 0.05, Status: 401},
	}})
	if err != nil {
		s.Fatal(err)
	}
}

// change is what Sentra, people in GHL and a lost state do between two calls.
func (s *storm) change() {
	switch s.dice.IntN(8) {
	case 0:
		s.wanted = ""
	case 1, 2:
		month, kind := fmt.Sprintf("-%02d-15", 1+s.dice.IntN(12)), []string{"onboarding", "handover"}[s.dice.IntN(2)]
		s.wanted = strings.NewReplacer("-01-15", month, `:"onboarding"`, `:"`+kind+`"`).Replace(data)
	case 3:
		if all := s.box.AppointmentsOf(event); len(all) == 1 && s.call == nil {
			s.status = []string{"showed", "noshow", "cancelled", "confirmed"}[s.dice.IntN(4)]
			s.box.SetStatus(all[0].ID, s.status)
		}
	case 4:
		s.id = "" // as after the move from a webhook, or with a restored state
	}
}

// next is the call to make, nil if there is nothing to do: the unsettled one again,
// or a delete that overtakes a create.
func (s *storm) next() *ghl.Request {
	r := ghl.Request{EventID: event, AppointmentID: s.id, Exists: s.has != ""}
	if s.has != "" {
		r.Known = []byte(s.has)
	}
	switch {
	case s.call != nil && (s.wanted != "" || s.call.Operation != ghl.Created):
		again := *s.call
		again.Tried = true
		return &again
	case s.call != nil:
		r.Operation, r.Tried, r.Known, r.Exists = ghl.Deleted, true, s.call.Body, false
	case s.wanted == s.has:
		return nil
	case s.wanted == "":
		r.Operation = ghl.Deleted
	case s.has == "":
		r.Operation = ghl.Created
	default:
		r.Operation = ghl.Updated
	}
	r.Body = s.client.Encode(r.Operation, event, s.id, []byte(s.wanted))
	return &r
}

// deliver makes a call, and reports whether there was one to make.
func (s *storm) deliver() bool {
	s.Helper()
	r := s.next()
	if r == nil {
		return false
	}
	carried := s.wanted
	if s.call != nil && s.call.Operation == r.Operation {
		carried = s.carriedBy(r)
	}
	res := s.client.Send(s.Context(), *r)
	if n := len(s.box.AppointmentsOf(event)); n > 1 {
		s.Fatalf("%d appointments after %s, %+v", n, r.Operation, res)
	}
	switch res.Outcome {
	case ghl.Delivered:
		s.call, s.has, s.id = nil, carried, res.AppointmentID
		if r.Operation == ghl.Deleted {
			s.has, s.id, s.status = "", "", ""
		}
	case ghl.NotFound:
		s.call, s.has, s.id, s.status = nil, "", "", ""
	case ghl.Permanent:
		s.Fatalf("%s of %+v: %+v", r.Operation, r, res)
	default:
		s.denied++
		if res.MaybeActed || s.call != nil {
			s.call = r
		}
	}
	return true
}

// carriedBy gives the event_data of a call that is repeated.
func (s *storm) carriedBy(r *ghl.Request) string {
	if r.Operation == ghl.Deleted {
		return ""
	}
	body := string(r.Body)
	_, rest, _ := strings.Cut(body, `"event_data":`)
	carried, _, _ := strings.Cut(rest, `,"reference_mapping"`)
	return carried
}

func (s *storm) check() {
	s.Helper()
	all := s.box.AppointmentsOf(event)
	if s.wanted == "" {
		if len(all) != 0 {
			s.Errorf("left is %+v", all)
		}
		return
	}
	a := s.only()
	for _, part := range []string{`"start_date":"` + a.StartDate + `"`, `"start_time":"` + a.StartTime + `"`, `"event_type":"` + a.EventType + `"`} {
		if !strings.Contains(s.wanted, part) {
			s.Errorf("booked %+v, wanted %s", a, s.wanted)
		}
	}
	if s.status != "" && a.Status != s.status {
		s.Errorf("status %s, people set %s", a.Status, s.status)
	}
	if doubles := s.box.Stats().Doubles; doubles != 0 {
		s.Errorf("%d doubles", doubles)
	}
}
