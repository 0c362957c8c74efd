package pipeline

import (
	"context"
	"fmt"
	"maps"

	"ghlsync/cdc"
	"ghlsync/state"
	"ghlsync/translator"
)

// apply merges changes into the open transaction, in stream order. It works in
// segments: rows are loaded, merged and saved together, and a segment ends where
// something has to see the rows saved. The clients come first: to ask for them may
// take long, and the state may have one writer.
func (a *Applier) apply(ctx context.Context, changes []cdc.Change) error {
	clients, err := a.clients(ctx, changes)
	if err != nil {
		return err
	}
	if err := a.begin(ctx); err != nil {
		return err
	}
	held, most := a.held, len(changes)
	for len(changes) > 0 {
		if changes[0].Kind == cdc.Truncate {
			if err := a.truncate(ctx, changes[0].Tx); err != nil {
				return err
			}
			changes = changes[1:]
			continue
		}
		n, err := a.segment(ctx, changes[:min(len(changes), most)], clients)
		if err != nil {
			return err
		}
		changes = changes[n:]
		if a.held > held {
			most = aheadPart // it may hold at every second, and what lies behind is loaded each time
		}
	}
	return nil
}

// segment applies changes up to the next truncate, or to where the fuse has held
// something: those rows are no more what was loaded.
func (a *Applier) segment(ctx context.Context, changes []cdc.Change, clients map[string]cdc.Client) (n int, err error) {
	changes = untilTruncate(changes)
	b, err := a.open(ctx, changes, clients)
	if err != nil {
		return 0, err
	}
	t := b.translateAhead(changes)
	defer t.stop()
	for n < len(changes) {
		for _, in := range t.next() {
			ch := &changes[n]
			if a.fuseDue(ch.Tx.CommitTime) {
				if err := b.save(ctx); err != nil {
					return n, err
				}
				before := a.held
				if err := a.blowFuse(ctx); err != nil || a.held > before {
					return n, err
				}
			}
			if err := b.change(ctx, ch, in); err != nil {
				return n, err
			}
			n++
		}
		if err := b.save(ctx); err != nil {
			return n, err
		}
	}
	return n, nil
}

func untilTruncate(changes []cdc.Change) []cdc.Change {
	for i := range changes {
		if changes[i].Kind == cdc.Truncate {
			return changes[:i]
		}
	}
	return changes
}

// open prepares a batch for the changes: the rows they touch and who holds the
// appointments they name, with one question each.
func (a *Applier) open(ctx context.Context, changes []cdc.Change, clients map[string]cdc.Client) (*batch, error) {
	var need needs
	for i := range changes {
		ch := &changes[i]
		need.event(ch.Key)
		if ch.OldKey != "" {
			need.event(ch.OldKey)
		}
		if ch.Kind != cdc.Delete && a.rules.InScope(&ch.Row) {
			need.appointment(ch.Row.Text(cdc.AppointmentID))
		}
	}
	return a.batch(ctx, &need, clients)
}

// clients looks up the clients that the changes need, with one question.
func (a *Applier) clients(ctx context.Context, changes []cdc.Change) (map[string]cdc.Client, error) {
	var need needs
	for i := range changes {
		ch := &changes[i]
		if ch.Kind != cdc.Delete && a.rules.InScope(&ch.Row) {
			need.client(ch.Row.Text(cdc.ClientID), ch.Tx.XID)
		}
	}
	if len(need.clients.list) == 0 {
		return nil, nil
	}
	clients, err := a.source.Clients(ctx, need.xids.list, need.clients.list)
	if err != nil {
		return nil, fmt.Errorf("look up clients: %w", err)
	}
	return clients, nil
}

