package cdc

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// openQuery lists transactions that have an id, oldest first, as far as the role
// may see them: pg_locks shows who holds the id of a transaction to everybody,
// pg_stat_activity shows its age only to the same role or a monitor. Query texts
// are left alone.
const openQuery = `
SELECT pid, gid, state, age FROM (
  SELECT coalesce(l.pid, 0) AS pid, '' AS gid, coalesce(a.state, '') AS state,
         coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8 AS age
  FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
  WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
    AND l.pid IS NOT NULL AND l.pid NOT IN (pg_backend_pid(), $1::int)
  UNION ALL
  SELECT 0, gid, 'prepared', extract(epoch FROM clock_timestamp() - prepared)::float8 FROM pg_prepared_xacts) open
ORDER BY age DESC, pid LIMIT 5`

func (s *Source) openTransactions(ctx context.Context, besides uint32) ([]OpenTransaction, error) {
	rows, err := s.look.query(ctx, openQuery, strconv.FormatUint(uint64(besides), 10))
	if err != nil {
		return nil, fmt.Errorf("list open transactions: %w", err)
	}
	open := make([]OpenTransaction, 0, len(rows))
	for _, r := range rows {
		pid, err := strconv.Atoi(r.text(0))
		if err != nil {
			return nil, fmt.Errorf("list open transactions: %w", err)
		}
		age, err := strconv.ParseFloat(r.text(3), 64)
		if err != nil {
			return nil, fmt.Errorf("list open transactions: %w", err)
		}
		open = append(open, OpenTransaction{PID: pid, GID: r.text(1), State: r.text(2), Age: time.Duration(age * float64(time.Second))})
	}
	return open, nil
}

func describeOpen(open []OpenTransaction) string {
	if len(open) == 0 {
		return "none that this role can see; ask a superuser to look at pg_stat_activity and pg_prepared_xacts"
	}
	parts := make([]string, len(open))
	for i, t := range open {
		if t.GID != "" {
			parts[i] = fmt.Sprintf("prepared transaction %q", t.GID)
		} else {
			parts[i] = fmt.Sprintf("server process %d", t.PID)
			if t.State != "" {
				parts[i] += " (" + t.State + ")"
			}
		}
		if t.Age > 0 {
			parts[i] += " for " + t.Age.Round(time.Second).String()
		}
	}
	return strings.Join(parts, ", ") + "; end them (COMMIT or ROLLBACK PREPARED, pg_terminate_backend) or wait, and start again"
}
