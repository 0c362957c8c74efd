package calendars

import (
	"context"
	"fmt"
	"time"

	"ghlsync/state"
)

// mend is what is to be done to one row: to that of an event, or to a new one for
// an orphan.
type mend struct {
	was *state.Mapping // the event's row when it was judged; without a revision if there was none
	// appointmentID is to be free; "" if the mend takes none.
	appointmentID string
	orphan        bool // the appointment is one of the event's
	do            func(m *state.Mapping, now time.Time) (retired string, changed bool)
}

// holds reports whether the row is as it was judged, so that the mend is true.
func (m mend) holds(row *state.Mapping) bool {
	if row == nil {
		return m.was.Revision == 0
	}
	return row.Call == nil && row.Revision == m.was.Revision && row.UpdatedAt.Equal(m.was.UpdatedAt)
}

// mend puts one off until there are enough for a transaction.
func (r *run) mend(ctx context.Context, m mend) error {
	if r.o.DryRun {
		return nil
	}
	r.mending = append(r.mending, m)
	if len(r.mending) < page {
		return nil
	}
	return r.flush(ctx)
}

// flush mends in one transaction. A row that has changed since it was judged is
// left alone: the next comparison judges it again.
func (r *run) flush(ctx context.Context) error {
	if len(r.mending) == 0 {
		return nil
	}
	tx, err := r.Store.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing, and else an error came before
	ids, appointments := make([]state.EventID, 0, len(r.mending)), []string{}
	for _, m := range r.mending {
		ids = append(ids, m.was.ID)
		if m.appointmentID != "" {
			appointments = append(appointments, m.appointmentID)
		}
		if m.orphan {
			ids = append(ids, state.OrphanID(m.appointmentID))
		}
	}
	rows, err := tx.Load(ctx, ids)
	if err != nil {
		return fmt.Errorf("load mappings: %w", err)
	}
	taken, err := tx.Taken(ctx, appointments)
	if err != nil {
		return fmt.Errorf("look up appointment ids: %w", err)
	}
	now := r.Now()
	orphans := false
	for _, m := range r.mending {
		if _, held := taken[m.appointmentID]; held && !m.orphan {
			continue
		}
		if holder := taken[m.appointmentID]; holder != "" && m.orphan {
			continue // somebody has come to stand for it
		}
		row, err := r.apply(ctx, tx, m, rows, now)
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		orphans = orphans || m.orphan
		if err := tx.Save(ctx, row); err != nil {
			return fmt.Errorf("save a mapping: %w", err)
		}
	}
	if orphans {
		held, err := state.BlowFuse(ctx, tx, now, r.Fuse, now)
		if err != nil {
			return err
		}
		r.report.Held += held
	}
	if err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	r.mending = r.mending[:0]
	r.Changed()
	return nil
}

// apply gives the row to save; nil if there is none.
func (r *run) apply(ctx context.Context, tx state.Tx, m mend, rows map[state.EventID]*state.Mapping, now time.Time) (*state.Mapping, error) {
	row := rows[m.was.ID]
	if !m.holds(row) {
		return nil, nil
	}
	if m.orphan {
		if rows[state.OrphanID(m.appointmentID)] != nil {
			return nil, nil // it is on its way out already
		}
		return state.NewOrphan(m.appointmentID, m.was, now), nil
	}
	retired, changed := m.do(row, now)
	if !changed {
		return nil, nil
	}
	if retired != "" {
		if err := tx.Retire(ctx, row.ID, retired, now); err != nil {
			return nil, fmt.Errorf("retire an appointment id: %w", err)
		}
	}
	return row, nil
}
