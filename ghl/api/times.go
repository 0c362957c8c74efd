package api

import (
	"errors"
	"fmt"
	"time"
)

// timeFormat is RFC 3339 with a numeric offset, UTC included.
const timeFormat = "2006-01-02T15:04:05-07:00"

// defaultLength is how long an event is whose end says nothing: GHL's own default
// for a slot.
const defaultLength = 30 * time.Minute

// span is when an appointment is. End is after start.
type span struct{ start, end time.Time }

// spanOf reads an event's dates (2006-01-02) and times of day (15:04, or
// 15:04:05) as a clock in the zone shows them.
//
// 24:00 is the midnight at the end of its day. A time that the clock skips when
// it is put forward is read as it stood before: 02:30 becomes 03:30. One that it
// shows twice is the first of the two. (Both as in java.time, ICU and
// JavaScript's Temporal.)
//
// Nothing in Sentra keeps an end behind its start. One that is not, on the same
// date, is taken for the next day's if the event is shorter than twelve hours
// then: 22:00 to 01:00. The hours of an event that was meant for the afternoon,
// 11:00 to 1:00, are more than that: it gets half an hour, like any other whose
// end is not behind its start.
func spanOf(startDate, startTime, endDate, endTime string, zone *time.Location) (span, error) {
	start, err := readLocal(startDate, startTime)
	if err != nil {
		return span{}, fmt.Errorf("read the start: %w", err)
	}
	end, err := readLocal(endDate, endTime)
	if err != nil {
		return span{}, fmt.Errorf("read the end: %w", err)
	}
	if nextDay := end.AddDate(0, 0, 1); !end.After(start) && startDate == endDate && nextDay.Sub(start) < 12*time.Hour {
		end = nextDay
	}
	if !end.After(start) {
		end = start.Add(defaultLength)
	}
	s := span{start: inZone(start, zone), end: inZone(end, zone)}
	if !s.end.After(s.start) {
		// The start was put behind a gap, and the end lies within.
		s.end = s.start.Add(end.Sub(start))
	}
	if s.start.Year() < 0 || s.end.Year() > 9999 {
		return span{}, errors.New("year has no four digits")
	}
	return s, nil
}

// readLocal gives what a clock and a calendar show, with UTC in place of a zone.
func readLocal(date, clock string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{}, errors.New("date is not one") // the error has the value in it
	}
	if clock == "24:00" || clock == "24:00:00" {
		return day.AddDate(0, 0, 1), nil
	}
	for _, layout := range []string{"15:04", time.TimeOnly} {
		if t, err := time.Parse(layout, clock); err == nil {
			return day.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second), nil
		}
	}
	return time.Time{}, errors.New("time of day is not one")
}

// inZone gives the instant at which clocks in the zone show local. time.Date
// does not say which one it takes where there are two or none.
func inZone(local time.Time, zone *time.Location) time.Time {
	year, month, day := local.Date()
	guess := time.Date(year, month, day, local.Hour(), local.Minute(), local.Second(), 0, zone)
	since, until := guess.ZoneBounds()
	before, about, after := offsetAt(since.Add(-time.Second)), offsetAt(guess), offsetAt(until)
	var first time.Time
	for _, offset := range []int{before, about, after} {
		if at := back(local, offset, zone); offsetAt(at) == offset && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if !first.IsZero() {
		return first
	}
	// The clock was put forward over local, either where guess's offset ends or
	// where it begins.
	if at := back(local, about, zone); !until.IsZero() && !at.Before(until) {
		return at
	}
	return back(local, before, zone)
}

// back turns local into the instant at which a clock with the offset shows it.
func back(local time.Time, offset int, zone *time.Location) time.Time {
	return local.Add(-time.Duration(offset) * time.Second).In(zone)
}

func offsetAt(t time.Time) int {
	_, offset := t.Zone()
	return offset
}
