package sandbox

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"ghlsync/ghl"
)

// Effect is the way in which a request goes wrong, or its answer differs.
type Effect string

// The effects. "Acts" says whether the appointment book changes when the rule
// does not say so by Act.
const (
	EffectStatus      Effect = "status"        // answers Status, with RetryAfter and Body; does not act
	EffectFailure     Effect = "failure"       // 200 with success:false and Code; does not act
	EffectDraft       Effect = "draft"         // 200 "Success: test request received", no id; does not act
	EffectRedirect    Effect = "redirect"      // Status (302) to Location; does not act
	EffectReal        Effect = "real"          // GHL's own answer: status and an id that is no appointment's; acts
	EffectOlder       Effect = "older"         // the id under its older name ghl_appointment_id; acts
	EffectMalformed   Effect = "malformed"     // 200 with Body, or something that is not JSON; acts
	EffectCut         Effect = "cut"           // the connection closes in the middle of the answer; acts
	EffectDropBefore  Effect = "drop_before"   // the connection closes without an answer; never acts
	EffectDropAfter   Effect = "drop_after"    // acts, then the connection closes without an answer
	EffectHangBefore  Effect = "hang_before"   // no answer until the client leaves or the sandbox ends; never acts
	EffectHangAfter   Effect = "hang_after"    // acts, then no answer
	EffectHangThenAct Effect = "hang_then_act" // acts after ActAfter, even though the client has left; no answer
)

// Act overrides whether the book changes, for effects that leave the choice.
type Act string

// The values of Act; the zero value keeps the effect's own way.
const (
	ActYes Act = "yes"
	ActNo  Act = "no"
)

// Rule is one fault: which requests it is about, and what happens to them.
//
// Rules are gone through in order. Each that matches and whose Probability
// comes up adds its delays; the first of them with an Effect decides the
// answer and ends the search. Rules with a Count thus make a script: three
// times 503, then one dropped connection, then all is well.
type Rule struct {
	Call        Call          // only this one; empty: all
	Operation   ghl.Operation // only this one; empty: all
	Event       string        // only this Sentra event; empty: all
	Count       int           // for so many requests, then never again; 0: no end
	Probability float64       // 0 and 1: always

	DelayBefore time.Duration // before acting; the action is left out if the client leaves meanwhile
	DelayAfter  time.Duration // after acting, before the answer

	Effect     Effect // empty: Status or Code say which; neither: the ordinary answer
	Act        Act
	Status     int           // of EffectStatus and EffectRedirect
	RetryAfter string        // the header of EffectStatus: seconds or an HTTP date
	Body       string        // of EffectStatus and EffectMalformed
	Code       string        // error_code of EffectFailure; empty: none in the answer
	Location   string        // of EffectRedirect
	ActAfter   time.Duration // of EffectHangThenAct
	Reset      bool          // drops are a TCP reset instead of a plain close
}

// Faults is the set of rules in force.
type Faults struct {
	Seed  uint64 // of Probability; the same seed and the same requests give the same faults
	Rules []Rule
}

// actsByNature lists the effects, and whether the book changes with them.
var actsByNature = map[Effect]bool{
	"": true, EffectStatus: false, EffectFailure: false, EffectDraft: false, EffectRedirect: false,
	EffectReal: true, EffectOlder: true, EffectMalformed: true, EffectCut: true,
	EffectDropBefore: false, EffectDropAfter: true,
	EffectHangBefore: false, EffectHangAfter: true, EffectHangThenAct: true,
}

// fixed tells of an effect whose name says when it acts.
func (e Effect) fixed() bool {
	switch e {
	case EffectDropBefore, EffectDropAfter, EffectHangBefore, EffectHangAfter, EffectHangThenAct:
		return true
	}
	return false
}

func (r Rule) acts() bool {
	switch r.Act {
	case ActYes:
		return true
	case ActNo:
		return false
	}
	return actsByNature[r.Effect]
}

