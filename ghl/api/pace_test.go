package api

import (
	"context"
	"testing"
	"time"

	"ghlsync/ghl"
)

// A request that got its turn at the last moment would be cut on its way, and a
// create be of unknown outcome for nothing.
func TestTurnLeavesTimeForTheRequest(t *testing.T) {
	t.Parallel()
	d := newDouble(t, on(byEmail, 200, someone))
	o := options(d.url)
	o.Timeout = time.Hour
	end := time.Now().Add(o.Timeout)
	o.Pace = func(ctx context.Context) error {
		if until, ok := ctx.Deadline(); !ok || end.Sub(until) < o.Timeout/5 {
			t.Errorf("the turn may come %s before the end", end.Sub(until))
		}
		return context.DeadlineExceeded
	}
	c := newClient(t, o)
	if res := c.Send(t.Context(), request(c, ghl.Created, nil)); res.Code != ghl.CodeRateWait || res.Outcome != ghl.Retry {
		t.Errorf("%+v", res)
	}
}

// Outside of a Send every request waits, for as long as it takes.
func TestPaced(t *testing.T) {
	t.Parallel()
	d := newDouble(t, on(get+"a", 200, `{"id":"a"}`))
	var turns int
	c := newClient(t, options(d.url)).Paced(func(ctx context.Context) error {
		if _, bounded := ctx.Deadline(); bounded {
			t.Error("the wait is bounded by the time-out of the request")
		}
		if turns++; turns == 2 {
			return context.Canceled
		}
		return nil
	})
	if a, res := c.GetAppointment(t.Context(), "a"); a.ID != "a" || res.Outcome != ghl.Delivered {
		t.Errorf("%+v, %+v", a, res)
	}
	if _, res := c.GetAppointment(t.Context(), "a"); res.Outcome != ghl.Retry || res.Code != ghl.CodeInterrupted {
		t.Errorf("%+v", res)
	}
}
