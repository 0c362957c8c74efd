package deliver_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/state"
)

// script is a sender that notes requests and answers as told.
type script struct {
	mu       sync.Mutex
	requests []ghl.Request
	answer   func(n int, q ghl.Request) ghl.Result // nil: delivered without an id
}

func (s *script) Send(_ context.Context, q ghl.Request) ghl.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, q)
	if s.answer == nil {
		return ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200}
	}
	return s.answer(len(s.requests), q)
}

func (s *script) into(r *rig) { r.o.Sender = s }

func (s *script) sent() []ghl.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

func (s *script) order() []string {
	var ids []string
	for _, q := range s.sent() {
		ids = append(ids, q.EventID)
	}
	return ids
}

// today is the start of the present day in the rig's zone, which is UTC.
func today() time.Time { return time.Now().UTC().Truncate(24 * time.Hour) }

// What starts soonest goes first, and what has passed last.
func TestTheSoonestGoesFirst(t *testing.T) {
	t.Parallel()
	s := &script{}
	r := newRig(t, s.into, func(r *rig) { r.o.Concurrency = 1 })
	starting := func(id string, at time.Time) state.Change {
		c := r.present(id, "t")
		c.StartsAt = at
		return c
	}
	r.change(starting("past", today().Add(-time.Hour)), starting("far", today().AddDate(0, 1, 0)),
		starting("tomorrow", today().AddDate(0, 0, 1)), starting("today", today()))
	r.start()
	r.await("all are sent", func() bool { return len(s.sent()) == 4 })
	if want := []string{"today", "tomorrow", "far", "past"}; !slices.Equal(s.order(), want) {
		t.Errorf("sent in the order %v, want %v", s.order(), want)
	}
}

