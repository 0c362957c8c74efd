package dump_test

import (
	"context"
	"path/filepath"
	"testing"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
	"ghlsync/state/sqlite"
	"ghlsync/state/statetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func inSQLite(t *testing.T) statetest.Open {
	path := filepath.Join(t.TempDir(), "state.db")
	return func(ctx context.Context) (state.Store, error) { return sqlite.Open(ctx, path, sqlite.Options{}) }
}

func inPostgres(t *testing.T) statetest.Open {
	db := pgtest.DatabaseWithoutSchema(t)
	return func(ctx context.Context) (state.Store, error) {
		return postgres.Open(ctx, db.URL, postgres.Options{Alone: true})
	}
}

// Within one backend the conformance suite moves them.
func TestFromOneBackendToAnother(t *testing.T) {
	t.Parallel()
	t.Run("SQLite to Postgres", func(t *testing.T) { t.Parallel(); statetest.Move(t, inSQLite, inPostgres) })
	t.Run("Postgres to SQLite", func(t *testing.T) { t.Parallel(); statetest.Move(t, inPostgres, inSQLite) })
}
