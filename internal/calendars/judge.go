package calendars

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/api"
	"ghlsync/state"
)

// restful reports whether nothing is going on with the row, and nothing was since
// the comparison began.
func (r *run) restful(m *state.Mapping) bool {
	return m.Call == nil && m.NextAttempt.IsZero() && m.Parked == "" && m.Hold != state.Held && m.LastAttempt.Before(r.began) && m.UpdatedAt.Before(r.began)
}

// judge compares one mapping with what GHL has.
func (r *run) judge(ctx context.Context, m *state.Mapping) error {
	// A row that waits for its id is looked at although it is parked.
	nameless := m.AppointmentID == "" && m.Parked == ghl.CodeAppointmentIDUnknown
	if !nameless && (m.Wanted == state.Absent || m.Payload == nil) {
		return nil // what is there of it is an orphan, or is on its way out
	}
	if !nameless && !r.restful(m) {
		r.report.Waiting++
		return nil
	}
	switch {
	case m.AppointmentID == "":
		return r.nameless(ctx, m)
	case m.Assumed:
		return nil // nothing is sent of it until it changes: others made it, and as they liked
	}
	b := r.booked[m.AppointmentID]
	if b == nil {
		return r.missing(ctx, m)
	}
	return r.placed(ctx, m, b.Appointment)
}

// missing asks for an appointment that the listing does not have: it may be far
// away, or in another calendar.
func (r *run) missing(ctx context.Context, m *state.Mapping) error {
	a, res := r.GHL.GetAppointment(ctx, m.AppointmentID)
	if res.Outcome == ghl.NotFound {
		res.Outcome = ghl.Delivered
		if err := r.asked(ctx, res); err != nil {
			return err
		}
		r.report.Deleted.add(m.ID, m.AppointmentID, "")
		r.gone = append(r.gone, mend{was: m, do: drifted(state.DriftDeleted)})
		return nil
	}
	if err := r.asked(ctx, res); err != nil {
		return err
	}
	return r.placed(ctx, m, a)
}

// placed compares an appointment with what Sentra wants.
func (r *run) placed(ctx context.Context, m *state.Mapping, a api.Appointment) error {
	want, ok := r.GHL.Wanted(string(m.ID), m.Payload)
	if !ok {
		return nil
	}
	why := differences(want, a)
	if len(why) == 0 {
		return nil
	}
	r.report.Changed.add(m.ID, m.AppointmentID, strings.Join(why, ", "))
	return r.mend(ctx, mend{was: m, do: drifted(state.DriftChanged)})
}

// differences names what differs. Status, contact and people are GHL's own.
func differences(want, got api.Appointment) (why []string) {
	if got.CalendarID != "" && want.CalendarID != got.CalendarID {
		why = append(why, "calendar")
	}
	if !got.Start.IsZero() && !want.Start.Equal(got.Start) {
		why = append(why, "start")
	}
	if !got.End.IsZero() && !want.End.Equal(got.End) {
		why = append(why, "end")
	}
	if want.Title != got.Title {
		why = append(why, "title")
	}
	return why
}

// nameless looks for the appointment of a mapping that has none by its id.
func (r *run) nameless(ctx context.Context, m *state.Mapping) error {
	found := free(r.byEvent[m.ID])
	switch {
	case len(found) == 1:
		return r.adopt(ctx, m, found[0], "marker")
	case len(found) > 1:
		r.report.Unnamed.add(m.ID, "", "several appointments have its marker")
		return nil
	case !r.o.AdoptByTime:
		r.report.Unnamed.add(m.ID, "", "no appointment has its marker")
		return nil
	}
	return r.byTime(ctx, m)
}

// free are those bookings that no mapping has come to stand for, in order.
func free(all []*booking) (found []*booking) {
	for _, b := range all {
		if !b.claimed {
			found = append(found, b)
		}
	}
	slices.SortFunc(found, func(a, b *booking) int { return cmp.Or(cmp.Compare(a.event, b.event), cmp.Compare(a.ID, b.ID)) })
	return found
}

