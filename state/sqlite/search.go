package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"ghlsync/state"
)

var _ state.Searcher = (*Reader)(nil)

// fewPending is up to how many pending mappings are found by the indexes of what they
// wait for, which takes tenths of a second then. With more of them, a page is soon full
// in the order of ids.
const fewPending = 200_000

// Search implements state.Searcher.
func (r *Reader) Search(ctx context.Context, f state.Filter, after state.EventID, limit, rows int) ([]*state.Mapping, state.EventID, error) {
	few, err := r.fewPending(ctx, f)
	if err != nil {
		return nil, "", r.fail("read the counts", err)
	}
	if few {
		found, err := mappings(ctx, r.db, pendingQuery, string(after), limit)
		return found, "", r.fail("list what is pending", err)
	}
	var upTo string
	err = r.db.QueryRowContext(ctx, boundQuery, string(after), rows-1).Scan(&upTo)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, "", r.fail("find the end of a part", err)
	}
	found, err := listUpTo(ctx, r.db, f, after, state.EventID(upTo), limit)
	return found, state.EventID(upTo), r.fail("search mappings", err)
}

// boundQuery reads the index of ids alone.
const boundQuery = "SELECT sentra_event_id FROM ghl_sync_mappings WHERE sentra_event_id > ? ORDER BY sentra_event_id LIMIT 1 OFFSET ?"

// pendingQuery finds them where they are: a pending mapping is scheduled, leased or
// held. The sign keeps the planner from the order of ids, which visits all others;
// without one of the indexes the query fails rather than to read everything.
var pendingQuery = "SELECT " + columnList + ` FROM ghl_sync_mappings WHERE rowid IN (
		SELECT rowid FROM ghl_sync_mappings INDEXED BY ghl_sync_mappings_due WHERE next_attempt_at IS NOT NULL
		UNION SELECT rowid FROM ghl_sync_mappings INDEXED BY ghl_sync_mappings_lease WHERE lease_until IS NOT NULL
		UNION SELECT rowid FROM ghl_sync_mappings INDEXED BY ghl_sync_mappings_attention WHERE hold = 'held')
	AND +sentra_event_id > ? AND sync_status = 'pending' AND assumed = 0 ORDER BY +sentra_event_id LIMIT ?`

// fewPending tells whether f asks for what is pending, and nothing else, and that is
// little.
func (r *Reader) fewPending(ctx context.Context, f state.Filter) (bool, error) {
	if f != (state.Filter{Listed: true, Status: state.Pending}) {
		return false, nil
	}
	c, err := r.Counts(ctx)
	return c.Pending <= fewPending, err
}

// HasAppointment implements state.Searcher.
func (r *Reader) HasAppointment(ctx context.Context, appointmentID string) (state.EventID, error) {
	var id string
	err := r.db.QueryRowContext(ctx, appointmentQuery, appointmentID).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("%w: none has the appointment %q", state.ErrNotFound, appointmentID)
	}
	return state.EventID(id), r.fail("look an appointment up", err)
}

const appointmentQuery = "SELECT sentra_event_id FROM ghl_sync_mappings WHERE ghl_appointment_id = ? LIMIT 1"
