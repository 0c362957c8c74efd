package deliver

import (
	"context"
	"fmt"

	"ghlsync/ghl"
	"ghlsync/state"
)

// disbelieve forgets the appointment ids that GHL names for one event although
// another has them: an edit of the one would change the other's appointment, and
// its deletion delete it. What stays is a call that was delivered without an id.
func (b *books) disbelieve(ctx context.Context, tx state.Tx, rows map[state.EventID]*state.Mapping) error {
	var news []string
	for _, e := range b.unrecorded {
		if m, id := rows[e.id], e.result.AppointmentID; m != nil && id != "" && id != m.AppointmentID {
			news = append(news, id)
		}
	}
	if len(news) == 0 {
		return nil
	}
	holders, err := tx.Taken(ctx, news)
	if err != nil {
		return fmt.Errorf("look up appointment ids: %w", err)
	}
	for i := range b.unrecorded {
		e := &b.unrecorded[i]
		id := e.result.AppointmentID
		if id == "" {
			continue
		}
		switch holder := holders[id]; {
		case holder == "" || holder == e.id:
			holders[id] = e.id
		case b.o.LooksUp && state.IsOrphan(holder) && b.isInFlight(rows[e.id], *e):
			if err := b.spare(ctx, tx, rows, holder, e); err != nil {
				return err
			}
			holders[id] = e.id
		default:
			b.log.Warn(msgDisbelieved, keyEvent, string(e.id), keyAppointment, id)
			e.result.AppointmentID = ""
		}
	}
	return nil
}

// spare gives up an orphan whose appointment a look-up has found for its event:
// the event has it from here on. If its deletion has left, nobody knows whether it
// is there; the event then looks again.
func (b *books) spare(ctx context.Context, tx state.Tx, rows map[state.EventID]*state.Mapping, orphan state.EventID, e *ended) error {
	if rows[orphan] == nil { // else its deletion has just ended
		loaded, err := tx.Load(ctx, []state.EventID{orphan})
		if err != nil {
			return fmt.Errorf("load an orphan: %w", err)
		}
		if m := loaded[orphan]; m != nil && m.Spare(b.now()) {
			if err := tx.Save(ctx, m); err != nil {
				return fmt.Errorf("save an orphan: %w", err)
			}
			return nil
		}
	}
	e.result = ghl.Result{
		Outcome: ghl.Retry, Code: ghl.CodeAppointmentNotFound, MaybeActed: true,
		HTTPStatus: e.result.HTTPStatus, Duration: e.result.Duration,
	}
	return nil
}
