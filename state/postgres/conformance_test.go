package postgres_test

import (
	"context"
	"testing"

	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
	"ghlsync/state/statetest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// The contract holds for both kinds of transactions.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, as := range map[string]func(*postgres.Store) state.Store{
		"alone":      func(s *postgres.Store) state.Store { return s },
		"deliveries": (*postgres.Store).Delivery,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			statetest.Run(t, func(t *testing.T) statetest.Open {
				db := pgtest.DatabaseWithoutSchema(t)
				return func(ctx context.Context) (state.Store, error) {
					s, err := postgres.Open(ctx, db.URL, postgres.Options{})
					if err != nil {
						return nil, err
					}
					return as(s), nil
				}
			})
		})
	}
}
