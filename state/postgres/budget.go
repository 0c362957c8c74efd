package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// takeSQL takes whole tokens only, of which $3 seconds worth are there at most. The
// clock is read again where another's take was waited for.
const takeSQL = `WITH budget AS MATERIALIZED (SELECT spent_until, clock_timestamp() AS now FROM delivery_budget WHERE id = 1 FOR UPDATE),
	level AS (SELECT now, greatest(spent_until, now - $3 * interval '1 second') AS spent FROM budget),
	taken AS (SELECT now, spent, greatest(0, least($1::float8, floor(extract(epoch FROM now - spent)::float8 * $2 + 0.001))) AS n FROM level)
	UPDATE delivery_budget SET spent_until = spent + n / $2 * interval '1 second' FROM taken WHERE id = 1
	RETURNING n::int, extract(epoch FROM spent + (n + 1) / $2 * interval '1 second' - now)::float8`

// TakeTokens takes up to n tokens of the bucket that all who share the state take
// from; it fills with perSecond and holds burst at most, by the server's clock. wait
// is how long it takes until the next is there.
//
// The commit is not waited for until it is durable. No call leaves on a token before
// its own Tx is, and that is written behind this.
func (s *Store) TakeTokens(ctx context.Context, n int, perSecond float64, burst int) (taken int, wait time.Duration, err error) {
	var b pgx.Batch
	b.Queue("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
	b.Queue("SET LOCAL synchronous_commit = off")
	var seconds float64
	b.Queue(takeSQL, float64(n), perSecond, float64(burst)/perSecond).QueryRow(func(row pgx.Row) error {
		return row.Scan(&taken, &seconds)
	})
	b.Queue("COMMIT")
	// Those who wait for a Tx of ours may have all connections for writing.
	if err := s.pool.SendBatch(ctx, &b).Close(); err != nil {
		return 0, 0, failing(ctx, "take of the rate", err)
	}
	return taken, time.Duration(max(seconds, 0) * float64(time.Second)), nil
}