// change merges one insert, update or delete. in is its translation, which has no
// verdict yet where the stream left values out.
func (b *batch) change(ctx context.Context, ch *cdc.Change, in translator.Intent) error {
	superseded := false
	if in.Verdict == 0 {
		var err error
		if in, superseded, err = b.completed(ctx, ch); err != nil {
			return err
		}
	}
	base := state.Change{
		Source:      state.Stream,
		Version:     state.Version{Epoch: b.a.cp.Epoch, LSN: ch.Tx.CommitLSN},
		CommittedAt: ch.Tx.CommitTime,
		Inserted:    ch.Kind == cdc.Insert,
		// Before an insert the id was not there, so there is nothing to remember.
		Remember: ch.Kind != cdc.Insert && b.a.junction.remember.Load(),
	}
	if ch.OldKey != "" {
		old := base
		old.ID, old.Wanted = state.EventID(ch.OldKey), state.Absent
		b.merge(old)
	}
	if superseded {
		return nil
	}
	return b.want(ctx, base, in)
}

// completed translates a change that the stream left values out of. superseded
// says that the row is gone from the source: the change that removed it follows
// in the stream.
func (b *batch) completed(ctx context.Context, ch *cdc.Change) (in translator.Intent, superseded bool, err error) {
	if b.complete(ch) {
		return b.a.rules.Change(ch, b.client(&ch.Row)), false, nil
	}
	row, found, err := b.a.source.EventRow(ctx, ch.Tx.XID, ch.Key)
	if err != nil {
		return in, false, fmt.Errorf("read event %s, of which the stream left values out: %w", ch.Key, err)
	}
	if !found {
		return in, true, nil
	}
	whole := *ch
	whole.Row = row
	if err := b.addClient(ctx, &row, ch.Tx.XID); err != nil {
		return in, false, err
	}
	return b.a.rules.Change(&whole, b.client(&row)), false, nil
}

// complete fills what an UPDATE did not touch from the payload of the version
// before it, and reports whether the row is whole, or is not needed: it is out
// of scope, or older than what the state has.
func (b *batch) complete(ch *cdc.Change) bool {
	if _, p := ch.Row.Get(cdc.Type); p == cdc.Value && !b.a.rules.InScope(&ch.Row) {
		return true
	}
	before := ch.Key
	if ch.OldKey != "" {
		before = ch.OldKey
	}
	m := b.rows[state.EventID(before)]
	if m == nil || m.Wanted != state.Present || m.Payload == nil {
		return false
	}
	at := state.Version{Epoch: b.a.cp.Epoch, LSN: ch.Tx.CommitLSN}
	return translator.Fill(&ch.Row, m.Payload) || at.Before(m.Version)
}

// addClient looks up the client of a row that was read from the source.
func (b *batch) addClient(ctx context.Context, row *cdc.Row, xid uint32) error {
	id := row.Text(cdc.ClientID)
	if _, known := b.clients[id]; known || !b.a.rules.InScope(row) {
		return nil
	}
	found, err := b.a.source.Clients(ctx, []uint32{xid}, []string{id})
	if err != nil {
		return fmt.Errorf("look up client: %w", err)
	}
	// A copy: the goroutine that translates ahead reads the map.
	clients := make(map[string]cdc.Client, len(b.clients)+len(found))
	maps.Copy(clients, b.clients)
	maps.Copy(clients, found)
	b.clients = clients
	return nil
}

// truncate retracts every event that is wanted.
func (a *Applier) truncate(ctx context.Context, tx *cdc.Tx) error {
	if a.fuseDue(tx.CommitTime) {
		if err := a.blowFuse(ctx); err != nil {
			return err
		}
	}
	a.junction.truncated(tx.CommitLSN)
	version := state.Version{Epoch: a.cp.Epoch, LSN: tx.CommitLSN}
	return a.retractAll(ctx, state.Filter{Wanted: state.Present}, state.Change{
		Source: state.Stream, Version: version, CommittedAt: tx.CommitTime, Wanted: state.Absent,
	})
}

const retractPage = 1000

// retractAll applies one retraction to every mapping that the filter selects.
func (a *Applier) retractAll(ctx context.Context, f state.Filter, change state.Change) error {
	var after state.EventID
	for {
		rows, err := a.tx.Page(ctx, f, after, retractPage)
		if err != nil {
			return fmt.Errorf("page mappings: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		after = rows[len(rows)-1].ID
		b := a.batchOf(rows)
		for _, m := range rows {
			change.ID = m.ID
			b.merge(change)
		}
		if err := b.save(ctx); err != nil {
			return err
		}
	}
}
