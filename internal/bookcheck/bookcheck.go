// Package bookcheck compares the sandbox's appointment book with Sentra: the one
// by HTTP, the other by SQL, and neither through the daemon's own code, so that
// an error in the translation shows. Demo, tests and benchmarks end with it.
package bookcheck

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sort"
	"strings"

	"github.com/jackc/pgx/v5"
)

// entry is what both ends say of one event. updated_at is left out: a touch of it
// alone is not sent.
type entry struct {
	ClientID    int64   `json:"client_id"`
	ClientEmail string  `json:"client_email"`
	ClientPhone string  `json:"client_phone"`
	ClientName  string  `json:"client_name"`
	EventTitle  string  `json:"event_title"`
	EventType   string  `json:"event_type"`
	StartDate   string  `json:"start_date"`
	EndDate     string  `json:"end_date"`
	StartTime   string  `json:"start_time"`
	EndTime     string  `json:"end_time"`
	Description string  `json:"description"`
	CreatedAt   *string `json:"created_at"`
}

// wanted is every onboarding and handover event with its client, in the words of
// the guide's payload, leaving out those that carry the marker of an appointment
// booked in GHL.
const wanted = `
SELECT e.id, e.client_id, c.email, coalesce(c.phone, ''), coalesce(nullif(btrim(c.business_name), ''), c.name),
       e.title, e.type, to_char(e.start_date, 'YYYY-MM-DD'), to_char(e.end_date, 'YYYY-MM-DD'), left(e.start_time::text, 5), left(e.end_time::text, 5),
       coalesce(e.description, ''), to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
FROM calendar_events e JOIN clients c ON c.id = e.client_id
WHERE e.type IN ('onboarding', 'handover') AND coalesce(e.description, '') !~ '(^|\n)Appointment ID:'`

// Result is what a comparison found.
type Result struct {
	Events       int      // that Sentra wants in GHL
	Appointments int      // in the book
	Differences  []string // sorted; empty if the book equals Sentra
}

// Equal reports whether the book equals Sentra.
func (r Result) Equal() bool { return len(r.Differences) == 0 }

// Compare reads both ends. sandboxURL is the sandbox's root. An error means that
// one of them could not be read, and says nothing of equality.
func Compare(ctx context.Context, conn *pgx.Conn, sandboxURL string) (Result, error) {
	events, err := readEvents(ctx, conn)
	if err != nil {
		return Result{}, fmt.Errorf("read events: %w", err)
	}
	book, err := readBook(ctx, sandboxURL)
	if err != nil {
		return Result{}, fmt.Errorf("read appointment book: %w", err)
	}
	r := Result{Events: len(events)}
	for id, appointments := range book {
		r.Appointments += len(appointments)
		if _, ok := events[id]; !ok {
			r.add("event %s is not in Sentra and has %d appointments", id, len(appointments))
		}
	}
	for id, event := range events {
		switch appointments := book[id]; {
		case len(appointments) == 0:
			r.add("event %s has no appointment", id)
		case len(appointments) > 1:
			r.add("event %s has %d appointments", id, len(appointments))
		default:
			r.compare(id, event, appointments[0])
		}
	}
	sort.Strings(r.Differences)
	return r, nil
}

func (r *Result) add(format string, args ...any) {
	r.Differences = append(r.Differences, fmt.Sprintf(format, args...))
}

// compare names the fields that differ, not their values: descriptions are long.
func (r *Result) compare(id string, want, got entry) {
	w, g := want.fields(), got.fields()
	var names []string
	for name := range w {
		if w[name] != g[name] {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		sort.Strings(names)
		r.add("event %s differs in %s", id, strings.Join(names, ", "))
	}
}

func (e entry) fields() map[string]string {
	created := "null"
	if e.CreatedAt != nil {
		created = *e.CreatedAt
	}
	return map[string]string{
		"client_id": fmt.Sprint(e.ClientID), "client_email": e.ClientEmail, "client_phone": e.ClientPhone,
		"client_name": e.ClientName, "event_title": e.EventTitle, "event_type": e.EventType,
		"start_date": e.StartDate, "end_date": e.EndDate, "start_time": e.StartTime, "end_time": e.EndTime,
		"description": e.Description, "created_at": created,
	}
}

func readEvents(ctx context.Context, conn *pgx.Conn) (map[string]entry, error) {
	rows, err := conn.Query(ctx, wanted)
	if err != nil {
		return nil, err
	}
	events := make(map[string]entry)
	var id string
	var e entry
	_, err = pgx.ForEachRow(rows, []any{
		&id, &e.ClientID, &e.ClientEmail, &e.ClientPhone, &e.ClientName, &e.EventTitle, &e.EventType,
		&e.StartDate, &e.EndDate, &e.StartTime, &e.EndTime, &e.Description, &e.CreatedAt,
	}, func() error {
		events[id] = e
		e.CreatedAt = nil
		return nil
	})
	return events, err
}

func readBook(ctx context.Context, sandboxURL string) (map[string][]entry, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, sandboxURL+"/sandbox/appointments", http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end or given up: nothing to lose
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the sandbox answers HTTP %d", resp.StatusCode)
	}
	var appointments []struct {
		EventID string `json:"sentra_event_id"`
		entry
	}
	if err := json.NewDecoder(resp.Body).Decode(&appointments); err != nil {
		return nil, err
	}
	book := make(map[string][]entry)
	for _, a := range appointments {
		book[a.EventID] = append(book[a.EventID], a.entry)
	}
	return book, nil
}
