package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"ghlsync/state"
)

var _ state.Searcher = (*Reader)(nil)

// Search implements state.Searcher.
func (r *Reader) Search(ctx context.Context, f state.Filter, after state.EventID, limit, rows int) ([]*state.Mapping, state.EventID, error) {
	var last string
	err := r.pool.QueryRow(ctx, "SELECT sentra_event_id FROM ghl_sync_mappings WHERE sentra_event_id > $1 ORDER BY sentra_event_id OFFSET $2 LIMIT 1",
		storable(string(after)), rows-1).Scan(&last)
	switch {
	case errors.Is(err, pgx.ErrNoRows): // there are fewer
	case err != nil:
		return nil, "", failing(ctx, "search mappings", err)
	}
	query, args := listSQL(f, after, state.EventID(last), limit)
	found, err := mappings(ctx, r.pool, query, args...)
	return found, state.EventID(last), failing(ctx, "search mappings", err)
}

// HasAppointment implements state.Searcher.
func (r *Reader) HasAppointment(ctx context.Context, appointmentID string) (state.EventID, error) {
	var id string
	err := r.pool.QueryRow(ctx, "SELECT sentra_event_id FROM ghl_sync_mappings WHERE ghl_appointment_id = $1 LIMIT 1", storable(appointmentID)).Scan(&id)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("%w: none has the appointment %q", state.ErrNotFound, appointmentID)
	}
	return state.EventID(id), failing(ctx, "look an appointment up", err)
}
