package pipeline

import (
	"fmt"
	"time"

	"ghlsync/cdc"
)

// Backfill says what becomes of events that exist when the daemon starts for the
// first time.
type Backfill string

// None assumes that all of them are in GHL already, Upcoming pushes those whose
// end is not past and assumes the rest, All pushes all.
const (
	BackfillNone     Backfill = "none"
	BackfillUpcoming Backfill = "upcoming"
	BackfillAll      Backfill = "all"
)

// ParseBackfill reads SENTRA_BACKFILL.
func ParseBackfill(s string) (Backfill, error) {
	switch b := Backfill(s); b {
	case BackfillNone, BackfillUpcoming, BackfillAll:
		return b, nil
	}
	return "", fmt.Errorf("unknown backfill %q: use none, upcoming or all", s)
}

// assumes reports whether a row of the baseline is taken to be in GHL. A row
// whose end cannot be read is: it cannot be shown in GHL either.
func (b Backfill) assumes(row *cdc.Row, now time.Time, zone *time.Location) bool {
	switch b {
	case BackfillAll:
		return false
	case BackfillUpcoming:
		end, ok := endOf(row, zone)
		return !ok || end.Before(now)
	default:
		return true
	}
}

// endOf is when the event ends. Sentra's dates and times have no zone: they are
// local to the business. 24:00 is the start of the next day.
func endOf(row *cdc.Row, zone *time.Location) (time.Time, bool) {
	day, err := time.ParseInLocation(time.DateOnly, row.Text(cdc.EndDate), zone)
	if err != nil {
		return time.Time{}, false
	}
	var hour, minute int
	if _, err := fmt.Sscanf(row.Text(cdc.EndTime), "%d:%d", &hour, &minute); err != nil {
		return time.Time{}, false
	}
	return time.Date(day.Year(), day.Month(), day.Day(), hour, minute, 0, 0, zone), true
}
