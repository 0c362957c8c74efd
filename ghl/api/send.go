package api

import (
	"context"
	"time"

	"ghlsync/ghl"
)

// Send makes GHL do what a request asks for, with as many calls as that takes, and
// waits for the end, at most the timeout. What it looks up it does not look up
// again: a failure on the way ends it, and the caller comes back later. Cancelling
// ctx ends the call under way. MaybeActed is set only if a call that changes an
// appointment may have left.
//
// A crash during Send leaves nothing here; the caller must have written down
// beforehand that the outcome is unknown, and says so with Tried.
func (c *Client) Send(ctx context.Context, r ghl.Request) ghl.Result {
	start := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	t := turn{Client: c.paced(), r: r, body: c.read(r.Body), known: c.read(r.Known)}
	res := t.do(ctx)
	res.Duration = time.Since(start)
	return res
}

// paced is the client for one Send: every request but the first waits for its turn.
func (c *Client) paced() *Client {
	if c.o.Pace == nil {
		return c
	}
	first := true
	return c.Paced(func(ctx context.Context) error {
		if first {
			first = false
			return nil
		}
		if end, bounded := ctx.Deadline(); bounded {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, end.Add(-c.o.Timeout/requestShare))
			defer cancel()
		}
		return c.o.Pace(ctx)
	})
}

// requestShare is the part of the timeout that a request has at least: a quarter. One
// that gets its turn later does not leave. It would be cut on its way, and a create
// be of unknown outcome.
const requestShare = 4

// Paced is the client with requests that each wait for their turn: pace returns
// when one may leave, or with the error of its context. The wait is not bounded by
// the timeout of the request.
func (c *Client) Paced(pace func(context.Context) error) *Client {
	paced := *c
	paced.admit = pace
	return &paced
}

// turn is one Send.
type turn struct {
	*Client
	r     ghl.Request
	body  wanted
	known wanted
}

func (t *turn) do(ctx context.Context) ghl.Result {
	if !t.body.readable || t.r.EventID == "" {
		return permanent(ghl.CodeInvalidRequest)
	}
	if !usableID(t.r.AppointmentID) {
		t.r.AppointmentID = "" // GHL cannot have given it: look for the one that it gave
	}
	if t.r.Operation == ghl.Deleted {
		return t.remove(ctx)
	}
	switch {
	case !t.body.hasTime():
		return permanent(ghl.CodeInvalidTime)
	case t.body.calendarID == "":
		return permanent(ghl.CodeNoCalendar)
	}
	switch t.r.Operation {
	case ghl.Created:
		return t.create(ctx)
	case ghl.Updated:
		return t.update(ctx)
	}
	return permanent(ghl.CodeInvalidRequest)
}

func permanent(code string) ghl.Result { return ghl.Result{Outcome: ghl.Permanent, Code: code} }

// create books the appointment, unless an earlier try has. Of one that went to the
// webhook, before the mode was changed, that cannot be found out.
func (t *turn) create(ctx context.Context) ghl.Result {
	if t.r.Tried {
		found, res := t.find(ctx, t.body, t.known)
		if res.Outcome != ghl.Delivered {
			return res
		}
		if len(found) > 0 {
			res = t.adopt(ctx, found, res)
			if res.Outcome == ghl.NotFound {
				res.Outcome = ghl.Retry // it went between two calls: look again
			}
			return res
		}
		if !t.body.marked {
			return notFound(res, true) // a workflow may have made it, which leaves no marker
		}
	}
	contactID, res := t.contactOf(ctx, t.body.person)
	if res.Outcome != ghl.Delivered {
		return res
	}
	a := t.body.appointment(t.r.EventID)
	a.ContactID, a.Status = contactID, statusConfirmed
	remembered := res.HTTPStatus == 0 // no answer was needed
	_, res = t.CreateAppointment(ctx, a)
	if res.Code == ghl.CodeContactNotFound {
		t.contacts.drop(t.body.person)
		if remembered {
			res.Outcome = ghl.Retry // and look for the contact as it is now
		}
	}
	return res
}

// update sets what we own of the appointment, and leaves its status as it is in
// GHL: 'showed' and 'cancelled' are people's.
func (t *turn) update(ctx context.Context) ghl.Result {
	if t.r.AppointmentID != "" {
		there, res := t.GetAppointment(ctx, t.r.AppointmentID)
		if res.Outcome != ghl.Delivered {
			return res
		}
		return t.put(ctx, there)
	}
	var res ghl.Result
	for _, where := range []wanted{t.body, t.known} {
		if !where.hasTime() {
			continue
		}
		var found []Appointment
		if found, res = t.find(ctx, where); res.Outcome != ghl.Delivered {
			return res
		}
		if len(found) > 0 {
			return t.adopt(ctx, found, res)
		}
	}
	return notFound(res, t.r.Exists)
}

// remove deletes the appointment, or every one that is marked as the event's if
// its id is not known.
func (t *turn) remove(ctx context.Context) ghl.Result {
	if t.r.AppointmentID != "" {
		return t.DeleteAppointment(ctx, t.r.AppointmentID)
	}
	if !t.known.hasTime() && !t.body.hasTime() && (t.r.Exists || t.r.Tried) {
		return permanent(ghl.CodeAppointmentIDUnknown) // there is nowhere to look
	}
	found, res := t.find(ctx, t.known, t.body)
	switch {
	case res.Outcome != ghl.Delivered:
		return res
	case len(found) > 0:
		return t.removeAll(ctx, found)
	}
	return notFound(res, t.r.Exists && !t.r.Tried)
}

// notFound is the end of a look-up that found nothing. What must be there can have
// been moved out of sight, or was made by somebody who leaves no marker.
func notFound(res ghl.Result, mustBe bool) ghl.Result {
	res.Outcome, res.Code = ghl.NotFound, ghl.CodeAppointmentNotFound
	if mustBe {
		res.Outcome, res.Code = ghl.Permanent, ghl.CodeAppointmentIDUnknown
	}
	return res
}

// removeAll ends at the first that does not go. Those that went are not found again.
func (t *turn) removeAll(ctx context.Context, found []Appointment) (res ghl.Result) {
	for _, a := range found {
		res = t.DeleteAppointment(ctx, a.ID)
		if res.Outcome != ghl.Delivered && res.Outcome != ghl.NotFound {
			return res
		}
	}
	return withID(found[len(found)-1].ID, res)
}

// put sends an update with the status that the appointment has.
func (t *turn) put(ctx context.Context, there Appointment) ghl.Result {
	a := t.body.appointment(t.r.EventID)
	a.ID, a.Status = there.ID, settable(there.Status)
	return t.UpdateAppointment(ctx, a)
}

// settable leaves out what GHL shows as a status and does not take for one.
func settable(status string) string {
	switch status {
	case statusNew, statusConfirmed, statusCancelled, statusShowed, statusNoShow, statusInvalid:
		return status
	}
	return ""
}
