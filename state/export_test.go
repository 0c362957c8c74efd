package state

import "time"

// HoldRetraction is what the fuse does to one row.
func HoldRetraction(m *Mapping, now time.Time) bool {
	if !m.holdable() {
		return false
	}
	m.hold(now)
	return true
}
