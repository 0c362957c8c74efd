package deliver_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

var (
	calendarRuns = flag.Int("calendar-runs", 10, "seeds of TestCalendarNeverDoubles")
	calendarSeed = flag.Uint64("calendar-seed", 0, "the one seed of TestCalendarNeverDoubles; 0: several")
)

// mortal is a process that dies at any step: nothing that comes after is written,
// and no call leaves any more. Calls under way go on, as those of a killed process
// do at the other end.
type mortal struct {
	left atomic.Int64 // steps to live; below 1: for ever
	dead atomic.Bool
}

var errDead = errors.New("this process is dead")

// lives counts a step and reports whether the process outlives it.
func (m *mortal) lives() bool {
	if m.dead.Load() {
		return false
	}
	if m.left.Load() > 0 && m.left.Add(-1) == 0 {
		m.dead.Store(true)
		return false
	}
	return true
}

type mortalStore struct {
	*sqlite.Store
	m *mortal
}

func (s mortalStore) Begin(ctx context.Context) (state.Tx, error) {
	if !s.m.lives() {
		return nil, errDead
	}
	tx, err := s.Store.Begin(ctx)
	return mortalTx{tx, s.m}, err
}

type mortalTx struct {
	state.Tx
	m *mortal
}

// Commit may be the last thing that a process does, and what it does not live to
// do.
func (t mortalTx) Commit(ctx context.Context) error {
	if !t.m.lives() {
		return errors.Join(errDead, t.Rollback())
	}
	if err := t.Tx.Commit(ctx); err != nil {
		return err
	}
	if !t.m.lives() {
		return errDead
	}
	return nil
}

type mortalSender struct {
	deliver.Sender
	m *mortal
}

func (s mortalSender) Send(ctx context.Context, q ghl.Request) ghl.Result {
	if !s.m.lives() {
		return ghl.Result{Outcome: ghl.Retry, Code: ghl.CodeConnectionFailed}
	}
	res := s.Sender.Send(ctx, q)
	s.m.lives()
	return res
}

// calendarRun is one life, or several, of a deliverer that calls the calendar API.
type calendarRun struct {
	*rig
	rng    *rand.Rand
	life   *mortal
	titles map[string]string // what each event is to be called; "" for one that is gone
	deaths int
}

// faultsOf are what a calendar may do to a call. All of it acts within settle.
func calendarFaults(seed uint64) sandbox.Faults {
	const often = 0.12
	rule := func(call sandbox.Call, r sandbox.Rule) sandbox.Rule {
		r.Call, r.Probability = call, often
		return r
	}
	var rules []sandbox.Rule
	for _, call := range []sandbox.Call{sandbox.CallCreateAppointment, sandbox.CallUpdateAppointment, sandbox.CallDeleteAppointment} {
		rules = append(rules,
			rule(call, sandbox.Rule{Effect: sandbox.EffectDropAfter}), rule(call, sandbox.Rule{Effect: sandbox.EffectDropBefore}),
			rule(call, sandbox.Rule{Effect: sandbox.EffectCut}), rule(call, sandbox.Rule{Status: 502, Act: sandbox.ActYes}),
			rule(call, sandbox.Rule{Status: 502}),
			rule(call, sandbox.Rule{Effect: sandbox.EffectMalformed}),
			rule(call, sandbox.Rule{Effect: sandbox.EffectHangThenAct, ActAfter: 120 * time.Millisecond}))
	}
	rules = append(rules, rule(sandbox.CallListEvents, sandbox.Rule{Status: 500}), rule(sandbox.CallListEvents, sandbox.Rule{Effect: sandbox.EffectCut}))
	return sandbox.Faults{Seed: seed, Rules: rules}
}

func newCalendarRun(t *testing.T, seed uint64) *calendarRun {
	t.Helper()
	c := &calendarRun{rng: rand.New(rand.NewPCG(seed, 0)), life: &mortal{}, titles: map[string]string{}}
	var client *api.Client
	c.rig = newRig(t, func(r *rig) {
		r.o.Timeout, r.o.Settle, r.o.Concurrency, r.o.Seed = 100*time.Millisecond, 400*time.Millisecond, 4, seed
		r.box.SetAPI(sandbox.API{AutoContacts: true})
		var err error
		client, err = api.New(api.Options{
			URL: r.box.APIURL(), Token: "pit-sandbox", LocationID: "sandboxLocation", Timeout: r.o.Timeout, IgnoreFreeSlot: true,
			Calendars: map[string]string{"onboarding": "calOnboarding", "handover": "calHandover"},
		})
		if err != nil {
			t.Fatal(err)
		}
		r.o.Sender, r.o.Encode, r.o.LooksUp = client, client.Encode, true
		r.wrapStore = func(s *sqlite.Store) deliver.Store { return mortalStore{s, c.life} }
		r.wrapSender = func(s deliver.Sender) deliver.Sender { return mortalSender{s, c.life} }
		r.close = client.Close
	})
	if err := c.box.Set(calendarFaults(seed)); err != nil {
		t.Fatal(err)
	}
	c.start()
	return c
}

