package sandbox

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Weeks of the two views, and what a day of them shows at most.
const (
	weeksMany, entriesMany = 6, 8
	weeksOne, entriesOne   = 1, 200
)

// span is the part of the calendar that is looked at: weeks from a Monday on.
type span struct {
	from  time.Time
	weeks int
	today string
	asked bool // for that day, so that the weeks do not move on with time
}

// readSpan takes ?from=YYYY-MM-DD and ?weeks=1; what cannot be read is today,
// and six weeks.
func readSpan(r *http.Request, now time.Time) span {
	s := span{weeks: weeksMany, today: now.Local().Format(time.DateOnly)}
	if r.URL.Query().Get("weeks") == "1" {
		s.weeks = weeksOne
	}
	day, err := time.Parse(time.DateOnly, r.URL.Query().Get("from"))
	s.asked = err == nil
	if !s.asked {
		day, _ = time.Parse(time.DateOnly, s.today) // as it was written above
	}
	s.from = monday(day)
	return s
}

func monday(day time.Time) time.Time { return day.AddDate(0, 0, -(int(day.Weekday())+6)%7) }

// URL is the page with this span.
func (s span) URL() string { return s.at("/") }

// Action is where a form of the page goes, which comes back to this span.
func (s span) Action(name string) string { return s.at("/sandbox/page/" + name) }

func (s span) at(path string) string {
	q := url.Values{}
	if s.asked {
		q.Set("from", s.from.Format(time.DateOnly))
	}
	if s.weeks == weeksOne {
		q.Set("weeks", "1")
	}
	return (&url.URL{Path: path, RawQuery: q.Encode()}).String()
}

// show is the span of other weeks; the zero day is today's.
func (s span) show(day time.Time, weeks int) span {
	s.asked, s.weeks = !day.IsZero(), weeks
	if s.asked {
		s.from = monday(day)
	}
	return s
}

// Before, After, Today, Week and Six are the addresses of other spans. Six weeks
// move on by four, so that the eye finds its place again.
func (s span) Before() string { return s.show(s.from.AddDate(0, 0, -7*s.step()), s.weeks).URL() }

// After is later weeks.
func (s span) After() string { return s.show(s.from.AddDate(0, 0, 7*s.step()), s.weeks).URL() }

// Today is where today is.
func (s span) Today() string { return s.show(time.Time{}, s.weeks).URL() }

// Week is the first of these weeks alone.
func (s span) Week() string { return s.show(s.from, weeksOne).URL() }

// Six is six weeks from the same on.
func (s span) Six() string { return s.show(s.from, weeksMany).URL() }

// One tells of a single week.
func (s span) One() bool { return s.weeks == weeksOne }

func (s span) step() int { return max(1, s.weeks-2) }

// Title is the first day to the last.
func (s span) Title() string {
	last := s.from.AddDate(0, 0, 7*s.weeks-1)
	return s.from.Format("2 Jan 2006") + " – " + last.Format("2 Jan 2006")
}

// day is a field of the calendar.
type day struct {
	Date, Label string
	Name, Month string // of weekday and month; Month is empty where Label has it
	Today, Even bool   // Even tells neighbouring months apart
	Entries     []entry
	More        int    // entries that found no room
	Week        string // the address where they do
}

// entry is an appointment in the calendar.
type entry struct {
	Appointment
	span
}

// Mark is the letter of the event's type.
func (e entry) Mark() string {
	first, _ := utf8.DecodeRuneInString(e.EventType)
	if first == utf8.RuneError {
		return "?"
	}
	return string(unicode.ToUpper(first))
}

// Kind is the type's class in the style sheet.
func (e entry) Kind() string {
	switch e.EventType {
	case "onboarding", "handover":
		return e.EventType
	}
	return "other"
}

// Until is the end, with its date where that is another one.
func (e entry) Until() string {
	if e.EndDate == e.StartDate {
		return e.EndTime
	}
	return e.EndTime + " on " + e.EndDate
}

// About is the beginning of the description.
func (e entry) About() string { return shortened(e.Description, 300) }

// fill puts a book into the weeks, and tells apart what has no date.
func (s span) fill(book []Appointment) (weeks [][]day, undated []entry) {
	byDate := make(map[string][]entry)
	for _, a := range book {
		if _, err := time.Parse(time.DateOnly, a.StartDate); err != nil {
			undated = append(undated, entry{a, s})
			continue
		}
		byDate[a.StartDate] = append(byDate[a.StartDate], entry{a, s})
	}
	for w := range s.weeks {
		week := make([]day, 7)
		for d := range week {
			week[d] = s.day(s.from.AddDate(0, 0, 7*w+d), byDate)
		}
		weeks = append(weeks, week)
	}
	return weeks, undated[:min(len(undated), entriesOne)]
}

func (s span) day(at time.Time, byDate map[string][]entry) day {
	date := at.Format(time.DateOnly)
	d := day{
		Date: date, Label: at.Format("2"), Name: at.Format("Mon"), Month: at.Format("Jan"), Today: date == s.today,
		Even: at.Month()%2 == 0, Entries: byDate[date], Week: s.show(at, weeksOne).URL(),
	}
	if at.Day() == 1 || at.Equal(s.from) {
		d.Label, d.Month = at.Format("2 Jan"), ""
	}
	slices.SortStableFunc(d.Entries, func(a, b entry) int {
		return cmp.Or(strings.Compare(a.StartTime, b.StartTime), strings.Compare(a.ID, b.ID))
	})
	room := entriesMany
	if s.One() {
		room = entriesOne
	}
	if d.More = len(d.Entries) - room; d.More > 0 {
		d.Entries = d.Entries[:room]
	}
	return d
}

// month is one that has appointments.
type month struct {
	Key, Name string
	Count     int
	URL       string
}

func months(book []Appointment, s span) []month {
	counts := make(map[string]int)
	for _, a := range book {
		if day, err := time.Parse(time.DateOnly, a.StartDate); err == nil {
			counts[day.Format("2006-01")]++
		}
	}
	list := make([]month, 0, len(counts))
	for key, n := range counts {
		first, err := time.Parse("2006-01", key)
		if err == nil { // as it was written above
			list = append(list, month{key, first.Format("Jan 2006"), n, s.show(first, weeksMany).URL()})
		}
	}
	slices.SortFunc(list, func(a, b month) int { return strings.Compare(a.Key, b.Key) })
	return list
}
