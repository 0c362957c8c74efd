package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"ghlsync/state"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Daemons of two versions share a state while one after the other is upgraded: a
// migration leaves to the version before what that uses. It adds tables, and columns
// that have defaults; what is not used any more goes one version later. So a state
// that is one migration ahead is taken as it is.

// latestSchema is the number of the last migration. Those that package sqlite has
// too have the same numbers there, up to the fourth.
const latestSchema = 7

// migrate brings the schema up to date. Of several daemons that start at once one
// does it, and the others wait. Each migration is one transaction: a crash in
// between leaves the version before and frees the lock, and the next start goes on.
func migrate(ctx context.Context, pool *pgxpool.Pool) (err error) {
	if current, err := schemaVersion(ctx, pool); err != nil || current >= latestSchema {
		return errors.Join(err, checkSchema(current))
	}
	// The lock is a session's, beside the pool that the migrations use. It goes with it.
	conn, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", lockSpace, lockMigration); err != nil {
		return fmt.Errorf("wait for another daemon's migration: %w", err)
	}
	current, err := schemaVersion(ctx, pool) // that daemon may have been a newer one
	if err != nil || current >= latestSchema {
		return errors.Join(err, checkSchema(current))
	}
	if err := createSchema(ctx, conn); err != nil {
		return err
	}
	return up(ctx, pool)
}

// createSchema asks first: a role without the right to create one may use one that
// was made for it.
func createSchema(ctx context.Context, conn *pgx.Conn) error {
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", schema).Scan(&there); err != nil || there {
		return err
	}
	if _, err := conn.Exec(ctx, "CREATE SCHEMA "+schema); err != nil {
		return fmt.Errorf("create the schema of the state (or let its owner do it: create schema %s authorization <the role of STATE_URL>): %w", schema, err)
	}
	return nil
}

func up(ctx context.Context, pool *pgxpool.Pool) (err error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	db := stdlib.OpenDBFromPool(pool)
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := goose.NewProvider(goose.DialectPostgres, db, dir,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// schemaVersion is 0 where no migration was made yet.
func schemaVersion(ctx context.Context, pool *pgxpool.Pool) (version int64, err error) {
	var known bool
	err = pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", schema+".goose_db_version").Scan(&known)
	if err != nil || !known {
		return 0, err
	}
	err = pool.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	return version, err
}

func checkSchema(current int64) error {
	if current > latestSchema+1 {
		return fmt.Errorf("%w: it has schema %d, this program knows %d: start the newer ghlsync again, or set STATE_URL to another database",
			state.ErrNewerSchema, current, latestSchema)
	}
	return nil
}

// checkCurrent is for those who only read: they cannot bring a state up to date.
func checkCurrent(ctx context.Context, pool *pgxpool.Pool) error {
	current, err := schemaVersion(ctx, pool)
	switch {
	case err != nil:
		return fmt.Errorf("read the state's schema version: %w", err)
	case current == 0:
		return fmt.Errorf("there is no state in schema %s of this database yet: start the daemon, or set STATE_URL to its database: %w", schema, fs.ErrNotExist)
	case current < latestSchema:
		return fmt.Errorf("%w: it has schema %d, this program reads %d: start the daemon, which brings it up to date",
			state.ErrOlderSchema, current, latestSchema)
	}
	return checkSchema(current)
}
