package state

import "time"

// Source says where a change comes from. It decides how versions compare.
type Source int

// A stream change sets a row whose version is not newer (one transaction may
// touch a row twice). A snapshot row sets one that is strictly older than the
// snapshot's consistent point.
const (
	Stream Source = iota
	Snapshot
)

// Change is what Sentra wants for one event, seen at one version.
type Change struct {
	ID          EventID
	Source      Source
	Version     Version
	CommittedAt time.Time

	Wanted    Wanted
	EventType string // "" keeps the known one
	Payload   []byte // event_data; nil with Parked or Absent
	Hash      string
	StartsAt  time.Time // of the event; zero keeps the known one
	// Parked says why the row could not be translated; wanted is Present then.
	Parked string
	// Inserted tells an insert in the stream from an update.
	Inserted bool
	// AppointmentID is the appointment that the row itself names (by the echo
	// marker or its ghl_appointment_id), already checked to be free: neither
	// held by another mapping nor one that we deleted.
	AppointmentID string
	// Echo says that AppointmentID comes from the marker: it counts only the
	// first time the row is seen.
	Echo bool
	// Assume records a row of the baseline as being in GHL already.
	Assume bool
	// Remember keeps that the event is gone where the state does not know it, or
	// knew it long ago: a snapshot that is being read may still show it.
	Remember bool
}

// Effect is what a merge did.
type Effect int

// A change was stale or void, moved only the version, or changed what is wanted
// (or what is known of GHL). Only Ignored needs no save.
const (
	Ignored Effect = iota
	Advanced
	Changed
)

// Merge sets what is wanted of one event and returns the row to save. cur is nil
// for an event that the state does not know; the result is nil if it stays
// unknown (retracting what is not known is nothing, unless the change says to
// remember it). cur may be changed in place.
//
// Merging the same change twice is the same as merging it once, and the order of
// a stream change and a snapshot row does not matter.
func Merge(cur *Mapping, in Change, now time.Time) (*Mapping, Effect) {
	if cur == nil {
		if in.Wanted == Absent && !in.Remember {
			return nil, Ignored
		}
		cur = &Mapping{ID: in.ID, CreatedAt: now, Wanted: Absent, GHL: GHLAbsent}
		return cur, cur.set(in, now, true)
	}
	if cur.newerThan(in) {
		return cur, cur.unassume(in, now)
	}
	return cur, cur.set(in, now, cur.Wanted == Absent && cur.Settled() && cur.GHL == GHLAbsent)
}

// newerThan reports whether the row already reflects a state at or behind in.
func (m *Mapping) newerThan(in Change) bool {
	if in.Source == Snapshot {
		return !m.Version.Before(in.Version)
	}
	return in.Version.Before(m.Version)
}

// unassume handles a stream change that is older than the row. Such changes are
// already contained in the row, with one exception: the baseline may have read
// its rows later than the point the stream starts from (a slot that existed
// before, or a baseline that was interrupted). A row that changed between the
// two is not one that GHL has as it is.
func (m *Mapping) unassume(in Change, now time.Time) Effect {
	if !m.Assumed || in.Source != Stream || m.Version.Epoch != in.Version.Epoch {
		return Ignored
	}
	m.disbelieve(in.Inserted && m.AppointmentID == "", now)
	return Changed
}

// disbelieve takes an assumption back: GHL does not have the row as it is, or
// has nothing of it.
func (m *Mapping) disbelieve(nothing bool, now time.Time) {
	m.Assumed = false
	m.GHLHash = ""
	if m.Payload == nil {
		m.Parked = m.SyncError // why the baseline could not translate it
	}
	if nothing {
		m.GHL, m.GHLAt, m.Known = GHLAbsent, now, nil
	}
	m.Revision++
	m.UpdatedAt = now
	m.schedule(now)
}

// set applies a change that is at least as new as the row. first says that the
// row is unknown, or a tombstone of which nothing is left in GHL.
func (m *Mapping) set(in Change, now time.Time, first bool) Effect {
	m.Version = in.Version
	switch {
	case in.Wanted == Absent:
		return m.retract(in, now)
	case in.Parked != "" && !(in.Assume && first):
		return m.park(in, now, first)
	default:
		return m.upsert(in, now, first)
	}
}

