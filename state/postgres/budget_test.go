package postgres_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state/postgres"
)

// However many take at once, and from however many daemons, they never have more
// than the rate lets through, and what nobody takes is no more than burst.
func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	const perSecond, burst, want = 200, 20, 150
	db := pgtest.DatabaseWithoutSchema(t)
	stores := []*postgres.Store{openAt(t, db.URL, postgres.Options{}), openAt(t, db.URL, postgres.Options{})}
	began := time.Now()
	var total, refused atomic.Int64
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			for n := 1; total.Load() < want; n++ {
				taken, wait, err := stores[i%2].TakeTokens(t.Context(), n%4+1, perSecond, burst)
				if err != nil || taken > n%4+1 {
					t.Errorf("took %d of %d, %v", taken, n%4+1, err)
					return
				}
				now := total.Add(int64(taken))
				if most := burst + perSecond*time.Since(began).Seconds(); float64(now) > most {
					t.Errorf("%d are taken where %.1f are there", now, most)
					return
				}
				if taken == 0 {
					refused.Add(1)
					if wait <= 0 || wait > 2*time.Second/perSecond {
						t.Errorf("the next token is %s away", wait)
					}
				}
			}
		})
	}
	all.Wait()
	if refused.Load() == 0 {
		t.Error("nobody ever had to wait")
	}
	db.Exec(t, "update ghlsync.delivery_budget set spent_until = now() - interval '1 day'")
	if taken, _, err := stores[0].TakeTokens(t.Context(), 1000, 0.001, burst); taken != burst || err != nil {
		t.Errorf("after a day, %d tokens, %v", taken, err)
	}
	if taken, wait, err := stores[1].TakeTokens(t.Context(), 1, 0.001, burst); taken != 0 || err != nil || wait < 900*time.Second || wait > 1000*time.Second {
		t.Errorf("then %d, the next in %s, %v", taken, wait, err)
	}
}
