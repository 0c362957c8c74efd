package state

import (
	"cmp"
	"errors"
	"time"
)

// MaxCreateTries is how often a create of unknown outcome is sent in all: once,
// and five times more. Then it is parked as OUTCOME_UNKNOWN.
const MaxCreateTries = 6

// ErrNothingDue is returned by [Mapping.Begin] for a row with nothing to send.
var ErrNothingDue = errors.New("nothing is due for this event")

// Caller is what [Mapping.Begin] needs from whoever makes the call.
type Caller struct {
	Owner string        // of the lease
	Lease time.Duration // how long the call may take in all
	NewID func() string // a fresh delivery id
	// Encode builds the exact body of a call. It does no I/O.
	Encode func(op Operation, m *Mapping) []byte
}

// overtakes reports whether a delete must overtake the open call: absent is
// wanted, and what is open would make or change an appointment.
func (m *Mapping) overtakes() bool {
	return m.Wanted == Absent && m.Call != nil && m.Call.Operation != Delete
}

// next tells which operation would bring GHL to what is wanted.
func (m *Mapping) next() Operation {
	switch {
	case m.Wanted == Absent, !m.UnsettledUntil.IsZero():
		return Delete
	case m.GHL == GHLPresent:
		return Update
	default:
		return Create
	}
}

// Begin records the call that is to be made now and leases the row; the caller
// commits that before the call leaves, so that a crash behind it finds the exact
// bytes and knows that their outcome is unknown. A call of unknown outcome, and a
// rejected one while the same is wanted, is made again byte for byte.
func (m *Mapping) Begin(now time.Time, c Caller) error {
	if m.Parked != "" || m.Hold == Held || !m.LeaseUntil.IsZero() || m.Settled() || now.Before(m.NextAttempt) {
		return ErrNothingDue
	}
	if !m.repeats(now) {
		m.newCall(c)
	}
	m.Call.State = InFlight
	m.Call.Tries++
	m.Call.StartedAt = now
	m.Call.SettlesAt = time.Time{}
	if m.Call.Operation == Create {
		m.GHL = GHLUnknown
	}
	m.Attempts++
	m.LastAttempt = now
	m.LeaseOwner, m.LeaseUntil = c.Owner, now.Add(c.Lease)
	m.NextAttempt = time.Time{}
	return nil
}

// Holds reports whether the call that Begin recorded under this delivery id, for
// this owner and until that time, is in flight still. Whoever made it asks before
// Finish, in the Tx that loaded the row: where somebody has abandoned the call
// meanwhile, its end marks nothing, even if the same call has been made again.
func (m *Mapping) Holds(owner, deliveryID string, until time.Time) bool {
	return m.Call != nil && m.Call.State == InFlight && m.Call.DeliveryID == deliveryID &&
		m.LeaseOwner == owner && m.LeaseUntil.UnixMicro() == until.UnixMicro() // stores keep microseconds
}

// repeats reports whether the call on record is the one to make.
func (m *Mapping) repeats(now time.Time) bool {
	switch {
	case m.Call == nil, m.outlived(now):
		return false
	case m.Call.State == Unknown:
		return !m.overtakes()
	default:
		return m.Call.Revision == m.Revision && m.Call.Operation == m.next()
	}
}

// outlived reports whether the call is a delete that overtook another call, and
// that one has settled since. GHL may have acted on the delete first and on the
// other afterwards, so repeating it is not enough: a receiver that knows the
// delivery id would take it for done.
func (m *Mapping) outlived(now time.Time) bool {
	return m.Call.Operation == Delete && m.Call.StartedAt.Before(m.UnsettledUntil) && !now.Before(m.UnsettledUntil)
}

func (m *Mapping) newCall(c Caller) {
	if m.Call != nil && m.Call.State == Unknown {
		m.UnsettledUntil = later(m.UnsettledUntil, m.Call.SettlesAt)
		if m.AppointmentID == "" && m.Call.Operation != Delete {
			m.Known = m.Call.Body
		}
	}
	op := m.next()
	m.Call = &Call{
		Operation:  op,
		DeliveryID: c.NewID(),
		Body:       c.Encode(op, m),
		Hash:       m.Hash,
		Revision:   m.Revision,
		Before:     m.GHL,
	}
}

// Outcome is how a call ended.
type Outcome int

// The outcomes. See package ghl for what answers lead to them.
const (
	// Delivered: GHL has it.
	Delivered Outcome = iota
	// NotFound: GHL has no such appointment. A delete is done; an update becomes
	// a create.
	NotFound
	// Refused: not now; the call is repeated at Result.RetryAt.
	Refused
	// Impossible: GHL will not take it as it is; the row is parked.
	Impossible
	// Ambiguous: GHL may or may not have acted, now or later.
	Ambiguous
	// Suspended: nothing is wrong with the event, delivery as a whole pauses. The
	// attempt does not count.
	Suspended
)