// change changes some event in some way.
func (c *calendarRun) something(n int) {
	id := fmt.Sprint("event ", c.rng.IntN(3))
	if c.titles[id] != "" && c.rng.IntN(3) == 0 {
		c.titles[id] = ""
		c.change(c.absent(id))
		return
	}
	title := fmt.Sprint("title ", n)
	c.titles[id] = title
	in := c.present(id, title)
	hour := fmt.Sprintf(`"start_time":"%02d:00"`, 1+c.rng.IntN(10))
	in.Payload = bytes.Replace(in.Payload, []byte(`"start_time":"10:00"`), []byte(hour), 1)
	if c.rng.IntN(3) == 0 {
		in.EventType = "handover"
		in.Payload = bytes.Replace(in.Payload, []byte("onboarding"), []byte("handover"), 1)
	}
	c.change(in)
}

// dies lets the process die within so many steps, unless it has nothing to do
// before.
func (c *calendarRun) dies(within int64) {
	c.t.Helper()
	c.life.left.Store(within)
	c.d.Wake()
	c.await("it dies, or has nothing to do", func() bool { return c.life.dead.Load() || c.settled() })
	if !c.life.dead.Load() {
		c.life.left.Store(0)
		return
	}
	c.deaths++
	c.d.SetRecordGrace(0)
	cut, cancel := context.WithCancel(context.Background())
	cancel()
	_ = c.d.Stop(cut) // a dead process records nothing
	if err := c.store.Close(); err != nil {
		c.t.Fatal(err)
	}
	c.life = &mortal{}
	c.open()
	c.start()
}

// settled reports whether delivery has nothing left to do.
func (c *calendarRun) settled() bool {
	for id := range c.titles {
		if m := c.row(id); m != nil && !m.Settled() && m.Parked == "" {
			return false
		}
	}
	return true
}

// ends lets everything work again, and compares.
func (c *calendarRun) ends() {
	c.t.Helper()
	if err := c.box.Set(sandbox.Faults{}); err != nil {
		c.t.Fatal(err)
	}
	c.await("nothing is left to do", func() bool {
		for id := range c.titles {
			if m := c.row(id); m != nil && m.Parked != "" {
				c.edit([]state.EventID{m.ID}, func(rows map[state.EventID]*state.Mapping, now time.Time) { rows[m.ID].Retry(now) })
			}
		}
		return c.settled()
	})
	if s := c.box.Stats(); s.Doubles > 0 {
		c.t.Errorf("%d events have been booked twice", s.Doubles)
	}
	for id, title := range c.titles {
		want := []string{}
		if title != "" {
			want = append(want, title)
		}
		if got := c.rig.titles(id); !slices.Equal(got, want) {
			c.t.Errorf("%s: GHL has %q, want %q; row %+v", id, got, want, c.row(id))
		}
	}
}

// 5: in api mode there are never two appointments of an event, whatever becomes of
// a call and whenever the daemon dies, as long as GHL acts within Settle.
func TestCalendarNeverDoubles(t *testing.T) {
	t.Parallel()
	seeds := make([]uint64, *calendarRuns)
	for i := range seeds {
		seeds[i] = uint64(i) + 1
	}
	if *calendarSeed != 0 {
		seeds = []uint64{*calendarSeed}
	}
	var deaths, faults, calls atomic.Int64
	t.Run("seed", func(t *testing.T) {
		for _, seed := range seeds {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				c := newCalendarRun(t, seed)
				for n := range 8 {
					c.something(n)
					if c.rng.IntN(3) == 0 {
						c.dies(1 + c.rng.Int64N(12))
					}
				}
				c.ends()
				s := c.box.Stats()
				deaths.Add(int64(c.deaths))
				faults.Add(s.Faults)
				calls.Add(s.Requests)
			})
		}
	})
	t.Logf("%d runs: %d calls, %d faults, %d deaths (-calendar-seed repeats one run, -calendar-runs makes more)", len(seeds), calls.Load(), faults.Load(), deaths.Load())
	if *calendarSeed == 0 && (faults.Load() == 0 || deaths.Load() == 0) {
		t.Error("nothing went wrong in any run: nothing was tested")
	}
}

// Where GHL acts later than Settle after all, an event can be booked twice: at most
// once for each create on which GHL acted that late. How often is told.
func TestCalendarActsTooLate(t *testing.T) {
	t.Parallel()
	c := newCalendarRun(t, 1)
	late := sandbox.Rule{
		Call: sandbox.CallCreateAppointment, Effect: sandbox.EffectHangThenAct, ActAfter: 3 * c.o.Settle, Count: 4,
	}
	if err := c.box.Set(sandbox.Faults{Seed: 1, Rules: []sandbox.Rule{late}}); err != nil {
		t.Fatal(err)
	}
	for n := range 4 {
		id := fmt.Sprint("event ", n)
		c.titles[id] = "title"
		c.change(c.present(id, "title"))
	}
	c.await("GHL has acted on all that it was late with", func() bool {
		acted := 0
		for _, q := range c.box.Requests() {
			if q.Effect == sandbox.EffectHangThenAct && q.Acted {
				acted++
			}
		}
		return acted == late.Count && c.settled()
	})
	doubles := c.box.Stats().Doubles
	t.Logf("of %d creates on which GHL acted too late, %d made a second appointment", late.Count, doubles)
	if doubles == 0 || doubles > int64(late.Count) {
		t.Errorf("%d doubles: this test does not play what it says", doubles)
	}
	for id := range c.titles {
		if n := len(c.box.AppointmentsOf(id)); n > 2 {
			t.Errorf("%s has %d appointments", id, n)
		}
	}
}
