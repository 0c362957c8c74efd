package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// latestSchema is the number of the last migration.
const latestSchema = 5

// migrate brings the schema up to date. Each migration is one transaction: a
// crash in between leaves the version before, and the next start goes on.
func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir,
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// schemaVersion is 0 for a file that no migration has reached yet.
func schemaVersion(ctx context.Context, db *sql.DB) (int64, error) {
	var known bool
	err := db.QueryRowContext(ctx,
		"SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'goose_db_version'").Scan(&known)
	if err != nil || !known {
		return 0, err
	}
	var version int64
	err = db.QueryRowContext(ctx,
		"SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied").Scan(&version)
	return version, err
}