func (m *Mapping) retract(in Change, now time.Time) Effect {
	if m.Wanted == Absent {
		if in.Remember {
			m.UpdatedAt = now // a tombstone's age is reckoned from here
		}
		return Advanced
	}
	m.want(in, now)
	m.Retracted = m.GHL != GHLAbsent || m.Call != nil
	m.schedule(now)
	return Changed
}

func (m *Mapping) park(in Change, now time.Time, first bool) Effect {
	adopted := m.adopt(in, now, first)
	if m.Wanted == Present && m.Payload == nil && !adopted {
		// What a snapshot shows of an assumed row is no change of it.
		assumed := m.Assumed && in.Source == Snapshot && m.SyncError == in.Parked
		if assumed || m.Parked == in.Parked {
			return Advanced
		}
	}
	m.want(in, now)
	m.Parked = in.Parked
	m.SyncError = in.Parked
	m.schedule(now)
	return Changed
}

func (m *Mapping) upsert(in Change, now time.Time, first bool) Effect {
	same := m.Wanted == Present && m.Hash == in.Hash && (m.Payload != nil) == (in.Payload != nil)
	adopted := m.adopt(in, now, first)
	if same && !adopted {
		return Advanced
	}
	if !same {
		m.want(in, now)
	}
	switch {
	case first && in.Assume && (!adopted || in.Payload == nil):
		m.Assumed, m.GHL, m.GHLHash, m.GHLAt = true, GHLPresent, in.Hash, now
		m.SyncError = in.Parked
	case first && adopted:
		m.GHL, m.GHLHash, m.GHLAt = GHLPresent, in.Hash, now
	}
	m.schedule(now)
	return Changed
}

// want records a change of what is wanted. Whatever was parked, held, counted,
// assumed or rejected belonged to the revision before. A call of unknown outcome
// stays: it is resolved first.
func (m *Mapping) want(in Change, now time.Time) {
	if m.Call != nil && m.Call.State == Rejected {
		m.Call = nil
	}
	if m.AppointmentID == "" && m.GHL == GHLPresent && m.Payload != nil && (m.Assumed || m.GHLHash == m.Hash) {
		m.Known = m.Payload
	}
	m.Wanted = in.Wanted
	m.Payload = in.Payload
	m.Hash = in.Hash
	if in.EventType != "" {
		m.EventType = in.EventType
	}
	if !in.StartsAt.IsZero() {
		m.StartsAt = in.StartsAt
	}
	m.CommittedAt = in.CommittedAt
	m.Revision++
	m.UpdatedAt = now
	m.Attempts = 0
	m.Parked = ""
	m.SyncError = ""
	m.Hold = NotHeld
	m.Retracted = false
	m.Assumed = false
}

// adopt takes the appointment that the row names, if the mapping has none, and
// reports whether it did. While a call is open only the id is taken: the call's
// outcome is resolved as ever.
func (m *Mapping) adopt(in Change, now time.Time, first bool) bool {
	if in.AppointmentID == "" || m.AppointmentID != "" || in.Echo && !first {
		return false
	}
	m.AppointmentID, m.Known = in.AppointmentID, nil
	m.UpdatedAt = now
	if m.GHL != GHLPresent && (m.Call == nil || m.Call.State == Rejected) && m.UnsettledUntil.IsZero() {
		m.GHL, m.GHLHash, m.GHLAt = GHLPresent, "", now
	}
	return true
}

// schedule sets when delivery looks at the row next. It is called after every
// change of the row that is not a call's own end.
func (m *Mapping) schedule(now time.Time) {
	switch {
	case !m.LeaseUntil.IsZero():
		m.NextAttempt = time.Time{} // the end of the call in flight schedules what is next
	case m.Parked != "", m.Hold == Held, m.Settled():
		m.NextAttempt = time.Time{}
	case m.Call != nil && m.Call.State == Unknown && !m.overtakes():
		m.NextAttempt = later(now, m.Call.SettlesAt)
	case m.Call == nil && !m.UnsettledUntil.IsZero() && m.GHL != GHLPresent:
		m.NextAttempt = later(now, m.UnsettledUntil)
	default:
		m.NextAttempt = now
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
