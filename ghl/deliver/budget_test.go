package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// gauge is a sender that fails the test when more calls have left, from whomever,
// than the rate lets through.
type gauge struct {
	t     *testing.T
	began time.Time
	sent  atomic.Int64
}

const (
	gaugeRate  = 100
	gaugeBurst = 5
)

func (g *gauge) Send(context.Context, ghl.Request) ghl.Result {
	sent := g.sent.Add(1)
	if most := gaugeBurst + gaugeRate*time.Since(g.began).Seconds(); float64(sent) > most {
		g.t.Errorf("%d calls have left where the rate lets through %.1f", sent, most)
	}
	return ghl.Result{Outcome: ghl.Delivered, HTTPStatus: 200}
}

// deliverer works on a state of its own connections, as another daemon does.
func deliverer(t *testing.T, url string, sender deliver.Sender) (*deliver.Deliverer, *postgres.Store) {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := deliver.New(deliver.Options{
		Store: store.Delivery(), Sender: sender, Budget: store, Now: store.Now, Rate: gaugeRate, Burst: gaugeBurst, Concurrency: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := errors.Join(d.Stop(ctx), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return d, store
}

// Two that deliver from one state keep to one rate together, with the requests that
// calls take beyond their first.
func TestRateIsShared(t *testing.T) {
	t.Parallel()
	const events, further = 120, 20
	db := pgtest.DatabaseWithoutSchema(t)
	g := &gauge{t: t, began: time.Now()}
	one, store := deliverer(t, db.URL, g)
	two, _ := deliverer(t, db.URL, g)
	backlog(t, store, events)
	one.Wake()
	two.Wake()
	for range further {
		if err := two.Pace(t.Context()); err != nil {
			t.Fatal(err)
		}
		g.Send(t.Context(), ghl.Request{})
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for g.sent.Load() < events+further {
		if err := errors.Join(one.Ping(ctx), two.Ping(ctx)); err != nil {
			t.Fatalf("%d calls have left: %v", g.sent.Load(), err)
		}
	}
	for _, d := range []*deliver.Deliverer{one, two} {
		if d.Status().PerSecond == 0 {
			t.Error("one of both has sent nothing")
		}
	}
}

// backlog makes events wanted, as capture does.
func backlog(t *testing.T, store state.Store, events int) {
	t.Helper()
	tx, err := store.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	for n := range events {
		m, _ := state.Merge(nil, state.Change{
			ID: state.EventID(fmt.Sprint(n)), Version: state.Version{Epoch: 1, LSN: 1}, Wanted: state.Present, Payload: []byte(`{}`), Hash: "h",
		}, time.Now().UTC().Add(-time.Second))
		if err := tx.Save(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// failingBudget stands for a state that cannot be reached.
type failingBudget struct{ asked atomic.Int64 }

func (b *failingBudget) TakeTokens(context.Context, int, float64, int) (int, time.Duration, error) {
	if b.asked.Add(1) > 2 {
		return 1, 0, nil
	}
	return 0, 0, errors.New("no connection")
}

// While nobody can tell what is left of the rate, nothing is sent; then it goes on.
func TestBudgetFails(t *testing.T) {
	t.Parallel()
	b, s := &failingBudget{}, &script{}
	r := newRig(t, s.into, func(r *rig) { r.o.Budget, r.o.Rate = b, rate.Limit(1000) })
	r.start()
	r.change(r.present("a", "title"))
	r.awaitSettled("a")
	if b.asked.Load() < 3 || len(s.sent()) != 1 {
		t.Errorf("asked %d times, sent %d", b.asked.Load(), len(s.sent()))
	}
}
