package inbound

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/callback"
	"ghlsync/state"
)

// Report applies a workflow's report.
func (in *Inbound) Report(ctx context.Context, r callback.Report) (Result, error) {
	return in.within(ctx, func(tx state.Tx) (Result, error) {
		id := state.EventID(r.EventID)
		rows, err := tx.Load(ctx, []state.EventID{id})
		if err != nil {
			return "", fmt.Errorf("load the mapping: %w", err)
		}
		m := rows[id]
		switch {
		case m == nil:
			return UnknownEvent, nil
		case r.Failed:
			return in.fail(ctx, tx, m, r)
		case r.AppointmentID == "" || r.Operation == ghl.Deleted:
			return Noted, nil // the end of the call says as much
		default:
			return in.learn(ctx, tx, m, r)
		}
	})
}

// learn gives the appointment to the mapping, or to nobody.
func (in *Inbound) learn(ctx context.Context, tx state.Tx, m *state.Mapping, r callback.Report) (Result, error) {
	if res, err := standing(ctx, tx, m, r.AppointmentID); err != nil || res != "" {
		return res, err
	}
	former, err := in.former(ctx, m, r.CreatedAt)
	if err != nil {
		return "", err
	}
	spare := m.Wanted == state.Absent && m.AppointmentID != "" && m.Hold != state.Held && m.Hold != state.Kept
	switch {
	case former || spare:
		return in.orphan(ctx, tx, m, r.AppointmentID)
	case !m.Learn(in.now(), r.AppointmentID):
		return Differs, nil
	}
	if err := tx.Save(ctx, m); err != nil {
		return "", fmt.Errorf("save the mapping: %w", err)
	}
	return Learned, nil
}

// standing tells how the state knows the appointment already; "" if it does not.
func standing(ctx context.Context, tx state.Tx, m *state.Mapping, appointmentID string) (Result, error) {
	taken, err := tx.Taken(ctx, []string{appointmentID})
	if err != nil {
		return "", fmt.Errorf("look the appointment up: %w", err)
	}
	holder, known := taken[appointmentID]
	switch {
	case !known:
		return "", nil
	case holder == m.ID, holder == state.OrphanID(appointmentID):
		return Known, nil
	case holder == "":
		return Retired, nil
	default:
		return Taken, nil
	}
}

// attemptsToLookAt is more calls than one event has in a month.
const attemptsToLookAt = 1000

// former reports whether an appointment that was made for an event created at
// that time belongs to a former event of the same id. That needs both: it was made
// from another event than the one that is wanted, or being made, and that
// other one was deleted in GHL since. Without a deletion the appointment went over
// to the event that is there now. The audit of calls tells; it is read while the row
// is locked, so no call of the event ends meanwhile.
func (in *Inbound) former(ctx context.Context, m *state.Mapping, created time.Time) (bool, error) {
	if created.IsZero() {
		return false, nil
	}
	compared := false
	for _, known := range madeFrom(m) {
		if known.IsZero() {
			continue
		}
		if known.Equal(created) {
			return false, nil
		}
		compared = true
	}
	if !compared {
		return false, nil
	}
	lines, err := in.o.Store.Attempts(ctx, m.ID, attemptsToLookAt)
	if err != nil {
		return false, fmt.Errorf("read the audit: %w", err)
	}
	for _, a := range lines {
		if a.Operation == state.Delete && !a.StartedAt.Before(created) {
			return true, nil
		}
	}
	return false, nil
}

// madeFrom is when the events were created that an appointment of the mapping can
// have been made from: the one that is wanted, and that of a create which is open.
func madeFrom(m *state.Mapping) (times []time.Time) {
	if m.Wanted == state.Present {
		created, _ := stamps(m.Payload)
		times = append(times, created)
	}
	if m.Call != nil && m.Call.Operation == state.Create {
		var body struct {
			Data json.RawMessage `json:"event_data"`
		}
		if json.Unmarshal(m.Call.Body, &body) == nil {
			created, _ := stamps(body.Data)
			times = append(times, created)
		}
	}
	return times
}

// stamps reads the two timestamps of the guide's event_data; zero where there is
// none.
func stamps(eventData []byte) (created, updated time.Time) {
	var data struct {
		Created *time.Time `json:"created_at"`
		Updated *time.Time `json:"updated_at"`
	}
	if len(eventData) == 0 || json.Unmarshal(eventData, &data) != nil {
		return created, updated
	}
	if data.Created != nil {
		created = data.Created.UTC()
	}
	if data.Updated != nil {
		updated = data.Updated.UTC()
	}
	return created, updated
}

// orphan records that the appointment is to be deleted.
func (in *Inbound) orphan(ctx context.Context, tx state.Tx, m *state.Mapping, appointmentID string) (Result, error) {
	now := in.now()
	if err := tx.Save(ctx, state.NewOrphan(appointmentID, m, now)); err != nil {
		return "", fmt.Errorf("save the orphan: %w", err)
	}
	held, err := state.BlowFuse(ctx, tx, now, in.o.Fuse, now)
	if err != nil {
		return "", fmt.Errorf("look at the delete fuse: %w", err)
	}
	if held > 0 {
		in.o.Log.Error("delete fuse has blown: retractions are held until they are released or dropped",
			slog.Int("held", held), slog.Int("fuse", in.o.Fuse))
	}
	return Orphaned, nil
}

// operations are the state's names of the calls.
var operations = map[ghl.Operation]state.Operation{
	ghl.Created: state.Create, ghl.Updated: state.Update, ghl.Deleted: state.Delete,
}

// fail parks the event, if the report is about what is wanted now.
func (in *Inbound) fail(ctx context.Context, tx state.Tx, m *state.Mapping, r callback.Report) (Result, error) {
	if !current(m, r) {
		return Stale, nil
	}
	if r.Code == ghl.CodeAppointmentNotFound || r.Code == ghl.CodeNotFound {
		switch r.Operation {
		case ghl.Deleted:
			return Noted, nil // then it is done
		case ghl.Updated:
			m.NoteDrift(in.now(), state.DriftDeleted, 0)
			if res, err := in.restore(ctx, tx, m, Gone); err != nil || res != "" {
				return res, err
			}
		}
	}
	f := state.Failure{Operation: operations[r.Operation], Code: r.Code}
	if r.AppointmentID != "" {
		switch res, err := standing(ctx, tx, m, r.AppointmentID); {
		case err != nil:
			return "", err
		case res == "", res == Retired:
			f.AppointmentID = r.AppointmentID
		}
	}
	if !m.Fail(in.now(), f) {
		return Stale, nil
	}
	if err := tx.Save(ctx, m); err != nil {
		return "", fmt.Errorf("save the mapping: %w", err)
	}
	return Parked, nil
}

// current reports whether a report of a failure is about what is wanted now: by
// the updated_at that the workflow was given, or, for a deletion, which carries
// none, by the operation.
func current(m *state.Mapping, r callback.Report) bool {
	if m.Wanted == state.Absent || r.Operation == ghl.Deleted {
		return m.Wanted == state.Absent && r.Operation == ghl.Deleted
	}
	created, updated := stamps(m.Payload)
	if updated.IsZero() || !updated.Equal(r.UpdatedAt) {
		return false
	}
	return r.CreatedAt.IsZero() || created.Equal(r.CreatedAt)
}
