package trend

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/state"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var began = time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)

func call(outcome ghl.Outcome, op state.Operation, took time.Duration) deliver.Event {
	return deliver.Event{Operation: op, Result: ghl.Result{Outcome: outcome}, CommittedAt: began, Ended: began.Add(took)}
}

func near(got, want time.Duration) bool {
	return math.Abs(float64(got-want)) <= 0.1*float64(want)
}

func TestPoint(t *testing.T) {
	t.Parallel()
	now := began
	r := New(func() time.Time { return now })
	for i := range 100 {
		took := 200 * time.Millisecond
		if i >= 98 {
			took = 40 * time.Second
		}
		r.Observe(call(ghl.Delivered, state.Create, took))
	}
	r.Observe(call(ghl.NotFound, state.Delete, time.Hour)) // done, but nothing was delivered
	r.Observe(call(ghl.Retry, state.Update, time.Hour))
	r.Observe(call(ghl.Unknown, state.Update, time.Hour))
	now = now.Add(10 * time.Second)
	lag := int64(7)
	r.Close(3, &lag)
	now = now.Add(Step)
	r.Close(-1, nil)
	points, next := r.Since(0)
	if len(points) != 2 || next != 2 {
		t.Fatalf("%d points, next %d", len(points), next)
	}
	p := points[0]
	if !near(p.P50, 200*time.Millisecond) || !near(p.P99, 40*time.Second) {
		t.Errorf("p50 %s, p99 %s", p.P50, p.P99)
	}
	if p.Delivered != 10.1 || p.Failed != 0.2 || p.Queue != 3 || *p.Lag != 7 || !p.At.Equal(began.Add(10*time.Second)) {
		t.Errorf("point %+v", p)
	}
	if q := points[1]; q.P50 != 0 || q.P99 != 0 || q.Delivered != 0 || q.Failed != 0 || q.Queue != -1 || q.Lag != nil {
		t.Errorf("an idle point has %+v", q)
	}
}

func TestOldPointsGo(t *testing.T) {
	t.Parallel()
	now := began
	r := New(func() time.Time { return now })
	for i := range int64(Points + 5) {
		now = now.Add(Step)
		r.Close(i, nil)
	}
	points, next := r.Since(0)
	if len(points) != Points || points[0].Queue != 5 || points[Points-1].Queue != Points+4 {
		t.Errorf("%d points from %d on", len(points), points[0].Queue)
	}
	now = now.Add(Step)
	r.Close(1234, nil)
	if points, _ = r.Since(next); len(points) != 1 || points[0].Queue != 1234 {
		t.Errorf("since the last look: %+v", points)
	}
}

func TestQuantilesOfAnyDuration(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{time.Millisecond, 37 * time.Millisecond, time.Second, time.Minute, 47 * time.Hour} {
		var h histogram
		h.add(d)
		if got := h.quantile(0.99); !near(got, d) {
			t.Errorf("%s is told as %s", d, got)
		}
	}
	var h histogram
	h.add(-time.Hour) // clocks differ
	h.add(10000 * time.Hour)
	if low, high := h.quantile(0.5), h.quantile(0.99); low > 2*time.Millisecond || high < 48*time.Hour {
		t.Errorf("outside of the bins: %s and %s", low, high)
	}
}

func TestStartSamples(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := New(time.Now)
		r.Start(func(context.Context) (int64, *int64) { return 9, nil })
		<-time.After(3*Step + time.Second) // of the test's own clock
		r.Stop()
		if points, _ := r.Since(0); len(points) != 3 || points[2].Queue != 9 {
			t.Errorf("points %+v", points)
		}
	})
	New(time.Now).Stop()
}
