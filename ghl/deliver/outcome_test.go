package deliver

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"ghlsync/ghl"
)

// A refused call waits for its backoff, or for as long as GHL asked for if that is
// longer; one that we cut does not wait.
func TestRefusedCallsWait(t *testing.T) {
	t.Parallel()
	b := &books{Deliverer: &Deliverer{o: Options{RetryBase: time.Second, RetryCap: time.Minute}}, dice: newDice(1)}
	at := time.Date(2026, 1, 15, 9, 0, 0, 0, time.UTC)
	waits := func(r ghl.Result) (least, most time.Duration) {
		least = time.Hour
		for range 500 {
			wait := b.retryAt(4, ended{result: r, at: at}).Sub(at)
			least, most = min(least, wait), max(most, wait)
		}
		return least, most
	}
	for name, c := range map[string]struct {
		result      ghl.Result
		least, most time.Duration
	}{
		"refused":             {refused, 0, 8 * time.Second},
		"asked to wait":       {askedToWait, 7 * time.Second, 8 * time.Second},
		"asked to wait long":  {ghl.Result{Outcome: ghl.Retry, HTTPStatus: 503, RetryAfter: time.Hour}, time.Hour, time.Hour},
		"cut before it left":  {ghl.Result{Outcome: ghl.Retry, Code: ghl.CodeInterrupted}, 0, 0},
		"cut, asked to wait ": {ghl.Result{Outcome: ghl.Retry, Code: ghl.CodeInterrupted, RetryAfter: time.Hour}, 0, 0},
	} {
		least, most := waits(c.result)
		if least < c.least || least > c.least+time.Second || most > c.most || most < c.most-time.Second {
			t.Errorf("%s: waits go from %s to %s, want %s to %s", name, least, most, c.least, c.most)
		}
	}
}

// deadlines is a Sender that tells how long it may take.
type deadlines chan time.Time

func (d deadlines) Send(ctx context.Context, _ ghl.Request) ghl.Result {
	at, _ := ctx.Deadline()
	d <- at
	return delivered
}

// 4: a call ends a while before its lease does, however long it had to wait for a worker.
func TestCallEndsWithinItsLease(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ timeout, lease, want time.Duration }{
		"the time-out comes first": {time.Minute, time.Hour, time.Minute},
		"the lease ends first":     {time.Minute, 3 * time.Second, 3*time.Second - leaseReserve},
		"the lease has ended":      {time.Minute, -time.Second, -time.Second - leaseReserve},
	} {
		sender := make(deadlines, 1)
		d := &Deliverer{
			o: Options{Sender: sender, Timeout: c.timeout}, log: slog.New(slog.DiscardHandler), now: time.Now, callCtx: t.Context(),
		}
		begin := time.Now()
		d.send(&call{leaseUntil: begin.Add(c.lease)})
		if at := <-sender; at.Before(begin.Add(c.want)) || at.After(time.Now().Add(c.want)) {
			t.Errorf("%s: it may take until %s from now, want %s", name, at.Sub(begin), c.want)
		}
	}
}