// Result is the end of a call.
type Result struct {
	Outcome       Outcome
	AppointmentID string    // "" if the answer had none; never clears a known one
	Code          string    // for SyncError and Parked; "" when delivered
	MaybeActed    bool      // with Refused: GHL may have acted all the same
	RetryAt       time.Time // with Refused and Suspended
	SettlesAt     time.Time // with Ambiguous: now plus GHL_SETTLE
}

// Finish records the end of the call in flight at time now. It returns the
// appointment id that is gone from GHL with it, if any: such ids are kept by the
// store and never adopted again. The row is marked as having in GHL only what
// the call carried; if something newer is wanted, that is scheduled.
func (m *Mapping) Finish(now time.Time, r Result) (retired string) {
	if m.Call == nil || m.Call.State != InFlight {
		return ""
	}
	m.LeaseOwner, m.LeaseUntil = "", time.Time{}
	m.UpdatedAt = now
	if m.Call.Operation == Create && m.AppointmentID != "" && (r.Outcome == Ambiguous || r.MaybeActed) {
		r = Result{Outcome: Delivered} // a callback has told that it was acted on
	}
	m.SyncError = r.Code
	switch r.Outcome {
	case Delivered:
		retired = m.delivered(now, r)
	case NotFound:
		retired = m.notFound(now, r)
	case Refused, Suspended:
		m.refused(r)
	case Impossible:
		m.impossible(r)
	case Ambiguous:
		m.ambiguous(r)
	}
	if m.Parked != "" {
		m.SyncError = m.Parked
	}
	m.schedule(now)
	if retry := r.RetryAt; !m.NextAttempt.IsZero() && retry.After(m.NextAttempt) {
		m.NextAttempt = retry
	}
	return retired
}

func (m *Mapping) delivered(now time.Time, r Result) (retired string) {
	call := m.Call
	m.Call = nil
	m.Attempts = 0
	m.GHLAt = now
	m.Drift, m.DriftAt = NoDrift, time.Time{}
	failed := m.Parked != "" && call.Revision == m.Revision // so a callback said while it was in flight
	if call.Operation == Delete && !failed {
		return m.deleted(call)
	}
	if call.Operation != Delete {
		m.took(call, r)
	}
	if failed {
		m.undone(call.Operation)
	}
	return ""
}

// took is the end of a create or an update: GHL has what the call carried.
func (m *Mapping) took(call *Call, r Result) {
	m.GHL, m.GHLHash, m.Known = GHLPresent, call.Hash, nil
	if r.AppointmentID != "" {
		m.AppointmentID = r.AppointmentID
	}
	if m.AppointmentID == "" && call.Revision != m.Revision {
		m.Known = call.Body
	}
}

// deleted ends a delete. If it overtook a create that GHL may still act on, what
// GHL has stays unknown, and the delete is sent once more when that is over.
func (m *Mapping) deleted(call *Call) (retired string) {
	m.GHLHash = ""
	if call.StartedAt.Before(m.UnsettledUntil) {
		m.GHL = GHLUnknown
		return ""
	}
	m.UnsettledUntil = time.Time{}
	m.GHL, m.Known = GHLAbsent, nil
	retired, m.AppointmentID = m.AppointmentID, ""
	return retired
}

func (m *Mapping) notFound(now time.Time, r Result) (retired string) {
	switch m.Call.Operation {
	case Delete:
		m.SyncError = ""
		return m.delivered(now, r)
	case Update:
		m.Call = nil
		m.GHL, m.GHLHash, m.GHLAt, m.Known = GHLAbsent, "", now, nil
		retired, m.AppointmentID = m.AppointmentID, ""
		return retired
	default:
		m.impossible(r)
		return ""
	}
}

// refused keeps the call on record, so that it is repeated under the same
// delivery id as long as the same is wanted. That this try was refused says
// nothing of an earlier one that may have been acted on: the call then stays of
// unknown outcome.
func (m *Mapping) refused(r Result) {
	m.Call.Tries--
	if r.Outcome == Suspended {
		m.Attempts = max(0, m.Attempts-1) // a newer revision may have set it to 0 meanwhile
	}
	if r.MaybeActed || m.Call.Before == GHLUnknown {
		m.doubt(r.RetryAt)
		return
	}
	if m.Call.Operation == Create {
		m.GHL = m.Call.Before
	}
	m.Call.State = Rejected
	if m.Call.Revision != m.Revision {
		m.Call = nil
	}
}

// doubt leaves the call of unknown outcome, to be repeated at the given time. In
// doubt is what is known of GHL, too: an update may have changed what GHL has, a
// delete may have taken it.
func (m *Mapping) doubt(until time.Time) {
	m.Call.State = Unknown
	m.Call.SettlesAt = until
	m.Call.Before = GHLUnknown
	m.GHLHash = ""
}

