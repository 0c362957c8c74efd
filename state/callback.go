package state

import (
	"strings"
	"time"
)

// orphanPrefix begins the ids of rows that are no event of Sentra's.
const orphanPrefix = "orphan:"

// OrphanID is the id of the row that deletes an orphan: an appointment that GHL
// has and no event has any more.
func OrphanID(appointmentID string) EventID { return EventID(orphanPrefix + appointmentID) }

// IsOrphan tells the id of an orphan's row from an event's.
func IsOrphan(id EventID) bool { return strings.HasPrefix(string(id), orphanPrefix) }

// NewOrphan makes the row that deletes an orphan of the event of. It is a
// retraction like any other, under an id of its own: it is delivered, retried,
// parked, held by the fuse, listed and pruned as one, it holds the appointment's
// id so that nobody adopts it, and the event's own calls go on beside it. A
// callback about its deletion finds it by that id, too.
func NewOrphan(appointmentID string, of *Mapping, now time.Time) *Mapping {
	m := &Mapping{
		ID: OrphanID(appointmentID), AppointmentID: appointmentID, CreatedAt: now, UpdatedAt: now,
		EventType: of.EventType, StartsAt: of.StartsAt, Wanted: Absent, Version: of.Version, CommittedAt: now, Revision: 1,
		GHL: GHLPresent, GHLAt: now, Retracted: true,
	}
	m.schedule(now)
	return m
}

// Spare gives up the deletion of an orphan, whose appointment an event has again, and
// reports whether it could: not while a call may still be acted on. What is left is
// a settled row, which is pruned.
func (m *Mapping) Spare(now time.Time) bool {
	if !IsOrphan(m.ID) || m.open() {
		return false
	}
	m.Call, m.AppointmentID, m.Hold, m.Parked, m.SyncError, m.Retracted = nil, "", NotHeld, "", "", false
	m.GHL, m.GHLAt, m.UpdatedAt = GHLAbsent, now, now
	m.schedule(now)
	return true
}

// open reports whether a call may still be acted on.
func (m *Mapping) open() bool { return m.Call != nil && m.Call.State != Rejected }

// reached reports whether what is wanted now has been sent to GHL. A report of a
// failure is about something else as long as it has not.
func (m *Mapping) reached() bool {
	switch {
	case m.open():
		return m.Call.Revision == m.Revision
	case m.Assumed || m.Hold == Kept:
		return false
	case m.Wanted == Absent:
		return m.Retracted && m.GHL == GHLAbsent
	default:
		return m.GHL == GHLPresent && m.Hash != "" && m.GHLHash == m.Hash
	}
}

// Failure is GHL's word, after it had taken a call, that it could not do it.
type Failure struct {
	Operation     Operation // of the call; "" if the report does not say
	Code          string
	AppointmentID string // that the report names: free, or retired by this event
}

// Fail parks the row because GHL reports that it could not do what is wanted now,
// and reports whether it did. The caller has checked that the report is about
// that; one that comes before it was sent is not, and changes nothing.
//
// While the call is in flight its end takes the report into account; one of unknown
// outcome stays so, since the report may be of another of its tries.
func (m *Mapping) Fail(now time.Time, f Failure) bool {
	if f.Code == "" || m.Parked == f.Code || !m.reached() {
		return false
	}
	m.Parked, m.SyncError, m.UpdatedAt = f.Code, f.Code, now
	if !m.open() {
		m.undone(f.Operation)
		if m.Wanted == Absent && m.AppointmentID == "" {
			m.AppointmentID = f.AppointmentID // a retry deletes by it
		}
	}
	m.schedule(now)
	return true
}

// undone takes back that GHL did what it said it would.
func (m *Mapping) undone(op Operation) {
	m.GHLHash = ""
	switch {
	case m.Wanted == Absent:
		m.GHL = GHLUnknown
	case op == Create && m.AppointmentID == "":
		m.GHL = GHLAbsent
	}
}

// Drift is what somebody else did to the appointment in GHL.
type Drift string

// It was changed, or deleted. A call that GHL takes ends a drift.
const (
	NoDrift      Drift = ""
	DriftChanged Drift = "changed"
	DriftDeleted Drift = "deleted"
)

// NoteDrift records what GHL tells of the mapping's appointment, and reports
// whether it is news. A deletion that is wanted is none; nor is a change while a
// call is open or due, or within window of the last one: GHL tells of what we
// caused as well, and does not tell who did.
func (m *Mapping) NoteDrift(now time.Time, d Drift, window time.Duration) bool {
	if m.Wanted == Absent || m.Drift == DriftDeleted || m.Drift == d {
		return false
	}
	if m.open() && (d == DriftChanged || m.Call.Operation == Delete) || !m.UnsettledUntil.IsZero() {
		return false
	}
	if d == DriftChanged && (!m.NextAttempt.IsZero() || now.Before(m.LastAttempt.Add(window))) {
		return false
	}
	m.Drift, m.DriftAt, m.UpdatedAt = d, now, now
	return true
}

// Restore lets GHL be made equal to Sentra again after a drift: by an update, or
// by a create where the appointment is gone. It returns the appointment id that is
// gone with that, as [Mapping.Finish] does, and whether there is something to do.
// While a call is open, or the row is parked, the drift stays as it is.
func (m *Mapping) Restore(now time.Time) (retired string, restored bool) {
	if m.Drift == NoDrift || m.Wanted == Absent || m.Payload == nil || m.Parked != "" || m.open() {
		return "", false
	}
	m.Call = nil
	m.Assumed, m.GHLHash = false, ""
	if m.Drift == DriftDeleted {
		m.GHL, m.GHLAt = GHLAbsent, now
		retired, m.AppointmentID = m.AppointmentID, ""
	}
	m.UpdatedAt = now
	m.schedule(now)
	return retired, true
}
