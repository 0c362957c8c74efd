package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const bulk = `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
	SELECT $1::text || '-' || i, 1 + i % 3, 'Bulk', '2030-05-01', '2030-05-01', '10:00', '11:00', 'onboarding'
	FROM generate_series($2::int, $3::int - 1) i`

// commotion is load of which any part may hit an event that the daemon does not
// know.
type commotion struct {
	stop      atomic.Bool
	workers   sync.WaitGroup
	truncates atomic.Int64 // so many may still come
}

// commotion starts workers on the events with this prefix and a number below n.
func (r *rig) commotion(seed uint64, prefix string, n int) *commotion {
	r.t.Helper()
	c := &commotion{}
	for worker := range uint64(2) {
		conn, random := r.db.Conn(r.t), rand.New(rand.NewPCG(seed, worker))
		c.workers.Go(func() {
			for !c.stop.Load() {
				err := c.act(r.t.Context(), conn, random, fmt.Sprintf("%s-%d", prefix, random.IntN(n)))
				if r.t.Context().Err() != nil {
					return
				}
				if err != nil {
					r.t.Errorf("load, seed %d: %v", seed, err)
					return
				}
			}
		})
	}
	r.t.Cleanup(c.end)
	return c
}

func (c *commotion) end() {
	c.stop.Store(true)
	c.workers.Wait()
}

func (c *commotion) act(ctx context.Context, conn *pgx.Conn, random *rand.Rand, id string) error {
	sql := `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		VALUES ($1, 1, 'Load', '2030-01-01', '2030-01-01', '09:00', '10:00', 'handover') ON CONFLICT (id) DO NOTHING`
	switch random.IntN(8) {
	case 0, 1, 2:
		sql = "DELETE FROM calendar_events WHERE id = $1"
	case 3:
		sql = "UPDATE calendar_events SET title = title || '+' WHERE id = $1"
	case 4:
		sql = "UPDATE calendar_events SET type = CASE type WHEN 'onboarding' THEN 'firstdraft' ELSE 'onboarding' END WHERE id = $1"
	case 5:
		sql = "UPDATE calendar_events SET id = id || '-renamed' WHERE id = $1"
	case 6:
		if c.truncates.Load() > 0 && random.IntN(100) == 0 && c.truncates.Add(-1) >= 0 {
			_, err := conn.Exec(ctx, "TRUNCATE calendar_events")
			return err
		}
	}
	_, err := conn.Exec(ctx, sql, id)
	if refused := (*pgconn.PgError)(nil); errors.As(err, &refused) && refused.Code == "23505" {
		return nil // renamed to one that is there
	}
	return err
}