func (m *Mapping) impossible(r Result) {
	call := m.Call
	m.Call = nil
	if call.Operation == Create {
		m.GHL = call.Before
	}
	if call.Revision == m.Revision {
		m.Parked = cmp.Or(r.Code, CodeRejected)
	}
}

func (m *Mapping) ambiguous(r Result) {
	m.doubt(r.SettlesAt)
	if m.Call.Operation == Create && m.Wanted == Present && m.Parked == "" && m.Call.Tries >= MaxCreateTries {
		m.Parked = CodeOutcomeUnknown
	}
}

// Abandon ends a call whose maker is gone: after a crash, or when its lease ran
// out. Its outcome is unknown, and the request may have ended as late as now.
func (m *Mapping) Abandon(now time.Time, settle time.Duration) {
	m.Finish(now, Result{Outcome: Ambiguous, Code: CodeInterrupted, SettlesAt: now.Add(settle)})
}

// Learn takes the appointment id that GHL itself names for the event, in a
// callback, and reports whether it was news. The caller has checked that the id
// is neither another mapping's nor retired. A known id stays.
//
// The id proves that a create was acted on: one of unknown outcome is resolved by
// it. Where absent is wanted, the delete is due, with that id. It proves nothing of
// another call that was overtaken: what is unsettled stays so.
func (m *Mapping) Learn(now time.Time, appointmentID string) bool {
	if appointmentID == "" || m.AppointmentID != "" {
		return false
	}
	m.AppointmentID, m.Known = appointmentID, nil
	m.UpdatedAt = now
	switch {
	case m.Call == nil, m.Call.State == Rejected:
		m.Call = nil // refused, and made without the id
		if m.GHL != GHLPresent {
			m.GHL, m.GHLHash, m.GHLAt = GHLPresent, "", now
		}
	case m.Call.Operation == Delete:
		// It may have reached GHL before there was anything to delete, also if it
		// leaves at this very moment. Times are whole microseconds.
		m.UnsettledUntil = later(m.UnsettledUntil, now.Add(time.Microsecond))
	case m.Call.State == Unknown && m.Call.Operation == Create:
		m.GHL, m.GHLHash, m.GHLAt = GHLPresent, m.Call.Hash, now
		m.Call, m.Attempts = nil, 0
		if m.Parked == CodeOutcomeUnknown {
			m.Parked, m.SyncError = "", ""
		}
	}
	m.schedule(now)
	return true
}

// Retry schedules a parked row again and reports whether it could. A row that
// could not be translated has nothing to send: it waits for Sentra.
func (m *Mapping) Retry(now time.Time) bool {
	if m.Parked == "" || m.Wanted == Present && m.Payload == nil {
		return false
	}
	m.Parked = ""
	m.Attempts = 0
	if m.Call != nil {
		m.Call.Tries = 0
	}
	m.UpdatedAt = now
	m.schedule(now)
	return true
}

// Backfill takes back that GHL is assumed to have the row, so that it is pushed:
// as an update where its appointment is known, else as a create. It reports
// whether the row was assumed. One that cannot be translated is parked.
func (m *Mapping) Backfill(now time.Time) bool {
	if !m.Assumed {
		return false
	}
	m.disbelieve(m.AppointmentID == "", now)
	return true
}

// Lost records that GHL turned out not to have the row's appointment, which nobody
// could name: where it is wanted it is created. It reports whether it could.
func (m *Mapping) Lost(now time.Time) bool {
	if m.AppointmentID != "" || m.Wanted == Present && m.Payload == nil || m.Hold == Held || m.open() {
		return false
	}
	m.Call = nil
	m.Assumed, m.GHLHash, m.Parked, m.SyncError, m.Attempts = false, "", "", "", 0
	m.GHL, m.GHLAt, m.Known, m.UpdatedAt = GHLAbsent, now, nil, now
	m.schedule(now)
	return true
}

// Release lets a held retraction go out, and reports whether it was held.
func (m *Mapping) Release(now time.Time) bool { return m.endHold(Released, now) }

// Drop gives a held retraction up and keeps the appointment in GHL. It reports
// whether the row was held.
func (m *Mapping) Drop(now time.Time) bool { return m.endHold(Kept, now) }

func (m *Mapping) endHold(h Hold, now time.Time) bool {
	if m.Hold != Held {
		return false
	}
	m.Hold = h
	m.UpdatedAt = now
	m.schedule(now)
	return true
}

// holdable reports whether the row is a retraction that has not left yet.
func (m *Mapping) holdable() bool {
	leaving := m.Call != nil && m.Call.State == InFlight && m.Call.Operation == Delete
	return m.Wanted == Absent && m.Hold == NotHeld && !m.Settled() && !leaving
}

// hold is the fuse's. A call that is in flight goes on.
func (m *Mapping) hold(now time.Time) {
	m.Hold = Held
	m.UpdatedAt = now
	m.schedule(now)
}
