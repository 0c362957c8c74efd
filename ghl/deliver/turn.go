package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ghlsync/state"
)

// turn is one round of book-keeping: record what ended, claim what is due,
// commit, and only then let the claimed calls leave. A crash before the commit
// leaves everything as it was, with the calls that ended still leased; a crash
// behind it finds the claimed ones as of unknown outcome.
func (b *books) turn(ctx context.Context) error {
	tx, err := b.o.Store.Begin(ctx)
	if err != nil {
		return fmt.Errorf("begin delivery's transaction: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing, and else an error came before
	b.takeEnded()       // those that ended while the store was busy
	now := b.now()
	reports, err := b.record(ctx, tx, now)
	if err != nil {
		return err
	}
	claimed, err := b.claim(ctx, tx, now)
	if err != nil {
		return err
	}
	if len(reports)+claimed.rows > 0 {
		if err := tx.Commit(ctx); err != nil {
			b.unclaim(claimed.calls, now)
			return fmt.Errorf("commit delivery's transaction: %w", err)
		}
	}
	b.turnTime += (b.now().Sub(now) - b.turnTime) / 8
	b.dueAt = claimed.due
	b.unrecorded = b.unrecorded[:0]
	b.leave(now, claimed.calls)
	b.tempo.count(now, len(reports))
	b.report(reports)
	return nil
}

// unclaim is for a failed commit: the calls do not leave. Should the commit have
// taken effect all the same, their rows are leased for nothing; recording them
// as never sent gives them back.
func (b *books) unclaim(claimed []*call, now time.Time) {
	for _, c := range claimed {
		b.unrecorded = append(b.unrecorded, c.unsent(now))
	}
}

// leave hands claimed calls to the workers. It does not block: the channel holds
// as many calls as may be in flight.
func (b *books) leave(now time.Time, claimed []*call) {
	if len(claimed) == 0 {
		return
	}
	// Room has looked, but requests of calls under way may have taken some since: the
	// next ones wait for what is overdrawn.
	b.limiter.ReserveN(now, len(claimed))
	b.inFlight += len(claimed)
	for _, c := range claimed {
		b.gate.left(c.request.DeliveryID)
		b.calls <- c
	}
	b.publish()
}

// report is what is known of an ended call once it is recorded.
type report struct {
	ended
	next   time.Time // of the next attempt; zero if none is scheduled
	parked string
}

// record writes the end of calls into their rows. A call that is not the one in
// flight of its row any more (its commit took effect although it failed, so it
// is recorded already) changes nothing.
func (b *books) record(ctx context.Context, tx state.Tx, now time.Time) ([]report, error) {
	if len(b.unrecorded) == 0 {
		return nil, nil
	}
	ids := make([]state.EventID, len(b.unrecorded))
	for i, e := range b.unrecorded {
		ids[i] = e.id
	}
	rows, err := tx.Load(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("load called events: %w", err)
	}
	if err := b.disbelieve(ctx, tx, rows); err != nil {
		return nil, err
	}
	var (
		reports  = make([]report, 0, len(b.unrecorded))
		changed  = make([]*state.Mapping, 0, len(b.unrecorded))
		attempts = make([]state.Attempt, 0, len(b.unrecorded))
	)
	for _, e := range b.unrecorded {
		r := report{ended: e}
		if m := rows[e.id]; b.isInFlight(m, e) {
			retired := m.Finish(now, b.resultFor(m, e))
			if retired != "" {
				if err := tx.Retire(ctx, m.ID, retired, now); err != nil {
					return nil, fmt.Errorf("retire an appointment id: %w", err)
				}
			}
			changed = append(changed, m)
			if !e.unsent {
				attempts = append(attempts, attemptOf(e))
			}
			r.next, r.parked, r.appointmentID = m.NextAttempt, m.Parked, known(m.AppointmentID, retired)
		}
		reports = append(reports, r)
	}
	if err := tx.Save(ctx, changed...); err != nil {
		return nil, fmt.Errorf("save called events: %w", err)
	}
	if err := tx.Record(ctx, attempts...); err != nil {
		return nil, fmt.Errorf("record calls: %w", err)
	}
	return reports, nil
}

// isInFlight reports whether e is the end of the call that the row has in flight.
func (b *books) isInFlight(m *state.Mapping, e ended) bool {
	return m != nil && m.Holds(b.o.Owner, e.request.DeliveryID, e.leaseUntil)
}

func known(id, otherwise string) string {
	if id == "" {
		return otherwise
	}
	return id
}

func attemptOf(e ended) state.Attempt {
	return state.Attempt{
		EventID:    e.id,
		Operation:  e.operation,
		DeliveryID: e.request.DeliveryID,
		StartedAt:  e.started,
		Duration:   e.result.Duration,
		HTTPStatus: e.result.HTTPStatus,
		Outcome:    e.result.Outcome.String(),
		Code:       e.result.Code,
	}
}

// lockedWait is how long to leave rows that are due but locked by somebody else.
const lockedWait = 100 * time.Millisecond

// reservedWait is how long to leave rows that are due and can wait for another
// day. What cannot comes with a wake-up.
const reservedWait = 10 * time.Second

// claims is what one turn claimed.
type claims struct {
	calls []*call
	rows  int       // written
	more  bool      // rows were left that were due
	due   time.Time // when to look again; zero: nothing is scheduled
}

// claim leases as many due events as may be called now.
func (b *books) claim(ctx context.Context, tx state.Tx, now time.Time) (c claims, err error) {
	room := b.room(now)
	if room > 0 {
		if err := b.lease(ctx, tx, now, room, &c); err != nil {
			return c, err
		}
	}
	if room <= 0 || c.more {
		// There may be more, as soon as there is room. To find the next one takes as
		// long as there are events that are due.
		c.due = now
		return c, nil
	}
	if !b.reserved(now).IsZero() {
		c.due = now.Add(reservedWait)
		return c, nil
	}
	if c.due, err = tx.NextDue(ctx); err != nil {
		return c, fmt.Errorf("find the next due event: %w", err)
	}
	if reached(now, c.due) {
		c.due = now.Add(lockedWait)
	}
	return c, nil
}

// lease records the calls of up to room due events as in flight.
func (b *books) lease(ctx context.Context, tx state.Tx, now time.Time, room int, c *claims) error {
	rows, err := tx.Due(ctx, state.Due{Now: now, Limit: room, From: b.today(now), Before: b.reserved(now)})
	if err != nil {
		return fmt.Errorf("find due events: %w", err)
	}
	may, err := b.spend(ctx, now, len(rows))
	if err != nil {
		return err
	}
	c.more = may < len(rows) || len(rows) == room // in which case there may be
	rows = rows[:may]
	for _, m := range rows {
		switch err := m.Begin(now, b.caller); {
		case errors.Is(err, state.ErrNothingDue):
			m.NextAttempt = time.Time{} // else it would be found due for ever
		case err != nil:
			return fmt.Errorf("begin a call: %w", err)
		default:
			c.calls = append(c.calls, newCall(m))
		}
	}
	c.rows = len(rows)
	if err := tx.Save(ctx, rows...); err != nil {
		return fmt.Errorf("save claimed events: %w", err)
	}
	return nil
}
