package bookcheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"ghlsync/ghl/sandbox"
)

// Result is what a comparison found.
type Result struct {
	Events       int      // that Sentra wants in GHL
	Appointments int      // in the book
	Differences  []string // none if the book equals Sentra
}

// Compare reads both ends. sandboxURL is the sandbox's root.
func Compare(ctx context.Context, sentra Querier, sandboxURL string) (Result, error) {
	events, err := Events(ctx, sentra)
	if err != nil {
		return Result{}, err
	}
	book, err := readBook(ctx, sandboxURL)
	if err != nil {
		return Result{}, fmt.Errorf("read the appointment book: %w", err)
	}
	return Result{Events: len(events), Appointments: len(book), Differences: differences(events, book)}, nil
}

// client keeps no connection, so that none is left behind, and knows no proxy:
// the sandbox is on this machine.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

func readBook(ctx context.Context, sandboxURL string) (book []sandbox.Appointment, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, sandboxURL+"/sandbox/appointments", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the sandbox answers %s", resp.Status)
	}
	return book, json.NewDecoder(resp.Body).Decode(&book)
}

// differences says what of the book is not as Sentra wants it, in the order of
// the events.
func differences(events []Event, book []sandbox.Appointment) []string {
	bookedAs := make(map[string]string) // event ids by the appointment that the event was made from
	for _, e := range events {
		if e.Booked != "" {
			bookedAs[e.Booked] = e.ID
		}
	}
	// GHL's own do not carry the event's id until Sentra edits it.
	owner := func(a sandbox.Appointment) string {
		if a.SentraEventID == "" {
			return bookedAs[a.ID]
		}
		return a.SentraEventID
	}
	book = slices.DeleteFunc(slices.Clone(book), func(a sandbox.Appointment) bool { return !a.TakesPlace() })
	found := make(map[string][]sandbox.Appointment)
	for _, a := range book {
		found[owner(a)] = append(found[owner(a)], a)
	}
	var wrong []string
	for _, e := range events {
		wrong = append(wrong, e.compare(found[e.ID])...)
		delete(found, e.ID)
	}
	for _, a := range book {
		if _, left := found[owner(a)]; left {
			wrong = append(wrong, fmt.Sprintf("appointment %s (event %q, %q) is nothing that Sentra wants", a.ID, a.SentraEventID, a.EventTitle))
		}
	}
	return wrong
}

// compare judges an event by its appointments, of which there should be one.
func (e Event) compare(found []sandbox.Appointment) []string {
	if len(found) == 0 {
		return []string{fmt.Sprintf("event %s (%s, %q) has no appointment", e.ID, e.EventType, e.EventTitle)}
	}
	var wrong []string
	if len(found) > 1 {
		ids := make([]string, len(found))
		for i, a := range found {
			ids[i] = a.ID
		}
		wrong = append(wrong, fmt.Sprintf("event %s has %d appointments: %s", e.ID, len(found), strings.Join(ids, ", ")))
	}
	a := found[0]
	if e.Booked != "" && a.ID != e.Booked {
		wrong = append(wrong, fmt.Sprintf("event %s was booked as %s, and yet has appointment %s", e.ID, e.Booked, a.ID))
	}
	if a.SentraEventID == "" {
		return wrong // as GHL booked it: nothing was sent, so there is nothing to compare
	}
	if a.Booking != nil {
		e = e.overAPI(a.Fields)
	}
	return append(wrong, e.compareFields(a.Fields)...)
}

// overAPI is the event as far as the calendar API can say it. Its appointments
// have no client id and no timestamps of Sentra's, a contact's phone and name
// are GHL's own, a day ends at the next one's 00:00, and no space stands before
// the marker.
func (e Event) overAPI(ghl sandbox.Fields) Event {
	e.ClientID, e.ClientPhone, e.ClientName = ghl.ClientID, ghl.ClientPhone, ghl.ClientName
	e.CreatedAt, e.UpdatedAt = ghl.CreatedAt, ghl.UpdatedAt
	e.Description = strings.TrimRight(e.Description, " \t\r\n")
	if strings.EqualFold(strings.TrimSpace(e.ClientEmail), ghl.ClientEmail) {
		e.ClientEmail = ghl.ClientEmail
	}
	if day, err := time.Parse(time.DateOnly, e.EndDate); err == nil && e.EndTime == "24:00" {
		e.EndDate, e.EndTime = day.AddDate(0, 0, 1).Format(time.DateOnly), "00:00"
	}
	return e
}

func (e Event) compareFields(ghl sandbox.Fields) []string {
	var wrong []string
	for _, f := range []struct{ name, sentra, ghl string }{
		{"client_id", fmt.Sprint(e.ClientID), fmt.Sprint(ghl.ClientID)},
		{"client_email", e.ClientEmail, ghl.ClientEmail},
		{"client_phone", e.ClientPhone, ghl.ClientPhone},
		{"client_name", e.ClientName, ghl.ClientName},
		{"event_title", e.EventTitle, ghl.EventTitle},
		{"event_type", e.EventType, ghl.EventType},
		{"start_date", e.StartDate, ghl.StartDate},
		{"end_date", e.EndDate, ghl.EndDate},
		{"start_time", e.StartTime, ghl.StartTime},
		{"end_time", e.EndTime, ghl.EndTime},
		{"description", e.Description, ghl.Description},
		{"created_at", text(e.CreatedAt), text(ghl.CreatedAt)},
	} {
		if f.sentra != f.ghl {
			wrong = append(wrong, fmt.Sprintf("event %s: %s is %s in Sentra and %s in GHL", e.ID, f.name, short(f.sentra), short(f.ghl)))
		}
	}
	// Both are UTC of one form.
	if text(ghl.UpdatedAt) > text(e.UpdatedAt) {
		wrong = append(wrong, fmt.Sprintf("event %s: updated_at is %s in Sentra and, later, %s in GHL", e.ID, text(e.UpdatedAt), text(ghl.UpdatedAt)))
	}
	return wrong
}

func text(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// short quotes a value, the start of a long one.
func short(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%q… (%d bytes)", strings.ToValidUTF8(s[:60], ""), len(s))
	}
	return fmt.Sprintf("%q", s)
}
