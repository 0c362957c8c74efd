package pipeline

import (
	"context"
	"fmt"

	"ghlsync/cdc"
	"ghlsync/state"
	"ghlsync/translator"
)

// batch is a set of rows loaded from the open transaction, on their way back.
type batch struct {
	a       *Applier
	clients map[string]cdc.Client
	rows    map[state.EventID]*state.Mapping
	touched map[state.EventID]bool
	dirty   []*state.Mapping
	taken   map[string]state.EventID // holders of appointment ids; "" is retired
	asked   map[string]bool          // appointment ids that taken answers for
	// differs, where set, is told of every row that changes, and what was wanted
	// before. Rows of which only the version would move are left as they are then.
	differs func(m *state.Mapping, was state.Wanted)
}

// batch loads what the changes need.
func (a *Applier) batch(ctx context.Context, need *needs, clients map[string]cdc.Client) (*batch, error) {
	rows, err := a.tx.Load(ctx, need.events.list)
	if err != nil {
		return nil, fmt.Errorf("load mappings: %w", err)
	}
	b := &batch{a: a, clients: clients, rows: rows, touched: make(map[state.EventID]bool, len(need.events.list))}
	return b, b.ask(ctx, need.appointments.list)
}

// batchOf is a batch of rows that are loaded already and need nothing else.
func (a *Applier) batchOf(rows []*state.Mapping) *batch {
	b := &batch{a: a, rows: make(map[state.EventID]*state.Mapping, len(rows)), touched: make(map[state.EventID]bool)}
	for _, m := range rows {
		b.rows[m.ID] = m
	}
	return b
}

// client returns the row's client, nil if there is none.
func (b *batch) client(row *cdc.Row) *cdc.Client { return clientOf(b.clients, row) }

func clientOf(clients map[string]cdc.Client, row *cdc.Row) *cdc.Client {
	c, ok := clients[row.Text(cdc.ClientID)]
	if !ok {
		return nil
	}
	return &c
}

// want merges a translated row. base has what is the same for all verdicts.
func (b *batch) want(ctx context.Context, base state.Change, in translator.Intent) error {
	base.ID = state.EventID(in.ID)
	base.EventType = in.EventType
	switch in.Verdict {
	case translator.Retract:
		base.Wanted = state.Absent
	case translator.Park:
		base.Wanted, base.Parked = state.Present, in.Reason
	case translator.Upsert:
		base.Wanted, base.Payload, base.Hash, base.StartsAt = state.Present, in.Payload, in.Hash, in.StartsAt
	}
	if in.AppointmentID != "" && base.Wanted == state.Present {
		free, err := b.free(ctx, in.AppointmentID, base.ID)
		if err != nil {
			return err
		}
		if free {
			base.AppointmentID, base.Echo = in.AppointmentID, in.Echo
		}
	}
	b.merge(base)
	return nil
}

// merge applies one change to its row and remembers what there is to save.
func (b *batch) merge(c state.Change) {
	was := state.Absent
	if known := b.rows[c.ID]; known != nil {
		was = known.Wanted
	}
	m, effect := state.Merge(b.rows[c.ID], c, b.a.now())
	if effect == state.Ignored || effect == state.Advanced && b.differs != nil {
		return
	}
	if b.differs != nil {
		b.differs(m, was)
	}
	b.rows[c.ID] = m
	if !b.touched[c.ID] {
		b.touched[c.ID] = true
		b.dirty = append(b.dirty, m)
	}
	if m.AppointmentID != "" && m.AppointmentID == c.AppointmentID && b.taken != nil {
		b.taken[m.AppointmentID] = m.ID
	}
	if effect == state.Changed && m.Retracted && b.a.fusAt.IsZero() {
		b.a.fusAt = c.CommittedAt
	}
}

// free reports whether the event may take the appointment id: no other mapping
// has it, and it is not one that is gone from GHL.
func (b *batch) free(ctx context.Context, appointmentID string, id state.EventID) (bool, error) {
	if m := b.rows[id]; m != nil && m.AppointmentID != "" {
		return false, nil // it has one; nothing is taken over
	}
	if !b.asked[appointmentID] {
		if err := b.ask(ctx, []string{appointmentID}); err != nil {
			return false, err
		}
	}
	holder, taken := b.taken[appointmentID]
	return !taken || holder == id, nil
}

func (b *batch) ask(ctx context.Context, appointmentIDs []string) error {
	if len(appointmentIDs) == 0 {
		return nil
	}
	taken, err := b.a.tx.Taken(ctx, appointmentIDs)
	if err != nil {
		return fmt.Errorf("look up appointment ids: %w", err)
	}
	if b.asked == nil {
		b.asked, b.taken = make(map[string]bool), make(map[string]state.EventID)
	}
	for _, id := range appointmentIDs {
		b.asked[id] = true
	}
	for id, holder := range taken {
		b.taken[id] = holder
	}
	return nil
}

func (b *batch) save(ctx context.Context) error {
	if len(b.dirty) == 0 {
		return nil
	}
	if err := b.a.tx.Save(ctx, b.dirty...); err != nil {
		return fmt.Errorf("save mappings: %w", err)
	}
	b.a.dirty = true
	b.dirty = b.dirty[:0]
	clear(b.touched)
	return nil
}

// needs collects, without doubles, what a batch has to ask for.
type needs struct {
	events       set[state.EventID]
	clients      set[string]
	appointments set[string]
	xids         set[uint32]
}

func (n *needs) event(id string) { n.events.add(state.EventID(id)) }

func (n *needs) client(id string, xid uint32) {
	if id == "" {
		return
	}
	n.clients.add(id)
	n.xids.add(xid)
}

func (n *needs) appointment(id string) {
	if id != "" {
		n.appointments.add(id)
	}
}

type set[T comparable] struct {
	list []T
	seen map[T]struct{}
}

func (s *set[T]) add(v T) {
	if _, ok := s.seen[v]; ok {
		return
	}
	if s.seen == nil {
		s.seen = make(map[T]struct{})
	}
	s.seen[v] = struct{}{}
	s.list = append(s.list, v)
}
