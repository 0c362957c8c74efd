package api

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func zone(t interface {
	Helper()
	Fatal(...any)
}, name string,
) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		zone, startDate, startTime, endDate, endTime string
		start, end                                   string // "": refused
	}{
		"guide":            {"UTC", "2024-01-15", "10:00", "2024-01-15", "11:00", "2024-01-15T10:00:00+00:00", "2024-01-15T11:00:00+00:00"},
		"winter":           {"Europe/Berlin", "2026-01-15", "10:00", "2026-01-15", "11:00", "2026-01-15T10:00:00+01:00", "2026-01-15T11:00:00+01:00"},
		"summer":           {"Europe/Berlin", "2026-07-15", "10:00", "2026-07-15", "11:00", "2026-07-15T10:00:00+02:00", "2026-07-15T11:00:00+02:00"},
		"half an hour off": {"Asia/Kolkata", "2026-07-15", "10:00", "2026-07-15", "11:00", "2026-07-15T10:00:00+05:30", "2026-07-15T11:00:00+05:30"},
		"several days":     {"America/New_York", "2026-03-07", "22:00", "2026-03-09", "06:00", "2026-03-07T22:00:00-05:00", "2026-03-09T06:00:00-04:00"},
		"seconds":          {"UTC", "2026-01-15", "10:00:05", "2026-01-15", "11:00:00.25", "2026-01-15T10:00:05+00:00", "2026-01-15T11:00:00+00:00"},

		// Midnight.
		"ends at 24:00":     {"Europe/Berlin", "2026-01-15", "23:00", "2026-01-15", "24:00", "2026-01-15T23:00:00+01:00", "2026-01-16T00:00:00+01:00"},
		"starts at 24:00":   {"UTC", "2026-12-31", "24:00", "2027-01-01", "01:00", "2027-01-01T00:00:00+00:00", "2027-01-01T01:00:00+00:00"},
		"24:00 to 24:00":    {"UTC", "2026-12-31", "24:00", "2026-12-31", "24:00", "2027-01-01T00:00:00+00:00", "2027-01-01T00:30:00+00:00"},
		"24:00 is a gap":    {"America/Havana", "2026-03-07", "23:00", "2026-03-07", "24:00", "2026-03-07T23:00:00-05:00", "2026-03-08T01:00:00-04:00"},
		"24:00 of year end": {"UTC", "9999-12-31", "23:00", "9999-12-31", "24:00", "", ""},

		// The end is not behind the start.
		"over midnight":    {"UTC", "2026-01-15", "22:00", "2026-01-15", "01:00", "2026-01-15T22:00:00+00:00", "2026-01-16T01:00:00+00:00"},
		"until midnight":   {"UTC", "2026-01-15", "22:00", "2026-01-15", "00:00", "2026-01-15T22:00:00+00:00", "2026-01-16T00:00:00+00:00"},
		"afternoon meant":  {"UTC", "2026-01-15", "11:00", "2026-01-15", "01:00", "2026-01-15T11:00:00+00:00", "2026-01-15T11:30:00+00:00"},
		"just twelve":      {"UTC", "2026-01-15", "15:00", "2026-01-15", "03:00", "2026-01-15T15:00:00+00:00", "2026-01-15T15:30:00+00:00"},
		"no length":        {"UTC", "2026-01-15", "10:00", "2026-01-15", "10:00", "2026-01-15T10:00:00+00:00", "2026-01-15T10:30:00+00:00"},
		"ends days before": {"UTC", "2026-01-15", "22:00", "2026-01-14", "23:00", "2026-01-15T22:00:00+00:00", "2026-01-15T22:30:00+00:00"},

		// The clock is put forward: 02:00 to 03:00 does not exist.
		"gap":                {"Europe/Berlin", "2026-03-29", "02:30", "2026-03-29", "04:00", "2026-03-29T03:30:00+02:00", "2026-03-29T04:00:00+02:00"},
		"gap's first":        {"Europe/Berlin", "2026-03-29", "02:00", "2026-03-29", "02:45", "2026-03-29T03:00:00+02:00", "2026-03-29T03:45:00+02:00"},
		"gap behind its end": {"Europe/Berlin", "2026-03-29", "02:30", "2026-03-29", "03:15", "2026-03-29T03:30:00+02:00", "2026-03-29T04:15:00+02:00"},
		"over a gap":         {"Europe/Berlin", "2026-03-29", "01:30", "2026-03-29", "03:00", "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"},
		"gap in the west":    {"America/New_York", "2026-03-08", "02:30", "2026-03-08", "05:00", "2026-03-08T03:30:00-04:00", "2026-03-08T05:00:00-04:00"},
		"half-hour gap":      {"Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-04", "03:00", "2026-10-04T02:45:00+11:00", "2026-10-04T03:00:00+11:00"},
		"a day left out":     {"Pacific/Apia", "2011-12-30", "10:00", "2011-12-31", "11:00", "2011-12-31T10:00:00+14:00", "2011-12-31T11:00:00+14:00"},

		// It is put back: 02:00 to 03:00 is there twice.
		"overlap":             {"Europe/Berlin", "2026-10-25", "02:30", "2026-10-25", "02:45", "2026-10-25T02:30:00+02:00", "2026-10-25T02:45:00+02:00"},
		"overlap until after": {"Europe/Berlin", "2026-10-25", "02:30", "2026-10-25", "03:00", "2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"},
		"overlap's last":      {"Europe/Berlin", "2026-10-25", "01:00", "2026-10-25", "03:00", "2026-10-25T01:00:00+02:00", "2026-10-25T03:00:00+01:00"},
		"overlap in the west": {"America/New_York", "2026-11-01", "01:30", "2026-11-01", "02:30", "2026-11-01T01:30:00-04:00", "2026-11-01T02:30:00-05:00"},

		"no date":        {"UTC", "", "10:00", "2026-01-15", "11:00", "", ""},
		"no such date":   {"UTC", "2026-02-30", "10:00", "2026-02-30", "11:00", "", ""},
		"infinity":       {"UTC", "infinity", "10:00", "infinity", "11:00", "", ""},
		"no time":        {"UTC", "2026-01-15", "", "2026-01-15", "11:00", "", ""},
		"no end":         {"UTC", "2026-01-15", "10:00", "2026-01-15", "", "", ""},
		"no such time":   {"UTC", "2026-01-15", "25:00", "2026-01-15", "26:00", "", ""},
		"more than full": {"UTC", "2026-01-15", "10:00", "2026-01-15", "24:01", "", ""},
	} {
		s, err := spanOf(test.startDate, test.startTime, test.endDate, test.endTime, zone(t, test.zone))
		if test.start == "" {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			continue
		}
		if err != nil || s.start.Format(timeFormat) != test.start || s.end.Format(timeFormat) != test.end {
			t.Errorf("%s: %s to %s, %v; want %s to %s", name, s.start.Format(timeFormat), s.end.Format(timeFormat), err, test.start, test.end)
		}
	}
}

