package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ghlsync/ghl"
)

// Appointment is an entry of the appointment book: the fields of the last
// create or update under the guide's names, and what the book knows about it.
type Appointment struct {
	ID            string `json:"id"`
	SentraEventID string `json:"sentra_event_id"`
	Fields
	// Status is GHL's: confirmed unless somebody changed it.
	Status    string    `json:"status"`
	Booking   *Booking  `json:"booking,omitempty"` // of the calendar API; nil where the webhook booked it
	BookedAt  time.Time `json:"booked_at"`
	ChangedAt time.Time `json:"changed_at"`
	Changes   int       `json:"changes"` // updates since it was booked
	Double    bool      `json:"double"`  // the event had a live appointment when this was booked
}

// book is the appointment book. Its owner holds the lock.
type book struct {
	last    int                     // number of the last id given
	byID    map[string]*Appointment // live ones
	byEvent map[string][]string     // ids of live ones, oldest first
}

func newBook() book {
	return book{byID: make(map[string]*Appointment), byEvent: make(map[string][]string)}
}

// add books an appointment; without an id it gets the next one.
func (b *book) add(a Appointment) *Appointment {
	for given := a.ID != ""; !given; given = b.byID[a.ID] == nil {
		b.last++ // on past an id that Put has taken
		a.ID = fmt.Sprintf("ghl_%06d", b.last)
	}
	a.Status = or(a.Status, StatusConfirmed)
	a.Double = b.taken(a.SentraEventID)
	b.byID[a.ID] = &a
	b.link(a.SentraEventID, a.ID)
	return &a
}

// taken tells whether the event has an appointment that takes place.
func (b *book) taken(eventID string) bool {
	return slices.ContainsFunc(b.byEvent[eventID], func(id string) bool { return b.byID[id].TakesPlace() })
}

func (b *book) link(eventID, id string) {
	if eventID != "" {
		b.byEvent[eventID] = append(b.byEvent[eventID], id)
	}
}

// find looks by appointment id, then by event.
func (b *book) find(id, eventID string) *Appointment {
	if a, ok := b.byID[id]; ok {
		return a
	}
	if ids := b.byEvent[eventID]; len(ids) > 0 {
		return b.byID[ids[0]]
	}
	return nil
}

func (b *book) remove(a *Appointment) {
	delete(b.byID, a.ID)
	b.unlink(a)
}

func (b *book) unlink(a *Appointment) {
	rest := slices.DeleteFunc(b.byEvent[a.SentraEventID], func(id string) bool { return id == a.ID })
	if len(rest) == 0 {
		delete(b.byEvent, a.SentraEventID)
		return
	}
	b.byEvent[a.SentraEventID] = rest
}

// list copies the live appointments in the order of booking, those of one
// event or, without one, all; never nil.
func (b *book) list(eventID string) []Appointment {
	out := make([]Appointment, 0, len(b.byID))
	if eventID != "" {
		for _, id := range b.byEvent[eventID] {
			out = append(out, *b.byID[id])
		}
		return out
	}
	for _, a := range b.byID {
		out = append(out, *a)
	}
	slices.SortFunc(out, func(x, y Appointment) int {
		if c := x.BookedAt.Compare(y.BookedAt); c != 0 {
			return c
		}
		// Ids of one moment: shorter ones are lower numbers.
		if len(x.ID) != len(y.ID) {
			return len(x.ID) - len(y.ID)
		}
		return strings.Compare(x.ID, y.ID)
	})
	return out
}

// verdict is what the book did with a payload: the ground of every answer.
type verdict struct {
	id     string // of the appointment concerned
	code   string // error_code of a refusal; empty when done
	acted  bool   // the book changed
	double bool
	replay bool // done earlier under the same key
}

// apply does what a payload asks for. It fails only where the payload names an
// appointment of another event, which is a violation.
func (b *book) apply(p payload, now time.Time) (verdict, error) {
	if p.operation == ghl.Created {
		a := b.add(Appointment{SentraEventID: p.eventID, Fields: p.fields, BookedAt: now, ChangedAt: now})
		return verdict{id: a.ID, acted: true, double: a.Double}, nil
	}
	a := b.find(p.appointmentID, p.eventID)
	if a == nil {
		return verdict{code: ghl.CodeAppointmentNotFound}, nil
	}
	if a.SentraEventID == "" {
		// Booked in GHL by hand and adopted: now it is known whose it is.
		a.SentraEventID = p.eventID
		b.link(p.eventID, a.ID)
	} else if a.SentraEventID != p.eventID && !orphaned(p, a) {
		return verdict{}, fmt.Errorf("appointment %s belongs to event %q", a.ID, a.SentraEventID)
	}
	if p.operation == ghl.Deleted {
		b.remove(a)
	} else {
		a.Fields, a.ChangedAt = p.fields, now
		a.Changes++
	}
	return verdict{id: a.ID, acted: true}, nil
}

// orphaned reports whether the payload deletes an appointment that no event has any
// more: it names it instead of an event.
func orphaned(p payload, a *Appointment) bool {
	return p.operation == ghl.Deleted && p.eventID == "orphan:"+a.ID && p.appointmentID == a.ID
}