// normal fills in what a rule leaves to the sandbox, or says what is wrong.
func (r Rule) normal() (Rule, error) {
	if r.Effect == "" && r.Status != 0 {
		r.Effect = EffectStatus
	}
	if r.Effect == "" && r.Code != "" {
		r.Effect = EffectFailure
	}
	if r.Effect == EffectRedirect && r.Status == 0 {
		r.Status = http.StatusFound
	}
	if r.Call != "" && !slices.Contains(Calls, r.Call) {
		return r, fmt.Errorf("call %q is unknown: see GET / for the list", r.Call)
	}
	if _, known := actsByNature[r.Effect]; !known {
		return r, fmt.Errorf("effect %q is unknown: see GET / for the list", r.Effect)
	}
	if r.Act != "" && r.Act != ActYes && r.Act != ActNo {
		return r, fmt.Errorf("act %q is unknown: use %q or %q, or leave it out", r.Act, ActYes, ActNo)
	}
	if r.Act != "" && r.Effect.fixed() {
		return r, fmt.Errorf("act %q contradicts effect %q, which says itself when it acts: leave act out", r.Act, r.Effect)
	}
	return r, r.checkNumbers()
}

func (r Rule) checkNumbers() error {
	if (r.Effect == EffectStatus || r.Effect == EffectRedirect) && (r.Status < 200 || r.Status > 599) {
		return fmt.Errorf("status %d is out of range: use 200 to 599", r.Status)
	}
	if r.Probability < 0 || r.Probability > 1 {
		return fmt.Errorf("probability %g is out of range: use 0 to 1", r.Probability)
	}
	if r.Count < 0 {
		return fmt.Errorf("count %d is negative: use 1 or more, or 0 for no end", r.Count)
	}
	if r.DelayBefore < 0 || r.DelayAfter < 0 || r.ActAfter < 0 {
		return fmt.Errorf("delay_before %s, delay_after %s, act_after %s: none may be negative", r.DelayBefore, r.DelayAfter, r.ActAfter)
	}
	return nil
}

// activeRule is a rule in force and how often it still may fire.
type activeRule struct {
	Rule
	left int // of Count
}

// Set puts rules in force instead of all earlier ones; none takes all faults
// away. On an error, which names the rule, nothing changes.
func (s *Sandbox) Set(f Faults) error {
	rules := make([]activeRule, 0, len(f.Rules))
	for i, r := range f.Rules {
		normal, err := r.normal()
		if err != nil {
			return fmt.Errorf("fault rule %d: %w", i+1, err)
		}
		rules = append(rules, activeRule{Rule: normal, left: r.Count})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules, s.seed = rules, f.Seed
	s.dice = rand.New(rand.NewPCG(f.Seed, f.Seed))
	s.wake()
	return nil
}

// Faults gives the rules in force, Count being what is left of it. Those that
// are used up are gone.
func (s *Sandbox) Faults() Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := Faults{Seed: s.seed, Rules: make([]Rule, 0, len(s.rules))}
	for _, r := range s.rules {
		if r.Count == 0 || r.left > 0 {
			rule := r.Rule
			rule.Count = r.left
			f.Rules = append(f.Rules, rule)
		}
	}
	return f
}

// pick puts together what happens to a request; fired tells whether any rule
// had a part in it. The caller holds the lock.
func (s *Sandbox) pick(c *call) (fault Rule, fired bool) {
	for i := range s.rules {
		r := &s.rules[i]
		if !r.fires(c, s.dice) {
			continue
		}
		fired = true
		before, after := fault.DelayBefore+r.DelayBefore, fault.DelayAfter+r.DelayAfter
		if r.Effect != "" || r.Act != "" {
			fault = r.Rule
		}
		fault.DelayBefore, fault.DelayAfter = before, after
		if r.Effect != "" || r.Act != "" {
			break
		}
	}
	return fault, fired
}

func (r *activeRule) fires(c *call, dice *rand.Rand) bool {
	if r.Operation != "" && r.Operation != c.operation || r.Event != "" && r.Event != c.eventID {
		return false
	}
	if r.Call != "" && r.Call != c.entry.Call {
		return false
	}
	if r.Count > 0 && r.left == 0 {
		return false
	}
	if r.Probability > 0 && r.Probability < 1 && dice.Float64() >= r.Probability {
		return false
	}
	if r.Count > 0 {
		r.left--
	}
	return true
}