// byTime looks for the contact's appointment at the event's time. Only if GHL knows
// the contact, and has no other appointment of it that could be it, is it taken for
// missing.
func (r *run) byTime(ctx context.Context, m *state.Mapping) error {
	// Before its last edit it may have been elsewhere, and for somebody else.
	var places []api.Appointment
	contacts, strangers := map[string]struct{}{}, false
	for _, data := range [][]byte{m.Payload, m.Known} {
		want, ok := r.GHL.Wanted(string(m.ID), data)
		if !ok {
			continue
		}
		places = append(places, want)
		contact, res := r.GHL.ContactOf(ctx, data)
		if err := r.asked(ctx, res); err != nil {
			return err
		}
		contacts[contact] = struct{}{}
		strangers = strangers || contact == ""
	}
	if len(places) == 0 {
		r.report.Unnamed.add(m.ID, "", "its time is not known")
		return nil
	}
	var theirs []*booking
	for contact := range contacts {
		theirs = append(theirs, r.byContact[contact]...)
	}
	theirs = free(theirs)
	there := slices.DeleteFunc(slices.Clone(theirs), func(b *booking) bool {
		return !slices.ContainsFunc(places, func(p api.Appointment) bool { return p.CalendarID == b.CalendarID && p.Start.Equal(b.Start) })
	})
	how := "contact and time"
	if len(there) > 1 {
		how = "contact, time and title"
		there = slices.DeleteFunc(there, func(b *booking) bool {
			return !slices.ContainsFunc(places, func(p api.Appointment) bool { return p.Title == b.Title })
		})
	}
	switch {
	case len(there) == 1:
		return r.adopt(ctx, m, there[0], how)
	case len(there) > 1:
		r.report.Unnamed.add(m.ID, "", "its contact has several appointments at that time")
		return nil
	case strangers:
		r.report.Unnamed.add(m.ID, "", "its contact is not known to GHL, or was not before its last edit")
		return nil
	case len(theirs) > 0:
		r.report.Unnamed.add(m.ID, "", "its contact has appointments at other times: one of them may be it")
		return nil
	}
	r.report.Lost.add(m.ID, "", "its contact has no appointment in these calendars")
	return r.mend(ctx, mend{was: m, do: absent})
}

func (r *run) adopt(ctx context.Context, m *state.Mapping, b *booking, how string) error {
	b.claimed = true
	r.report.Adopted.add(m.ID, b.ID, how)
	return r.mend(ctx, mend{was: m, appointmentID: b.ID, do: named(b.ID)})
}

// orphans finds appointments with our marker that no mapping stands for, and gives
// each a row that deletes it.
func (r *run) orphans(ctx context.Context) error {
	for _, b := range free(slices.Concat(slices.Collect(maps.Values(r.byEvent))...)) {
		m, err := r.Store.Get(ctx, b.event)
		switch {
		case errors.Is(err, state.ErrNotFound):
			m = &state.Mapping{ID: b.event, StartsAt: b.Start}
		case err != nil:
			return err
		case m.Hold == state.Kept:
			continue // an operator decided that it stays
		case m.Hold == state.Held, m.Call != nil || m.AppointmentID == "" && m.Wanted == state.Present || !m.LastAttempt.Before(r.began):
			// Its own deletion is held, its call may have made it, or it was told of above.
			r.report.Waiting++
			continue
		}
		if ok, err := r.stillThere(ctx, b); err != nil || !ok {
			if err != nil {
				return err
			}
			continue
		}
		r.report.Orphans.add(b.event, b.ID, "")
		if err := r.mend(ctx, mend{was: m, orphan: true, appointmentID: b.ID}); err != nil {
			return err
		}
	}
	return r.flush(ctx)
}

// stillThere asks once more before something is deleted: the listing may be old.
func (r *run) stillThere(ctx context.Context, b *booking) (bool, error) {
	a, res := r.GHL.GetAppointment(ctx, b.ID)
	if res.Outcome == ghl.NotFound {
		return false, nil
	}
	if err := r.asked(ctx, res); err != nil {
		return false, err
	}
	return marked(a) == b.event, nil
}

// drifted takes note of what somebody did in GHL, and lets delivery undo it.
func drifted(d state.Drift) func(*state.Mapping, time.Time) (retired string, changed bool) {
	return func(m *state.Mapping, now time.Time) (string, bool) {
		m.Drift, m.DriftAt = d, now
		return m.Restore(now)
	}
}

// named takes the id that was found.
func named(id string) func(*state.Mapping, time.Time) (string, bool) {
	return func(m *state.Mapping, now time.Time) (string, bool) {
		learnt := m.Learn(now, id)
		if learnt && m.Parked == ghl.CodeAppointmentIDUnknown {
			m.Retry(now)
		}
		return "", learnt
	}
}

// absent takes back that GHL has it, so that it is created.
func absent(m *state.Mapping, now time.Time) (string, bool) { return "", m.Lost(now) }
