package sandbox

import (
	"context"
	"fmt"
)

// Appointments copies the live appointments in the order of booking.
func (s *Sandbox) Appointments() []Appointment { return s.AppointmentsOf("") }

// AppointmentsOf copies the live appointments of one Sentra event; more than
// one means doubles. The empty id stands for all.
func (s *Sandbox) AppointmentsOf(eventID string) []Appointment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.book.list(eventID)
}

// Put books an appointment as a person in GHL would: without a webhook, and
// without SentraEventID unless one is given. It gives the id, the given one
// where there is one; that of a live appointment replaces it.
func (s *Sandbox) Put(a Appointment) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.book.byID[a.ID]; ok {
		s.book.remove(old)
	}
	if a.BookedAt.IsZero() {
		a.BookedAt = s.opts.Now()
	}
	if a.ChangedAt.IsZero() {
		a.ChangedAt = a.BookedAt
	}
	id := s.book.add(a).ID
	s.wake()
	return id
}

// Remove takes an appointment out of the book as a person in GHL would, and
// tells whether it was there.
func (s *Sandbox) Remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.book.byID[id]
	if ok {
		s.book.remove(a)
		s.wake()
	}
	return ok
}

// Requests copies the log, oldest first.
func (s *Sandbox) Requests() []Request { return s.RequestsAfter(0, 0) }

// RequestsAfter copies the requests with a higher number, at most limit of
// them (0: all).
func (s *Sandbox) RequestsAfter(number int64, limit int) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.after(number, limit)
}

// Violations copies the latest violations, oldest first.
func (s *Sandbox) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.violations.all()
}

// Stats gives the counts.
func (s *Sandbox) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts()
}

func (s *Sandbox) counts() Stats {
	stats := s.stats
	stats.Live = len(s.book.byID)
	return stats
}

// Snapshot is what a condition of WaitFor looks at: the counts at one moment,
// and by its methods the book and the log as they are when asked.
type Snapshot struct {
	Stats
	sandbox *Sandbox
}

// Appointments is Sandbox.Appointments.
func (s Snapshot) Appointments() []Appointment { return s.sandbox.Appointments() }

// AppointmentsOf is Sandbox.AppointmentsOf.
func (s Snapshot) AppointmentsOf(eventID string) []Appointment {
	return s.sandbox.AppointmentsOf(eventID)
}

// Requests is Sandbox.Requests.
func (s Snapshot) Requests() []Request { return s.sandbox.Requests() }

// WaitFor returns nil as soon as the condition holds. It is tried at once and
// after every arrival, action and end of a request and after Set. When ctx ends first, or the
// sandbox, the error holds the counts and the context's cause.
func (s *Sandbox) WaitFor(ctx context.Context, condition func(Snapshot) bool) error {
	for {
		s.mu.Lock()
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		// Taken before the look, so that no change in between is missed.
		changed, now := s.changed, s.counts()
		s.mu.Unlock()
		if condition(Snapshot{Stats: now, sandbox: s}) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("wait for the sandbox, at %+v: %w", now, context.Cause(ctx))
		case <-s.ending:
			return fmt.Errorf("wait for the sandbox, at %+v: %w", now, errClosed)
		}
	}
}

// wake tells the waiting of a change. The caller holds the lock.
func (s *Sandbox) wake() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}