// Whatever the zone does: where a clock shows the time, it is the first instant
// at which it does; where none does, the clock then stands later, by as much as
// it was put forward; and the end is behind the start.
func TestEveryTimeOfEveryZone(t *testing.T) {
	t.Parallel()
	zones := []string{
		"Europe/Berlin", "Europe/Dublin", "America/New_York", "America/Havana", "America/Sao_Paulo", "America/St_Johns", "Australia/Lord_Howe",
		"Africa/Casablanca", "Asia/Kathmandu", "Asia/Gaza", "Asia/Tehran", "Pacific/Apia", "Pacific/Chatham", "Antarctica/Troll", "UTC",
	}
	rapid.Check(t, func(t *rapid.T) {
		z := zone(t, rapid.SampledFrom(zones).Draw(t, "zone"))
		at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "at"), 0).In(z)
		if _, change := at.ZoneBounds(); !change.IsZero() && rapid.Bool().Draw(t, "near a change") {
			at = change.Add(time.Duration(rapid.IntRange(-7200, 7200).Draw(t, "from it")) * time.Second)
		}
		local := at.UTC().Add(time.Duration(offsetAt(at)+rapid.IntRange(-7200, 7200).Draw(t, "off")) * time.Second)
		length := time.Duration(rapid.IntRange(-3000, 3000).Draw(t, "minutes")) * time.Minute
		end := local.Add(length)
		s, err := spanOf(local.Format(time.DateOnly), local.Format(time.TimeOnly), end.Format(time.DateOnly), end.Format(time.TimeOnly), z)
		if err != nil {
			t.Fatal(err)
		}
		if !s.end.After(s.start) {
			t.Fatalf("ends at %s, starts at %s", s.end, s.start)
		}
		checkStart(t, local, s.start)
	})
}

func checkStart(t *rapid.T, local, start time.Time) {
	const shown = "2006-01-02 15:04:05"
	_, offset := start.Zone()
	// By brute force, with every offset that the zone has around that time.
	var first time.Time
	for hours := -50; hours <= 50; hours++ {
		at := local.Add(-time.Duration(offsetAt(start.Add(time.Duration(hours)*time.Hour))) * time.Second).In(start.Location())
		if at.Format(shown) == local.Format(shown) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	if !first.IsZero() {
		if !first.Equal(start) {
			t.Fatalf("%s is %s, got %s", local.Format(shown), first, start)
		}
		return
	}
	change, _ := start.ZoneBounds()
	if forward := offset - offsetAt(change.Add(-time.Second)); start.Format(shown) != local.Add(time.Duration(forward)*time.Second).Format(shown) {
		t.Fatalf("%s does not exist, got %s", local.Format(shown), start)
	}
}