// With a day's requests nearly used up, what can wait does; a deletion and an
// event of today do not.
func TestDailyReserve(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	s := &script{}
	r := newRig(t, s.into, func(r *rig) {
		r.o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	r.start()
	r.change(r.present("gone", "t"))
	r.await("it is there", func() bool { return len(s.sent()) == 1 })
	r.d.Observe(ghl.Quota{Max: 100, Remaining: 90, Interval: 10 * time.Second, DailyMax: 200_000, DailyRemaining: 10_000})
	if st := r.d.Status(); !st.Reserved || st.Detail == "" || st.Quota.DailyRemaining != 10_000 {
		t.Errorf("status %+v", st)
	}
	later, now := r.present("later", "t"), r.present("now", "t")
	later.StartsAt, now.StartsAt = today().AddDate(0, 0, 2), today().Add(23*time.Hour)
	r.change(later, now, r.absent("gone"))
	r.await("what cannot wait is sent", func() bool { return len(s.sent()) >= 3 })
	if slices.Contains(s.order(), "later") {
		t.Fatalf("what could wait was sent: %v", s.order())
	}
	// When GHL has said nothing for long, a day may have begun for it.
	ahead.Store(int64(16 * time.Minute))
	r.d.Wake()
	r.await("the rest is sent", func() bool { return slices.Contains(s.order(), "later") })
	if r.d.Status().Reserved {
		t.Error("the reserve is kept for ever")
	}
}

// A clock that is put back does not keep the reserve for as long.
func TestDailyReserveAfterAStepBack(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	ahead.Store(int64(24 * time.Hour))
	r := newRig(t, (&script{}).into, func(r *rig) {
		r.o.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	r.d.Observe(ghl.Quota{Max: 100, Remaining: 90, Interval: 10 * time.Second, DailyMax: 200_000, DailyRemaining: 10})
	if !r.d.Status().Reserved {
		t.Fatal("there is no reserve")
	}
	ahead.Store(0)
	if r.d.Status().Reserved {
		t.Error("the reserve is kept until the clock has made up for the step")
	}
}

// The nearer the limit of an interval, the slower.
func TestQuotaSlowsDown(t *testing.T) {
	t.Parallel()
	r := newRig(t, (&script{}).into, func(r *rig) { r.o.Rate, r.o.Burst = 8, 3 })
	rates := []struct {
		said ghl.Quota
		want rate.Limit
	}{
		{ghl.Quota{Max: 100, Remaining: 99, Interval: 10 * time.Second}, 8},
		{ghl.Quota{Max: 100, Remaining: 20, Interval: 10 * time.Second}, 2},
		{ghl.Quota{Max: 100, Remaining: 0, Interval: 10 * time.Second}, 0.1},
		{ghl.Quota{Max: 1000, Remaining: 400, Interval: 10 * time.Second}, 8}, // faster than GHL_RATE it never is
		{ghl.Quota{Max: -1, Remaining: -1}, 8},
	}
	for _, c := range rates {
		if r.d.Observe(c.said); r.d.Limit() != c.want {
			t.Errorf("after %+v the rate is %v, want %v", c.said, r.d.Limit(), c.want)
		}
	}
	if got := r.d.Status().Tokens; got < 2.9 || got > 3 {
		t.Errorf("%v tokens, want the burst of 3", got)
	}
}

// What a client that looks up has to know.
func TestRequestTellsWhatIsKnown(t *testing.T) {
	t.Parallel()
	s := &script{answer: func(n int, _ ghl.Request) ghl.Result {
		switch n {
		case 1:
			return ghl.Result{Outcome: ghl.Unknown, Code: ghl.CodeTimeout, MaybeActed: true}
		case 2:
			return ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200}
		case 3:
			return ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200, AppointmentID: "ghl-1"}
		}
		return ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 201}
	}}
	r := newRig(t, s.into)
	r.start()
	first := r.present("a", "first")
	r.change(first)
	r.await("it is repeated", func() bool { return len(s.sent()) == 2 })
	r.await("it is synced", func() bool { return r.row("a").Status() == state.Synced })
	r.change(r.present("a", "second"))
	r.await("it is updated", func() bool { return r.row("a").AppointmentID == "ghl-1" })
	r.change(r.absent("a"))
	r.await("it is deleted", func() bool { return len(s.sent()) == 4 })
	q := s.sent()
	if q[0].Tried || q[0].Exists || q[0].AppointmentID != "" || q[0].Known != nil {
		t.Errorf("a first create: %+v", q[0])
	}
	if !q[1].Tried || q[1].Exists || string(q[1].Body) != string(q[0].Body) {
		t.Errorf("a create that may have been acted on: %+v", q[1])
	}
	if q[2].Tried || !q[2].Exists || string(q[2].Known) != string(first.Payload) {
		t.Errorf("an update without an id: %+v, known %s", q[2], q[2].Known)
	}
	if !q[3].Exists || q[3].AppointmentID != "ghl-1" || q[3].Known != nil {
		t.Errorf("a delete: %+v", q[3])
	}
}

// A create that GHL may have acted on in spite of its 5xx is looked up, and that
// only when GHL can no longer act on it.
func TestRefusedCreateSettles(t *testing.T) {
	t.Parallel()
	for _, looksUp := range []bool{true, false} {
		refused := make(chan struct{})
		s := &script{answer: func(n int, _ ghl.Request) ghl.Result {
			if n == 1 {
				close(refused)
				return ghl.Result{Outcome: ghl.Retry, HTTPStatus: 502, Code: "HTTP_502", MaybeActed: true}
			}
			return ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200, AppointmentID: "ghl-1"}
		}}
		r := newRig(t, s.into, func(r *rig) { r.o.LooksUp, r.o.Settle = looksUp, time.Hour })
		r.start()
		r.change(r.present("a", "title"))
		<-refused
		r.await("it is recorded", func() bool { return r.d.Status().InFlight == 0 && r.row("a").LeaseUntil.IsZero() })
		if m := r.row("a"); looksUp && time.Until(m.NextAttempt) < 50*time.Minute {
			t.Errorf("it is looked up at %s, before it has settled", m.NextAttempt)
		}
		if !looksUp {
			r.awaitSettled("a")
		}
	}
}
