package inbound

import (
	"context"
	"fmt"
	"time"

	"ghlsync/ghl/callback"
	"ghlsync/state"
)

// ownEcho is how long after one of our calls GHL's word of a change is taken to be
// about that call: it names no cause. A person's change of the same appointment
// within that time passes unseen.
const ownEcho = 2 * time.Minute

// Change applies a marketplace app's word on an appointment.
func (in *Inbound) Change(ctx context.Context, c callback.Change) (Result, error) {
	drift := state.DriftChanged
	switch c.Kind {
	case callback.Updated:
	case callback.Deleted:
		drift = state.DriftDeleted
	default:
		return Ignored, nil
	}
	return in.within(ctx, func(tx state.Tx) (Result, error) {
		m, res, err := holder(ctx, tx, c.AppointmentID)
		if m == nil || err != nil {
			return res, err
		}
		news := m.NoteDrift(in.now(), drift, ownEcho)
		if in.o.Restore {
			if res, err := in.restore(ctx, tx, m, Restored); err != nil || res != "" {
				return res, err
			}
		}
		if !news {
			return Known, nil
		}
		if err := tx.Save(ctx, m); err != nil {
			return "", fmt.Errorf("save the mapping: %w", err)
		}
		return Drifted, nil
	})
}

// holder loads the mapping that has the appointment; nil, and why, if none has.
func holder(ctx context.Context, tx state.Tx, appointmentID string) (*state.Mapping, Result, error) {
	taken, err := tx.Taken(ctx, []string{appointmentID})
	if err != nil {
		return nil, "", fmt.Errorf("look the appointment up: %w", err)
	}
	id, known := taken[appointmentID]
	if !known {
		return nil, UnknownEvent, nil
	}
	if id == "" {
		return nil, Retired, nil
	}
	rows, err := tx.Load(ctx, []state.EventID{id})
	if err != nil {
		return nil, "", fmt.Errorf("load the mapping: %w", err)
	}
	return rows[id], UnknownEvent, nil
}

// restore has a drifted mapping mended, and saves it. It gives "" where there is
// nothing to mend, or a call is under way that has to end first.
func (in *Inbound) restore(ctx context.Context, tx state.Tx, m *state.Mapping, as Result) (Result, error) {
	now := in.now()
	retired, restored := m.Restore(now)
	if !restored {
		return "", nil
	}
	if retired != "" {
		if err := tx.Retire(ctx, m.ID, retired, now); err != nil {
			return "", fmt.Errorf("retire an appointment id: %w", err)
		}
	}
	if err := tx.Save(ctx, m); err != nil {
		return "", fmt.Errorf("save the mapping: %w", err)
	}
	return as, nil
}
