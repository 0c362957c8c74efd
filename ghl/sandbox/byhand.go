package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Move gives an appointment another time as a person in GHL would, and tells
// whether it was there.
func (s *Sandbox) Move(id string, start, end time.Time) bool {
	return s.change(id, func(a *Appointment) {
		a.setClock(start, end)
		if a.Booking != nil {
			moved := *a.Booking
			moved.Start, moved.End = start, end
			a.Booking = &moved
		}
	})
}

// SetStatus cancels an appointment, or marks it as showed, as a person in GHL
// would, and tells whether it was there. A status that GHL does not have is
// taken as it is.
func (s *Sandbox) SetStatus(id, status string) bool {
	return s.change(id, func(a *Appointment) { a.Status = status })
}

func (s *Sandbox) change(id string, by func(*Appointment)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.book.byID[id]
	if ok {
		by(a)
		a.ChangedAt = s.opts.Now()
		s.wake()
	}
	return ok
}

// serveByHand takes {"status":…} or {"start":…,"end":…} or both.
func (s *Sandbox) serveByHand(w http.ResponseWriter, r *http.Request) {
	var by struct {
		Status     string
		Start, End time.Time
	}
	if !readJSON(w, r, &by) {
		return
	}
	if by.Status != "" && !slices.Contains(statuses, by.Status) {
		http.Error(w, fmt.Sprintf("status %q is unknown: use one of %s", by.Status, strings.Join(statuses, ", ")), http.StatusBadRequest)
		return
	}
	if by.Start.IsZero() != by.End.IsZero() || by.End.Before(by.Start) || by.Status == "" && by.Start.IsZero() {
		http.Error(w, "give a status, or start and end in RFC 3339, the end not before the start", http.StatusBadRequest)
		return
	}
	id, found := r.PathValue("id"), true
	if !by.Start.IsZero() {
		found = s.Move(id, by.Start, by.End)
	}
	if by.Status != "" {
		found = s.SetStatus(id, by.Status) && found
	}
	if !found {
		http.Error(w, fmt.Sprintf("no appointment %q in the book", id), http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
