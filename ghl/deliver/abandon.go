package deliver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"ghlsync/ghl"
	"ghlsync/state"
)

// abandoned is the audit line of a call whose maker is gone: it may have left, and
// how long it took nobody knows.
func abandoned(m *state.Mapping) state.Attempt {
	return state.Attempt{
		EventID:    m.ID,
		Operation:  m.Call.Operation,
		DeliveryID: m.Call.DeliveryID,
		StartedAt:  m.Call.StartedAt,
		Outcome:    ghl.Unknown.String(),
		Code:       state.CodeInterrupted,
	}
}

// abandonBatch is how many calls of a dead process one transaction ends.
const abandonBatch = 500

// abandonEvery is how often calls of dead processes are looked for where several
// work on one store.
const abandonEvery = 2 * time.Second

// abandon ends, as of unknown outcome, the calls that dead processes left.
func (b *books) abandon(ctx context.Context) error {
	b.abandonAt = b.now().Add(abandonEvery)
	total := 0
	for {
		n, err := b.abandonSome(ctx)
		if err != nil {
			return err
		}
		total += n
		if n < abandonBatch {
			if total > 0 {
				b.dueAt = b.now()
				b.log.Warn(msgAbandoned, keyCalls, total, keySettle, b.o.Settle)
			}
			return nil
		}
	}
}

func (b *books) abandonSome(ctx context.Context) (int, error) {
	tx, err := b.o.Store.Begin(ctx)
	if err != nil {
		return 0, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing, and else an error came before
	now := b.now()
	// A dead process has no future: leases that have not run out are included.
	rows, err := tx.Leased(ctx, now.AddDate(100, 0, 0), abandonBatch)
	if err != nil {
		return 0, fmt.Errorf("find leased events: %w", err)
	}
	if rows, err = b.left(ctx, rows); err != nil || len(rows) == 0 {
		return 0, err
	}
	lines := make([]state.Attempt, 0, len(rows))
	for _, m := range rows {
		lines = append(lines, abandoned(m))
		m.Abandon(now, b.o.Settle)
	}
	if err := tx.Save(ctx, rows...); err != nil {
		return 0, fmt.Errorf("save abandoned events: %w", err)
	}
	if err := tx.Record(ctx, lines...); err != nil {
		return 0, fmt.Errorf("record abandoned calls: %w", err)
	}
	if err := tx.Commit(ctx); err != nil {
		return 0, fmt.Errorf("commit: %w", err)
	}
	return len(rows), nil
}

// left returns the rows whose calls' makers are gone. A lease that ran out is not
// enough: its owner may have its end in hand, and wait for the store. One that only
// hung, and goes on later, finds that its calls are not the ones in flight any more
// ([books.isInFlight]). Who lives is asked when the leases are known, since whoever
// leased has told of himself before.
func (b *books) left(ctx context.Context, rows []*state.Mapping) ([]*state.Mapping, error) {
	if b.o.Living == nil || len(rows) == 0 {
		return rows, nil
	}
	living, known, err := b.o.Living(ctx)
	if err != nil {
		return nil, fmt.Errorf("find out whose calls are left: %w", err)
	}
	return slices.DeleteFunc(rows, func(m *state.Mapping) bool {
		return !known || m.LeaseOwner == b.o.Owner || slices.Contains(living, m.LeaseOwner)
	}), nil
}
