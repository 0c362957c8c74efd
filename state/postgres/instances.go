package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/state"
)

var (
	_ state.Shared  = (*Store)(nil)
	_ state.Members = (*Reader)(nil)
)

// forgetAfter is how long a daemon that went without a farewell is shown.
const forgetAfter = time.Minute

// instanceName, with its id behind it, is the name of a daemon's connections.
const instanceName = "ghlsync state "

// attendSQL is one statement, so that it is one commit. The lease goes to whoever
// has it or finds it over; of two who do the second waits for the first's row and
// then finds it taken. A daemon that froze within a transaction would keep all others
// waiting: who is not seen for as long as a lease lasts has it ended.
const attendSQL = `WITH present AS (
		INSERT INTO instances (id, version, http_addr, started_at, last_seen)
		VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp())
		ON CONFLICT (id) DO UPDATE SET http_addr = excluded.http_addr, last_seen = excluded.last_seen),
	gone AS (DELETE FROM instances WHERE last_seen < clock_timestamp() - $4 * interval '1 microsecond' AND id <> $1),
	others AS MATERIALIZED (SELECT EXISTS (SELECT FROM instances
		WHERE id <> $1 AND last_seen > clock_timestamp() - $6 * interval '1 microsecond') AS here),
	yielded AS (DELETE FROM capture_lease WHERE instance_id = $1 AND NOT $5 AND (SELECT here FROM others)),
	taken AS (
		INSERT INTO capture_lease AS lease (id, instance_id, until)
		SELECT 1, $1, clock_timestamp() + $6 * interval '1 microsecond' WHERE $5 OR NOT (SELECT here FROM others)
		ON CONFLICT (id) DO UPDATE SET instance_id = excluded.instance_id, until = excluded.until
			WHERE lease.instance_id = excluded.instance_id OR lease.until < clock_timestamp()
		RETURNING 1)
	SELECT EXISTS (SELECT FROM taken), (SELECT count(pg_terminate_backend(pid))
		FROM pg_stat_activity AS a JOIN instances AS i ON a.application_name = $7 || i.id
		WHERE a.usename = current_user AND a.xact_start IS NOT NULL AND i.id <> $1
			AND i.last_seen < clock_timestamp() - $6 * interval '1 microsecond')`

// Attend implements state.Shared.
func (s *Store) Attend(ctx context.Context, self state.Instance, capture bool) (captures bool, err error) {
	var ended int
	err = s.beats.QueryRow(ctx, attendSQL, storable(self.ID), storable(self.Version), storable(self.HTTPAddr),
		forgetAfter.Microseconds(), capture, state.CaptureLease.Microseconds(), instanceName).Scan(&captures, &ended)
	return captures, failing(ctx, "attend", err)
}

// Leave implements state.Shared.
func (s *Store) Leave(ctx context.Context, id string) error {
	_, err := s.beats.Exec(ctx, `WITH yielded AS (DELETE FROM capture_lease WHERE instance_id = $1)
		DELETE FROM instances WHERE id = $1`, storable(id))
	return failing(ctx, "leave", err)
}

// Instances implements state.Members.
func (r *Reader) Instances(ctx context.Context) ([]state.Instance, error) {
	rows, err := r.pool.Query(ctx, `SELECT i.id, version, http_addr, started_at, last_seen,
			last_seen > clock_timestamp() - $1 * interval '1 microsecond',
			coalesce(until > clock_timestamp(), false)
		FROM instances AS i LEFT JOIN capture_lease AS c ON c.instance_id = i.id ORDER BY started_at, i.id`,
		state.GoneAfter.Microseconds())
	if err != nil {
		return nil, failing(ctx, "list the instances", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i state.Instance, err error) {
		err = row.Scan(&i.ID, &i.Version, &i.HTTPAddr, &i.StartedAt, &i.LastSeen, &i.Alive, &i.Capturer)
		i.StartedAt, i.LastSeen = i.StartedAt.UTC(), i.LastSeen.UTC()
		return i, err
	})
	return all, failing(ctx, "list the instances", err)
}
