package api

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"ghlsync/ghl"
)

// around is how far from the time that was sent an appointment is looked for:
// people move one by hours, and a zone that was set wrongly does.
const around = 24 * time.Hour

// find gives the appointments that are marked as the event's, around the times of
// the given bodies in their calendars and in every configured one, oldest first.
// Anything but Delivered says nothing of what is there and is to be repeated: no
// create may follow from a look-up that failed.
func (t *turn) find(ctx context.Context, bodies ...wanted) ([]Appointment, ghl.Result) {
	res := ghl.Result{Outcome: ghl.Delivered}
	byID := make(map[string]Appointment)
	for _, p := range t.places(bodies) {
		var list []Appointment
		if list, res = t.ListEvents(ctx, p.calendarID, p.from, p.to); res.Outcome != ghl.Delivered {
			return nil, again(res)
		}
		for _, a := range list {
			a, failed := t.described(ctx, a, bodies)
			if failed != nil {
				return nil, again(*failed)
			}
			if event, ok := ghl.MarkedEvent(a.Description); ok && event == t.r.EventID {
				a.CalendarID = cmp.Or(a.CalendarID, p.calendarID)
				byID[a.ID] = a
			}
		}
	}
	found := make([]Appointment, 0, len(byID))
	for _, a := range byID {
		found = append(found, a)
	}
	slices.SortFunc(found, func(a, b Appointment) int {
		return cmp.Or(a.Added.Compare(b.Added), strings.Compare(a.ID, b.ID))
	})
	return found, res
}

// again is the end of a look-up that failed: not now, whatever the reason.
func again(res ghl.Result) ghl.Result {
	if res.Outcome != ghl.Paused {
		res.Outcome = ghl.Retry
	}
	return res
}

// described reads an appointment by itself if the list left out its description, in
// which the marker is, and it begins when one of the bodies says. One that went
// meanwhile is none.
func (t *turn) described(ctx context.Context, a Appointment, bodies []wanted) (_ Appointment, failed *ghl.Result) {
	isHere := func(b wanted) bool { return b.hasTime() && b.at.start.Equal(a.Start) }
	if a.Described || !slices.ContainsFunc(bodies, isHere) {
		return a, nil
	}
	a, res := t.GetAppointment(ctx, a.ID)
	if res.Outcome != ghl.Delivered && res.Outcome != ghl.NotFound {
		return a, &res
	}
	return a, nil
}

// place is one list of events to look through.
type place struct {
	calendarID string
	from, to   time.Time
}

// places leaves out what another one covers.
func (t *turn) places(bodies []wanted) []place {
	var all []place
	add := func(p place) {
		covered := func(q place) bool {
			return p.calendarID == q.calendarID && !p.from.Before(q.from) && !p.to.After(q.to)
		}
		if p.calendarID != "" && !slices.ContainsFunc(all, covered) {
			all = append(all, p)
		}
	}
	for _, b := range bodies {
		if !b.hasTime() {
			continue
		}
		from, to := b.at.start.Add(-around), b.at.end.Add(around)
		add(place{b.calendarID, from, to})
		for _, id := range t.CalendarIDs() {
			add(place{id, from, to})
		}
	}
	return all
}

// adopt takes one of the appointments that are marked as the event's for it, makes
// it equal to what is wanted, and removes its doubles: a create of ours made them
// without our learning of it, and nobody else knows what they are. One that people
// changed is no double any more and stays. res is the end of the look-up.
func (t *turn) adopt(ctx context.Context, found []Appointment, res ghl.Result) ghl.Result {
	kept := slices.MinFunc(found, func(a, b Appointment) int { return cmp.Compare(t.rank(a), t.rank(b)) })
	res.AppointmentID = kept.ID
	if want := t.body.appointment(t.r.EventID); !kept.isPlacedAs(want) || strings.TrimSpace(kept.Description) != want.Description {
		if res = t.put(ctx, kept); res.Outcome != ghl.Delivered {
			return res
		}
	}
	for _, a := range found {
		if a.ID == kept.ID || !t.isUntouched(a) {
			continue
		}
		gone := t.DeleteAppointment(ctx, a.ID)
		switch gone.Outcome {
		case ghl.Delivered, ghl.NotFound, ghl.Permanent:
			// A double that GHL keeps for good does not stop the event.
		default:
			gone.MaybeActed = gone.Outcome != ghl.Paused // the appointment is there
			return gone
		}
	}
	return res
}

// rank orders doubles: one that people worked with, one as we sent it, one that
// was called off. Of equals the oldest counts.
func (t *turn) rank(a Appointment) int {
	switch {
	case a.Status == statusCancelled || a.Status == statusInvalid:
		return 2
	case t.isUntouched(a):
		return 1
	}
	return 0
}

// isUntouched reports whether an appointment still is as we made it, in this call
// or in the one before: nobody has moved it, named it or set its status. What GHL
// does to a description is GHL's.
func (t *turn) isUntouched(a Appointment) bool {
	switch a.Status {
	case "", statusNew, statusConfirmed:
		return a.isPlacedAs(t.body.appointment(t.r.EventID)) || a.isPlacedAs(t.known.appointment(t.r.EventID))
	}
	return false
}

func (a Appointment) isPlacedAs(b Appointment) bool {
	return a.CalendarID == b.CalendarID && a.Title == b.Title && a.Start.Equal(b.Start) && a.End.Equal(b.End)
}
