package deliver

import (
	"context"
	"time"

	"ghlsync/ghl"
	"ghlsync/state"
)

// call is a claimed call: committed as in flight, and owned by the worker that
// takes it. Its request's body belongs to nobody else any more.
type call struct {
	id            state.EventID
	eventType     string
	operation     state.Operation
	request       ghl.Request
	appointmentID string
	committedAt   time.Time
	leaseUntil    time.Time
}

// ended is a call with its result. It is kept until it is recorded.
type ended struct {
	*call
	result  ghl.Result
	started time.Time
	at      time.Time
	// unsent: the call never left. Either a stop came first, or the commit of the
	// claim failed; if that took effect all the same, the row is leased for nothing.
	unsent bool
}

// unsent is the end of a claimed call that does not leave.
func (c *call) unsent(now time.Time) ended {
	return ended{call: c, result: unsentResult, started: now, at: now, unsent: true}
}

func operationOf(op state.Operation) ghl.Operation {
	switch op {
	case state.Create:
		return ghl.Created
	case state.Update:
		return ghl.Updated
	default:
		return ghl.Deleted
	}
}

func newCall(m *state.Mapping) *call {
	return &call{
		id:            m.ID,
		eventType:     m.EventType,
		operation:     m.Call.Operation,
		appointmentID: m.AppointmentID,
		committedAt:   m.CommittedAt,
		leaseUntil:    m.LeaseUntil,
		request: ghl.Request{
			Operation:  operationOf(m.Call.Operation),
			EventID:    string(m.ID),
			DeliveryID: m.Call.DeliveryID,
			Body:       m.Call.Body,

			AppointmentID: m.AppointmentID,
			Tried:         m.Call.Before == state.GHLUnknown,
			Exists:        m.Call.Operation == state.Update || m.Call.Before == state.GHLPresent,
			Known:         m.Known,
		},
	}
}

// encode builds the body of a new call. A repeated one has its own.
func (b *books) encode(op state.Operation, m *state.Mapping) []byte {
	return b.o.Encode(operationOf(op), string(m.ID), m.AppointmentID, m.Payload)
}

// work makes calls until the books are closed. After a stop it gives back those
// that were claimed ahead of it: one may take as long as the stop waits for all. A
// crash here leaves the row leased with the exact call in it.
func (d *Deliverer) work() {
	for c := range d.calls {
		if d.isStopping() {
			d.ended <- c.unsent(d.now())
			continue
		}
		d.ended <- d.send(c)
	}
}

// leaseReserve is how long before its lease a call ends at the latest.
const leaseReserve = time.Second

// send makes one call. It ends before the lease does, so that nobody repeats it
// while it is still under way.
func (d *Deliverer) send(c *call) ended {
	started := d.now()
	ctx, cancel := context.WithTimeout(d.callCtx, min(d.o.Timeout, c.leaseUntil.Sub(started)-leaseReserve))
	defer cancel()
	d.logTrigger(c)
	result := d.o.Sender.Send(ctx, c.request)
	return ended{call: c, result: result, started: started, at: d.now()}
}
