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
	id       state.EventID
	revision int64
	// appointmentID is to be free; "" if the mend takes none.
	appointmentID string
	do            func(m *state.Mapping, now time.Time) (retired string, changed bool)
	of            *state.Mapping // whose orphan it is
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
		ids = append(ids, m.id)
		if m.appointmentID != "" {
			appointments = append(appointments, m.appointmentID)
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
		if _, held := taken[m.appointmentID]; held && m.of == nil {
			continue
		}
		if holder := taken[m.appointmentID]; holder != "" && m.of != nil {
			continue // somebody has come to stand for it
		}
		row, err := r.apply(ctx, tx, m, rows[m.id], now)
		if err != nil {
			return err
		}
		if row == nil {
			continue
		}
		orphans = orphans || m.of != nil
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
func (r *run) apply(ctx context.Context, tx state.Tx, m mend, row *state.Mapping, now time.Time) (*state.Mapping, error) {
	if m.of != nil {
		if row != nil {
			return nil, nil // it is on its way out already
		}
		return state.NewOrphan(m.appointmentID, m.of, now), nil
	}
	if row == nil || row.Revision != m.revision || row.Call != nil && row.Call.State != state.Rejected {
		return nil, nil
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
