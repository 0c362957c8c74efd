package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl/sandbox"
)

// want is an onboarding or handover event as Sentra has it, told in the guide's
// terms by SQL alone: nothing of the daemon's own translation is used.
type want struct {
	event string
	// booked is the appointment that the description says the event was made
	// from; empty for events of Sentra's own.
	booked string
	sandbox.Fields
}

const wantedEvents = `
	SELECT e.id, COALESCE(substring(e.description from '(?n)^Appointment ID:\s*(\S+)'), ''),
		e.client_id, c.email, COALESCE(c.phone, ''), COALESCE(NULLIF(btrim(c.business_name), ''), c.name),
		e.title, e.type, to_char(e.start_date, 'YYYY-MM-DD'), to_char(e.end_date, 'YYYY-MM-DD'),
		left(e.start_time::text, 5), left(e.end_time::text, 5), COALESCE(e.description, ''),
		to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		to_char(e.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
	FROM calendar_events e JOIN clients c ON c.id = e.client_id
	WHERE e.type IN ('onboarding', 'handover')
	ORDER BY e.id`

// readWanted reads the events that GHL should have.
func readWanted(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
},
) ([]want, error) {
	rows, err := q.Query(ctx, wantedEvents)
	if err != nil {
		return nil, fmt.Errorf("read Sentra's events: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (w want, err error) {
		err = row.Scan(&w.event, &w.booked, &w.ClientID, &w.ClientEmail, &w.ClientPhone, &w.ClientName,
			&w.EventTitle, &w.EventType, &w.StartDate, &w.EndDate, &w.StartTime, &w.EndTime, &w.Description,
			&w.CreatedAt, &w.UpdatedAt)
		return w, err
	})
	if err != nil {
		return nil, fmt.Errorf("read Sentra's events: %w", err)
	}
	return all, nil
}

// differences says what of GHL's book is not as Sentra wants it; none means
// that the two are equal.
func differences(wanted []want, book []sandbox.Appointment) []string {
	var wrong []string
	left := slices.Clone(book)
	for _, w := range wanted {
		mine := func(a sandbox.Appointment) bool { return w.owns(a) }
		i := slices.IndexFunc(left, mine)
		if i < 0 {
			wrong = append(wrong, fmt.Sprintf("event %s (%s, %q) has no appointment", w.event, w.EventType, w.EventTitle))
			continue
		}
		wrong = append(wrong, w.compare(left[i])...)
		left = slices.Delete(left, i, i+1)
	}
	for _, a := range left {
		wrong = append(wrong, fmt.Sprintf("appointment %s (event %q, %q) is nothing that Sentra wants, or a double", a.ID, a.SentraEventID, a.EventTitle))
	}
	return wrong
}

// owns tells the appointment of this event. One that was booked in GHL does not
// carry the event's id until Sentra edits it.
func (w want) owns(a sandbox.Appointment) bool {
	if a.SentraEventID == "" {
		return w.booked != "" && a.ID == w.booked
	}
	return a.SentraEventID == w.event
}

func (w want) compare(a sandbox.Appointment) []string {
	var wrong []string
	if w.booked != "" && a.ID != w.booked {
		wrong = append(wrong, fmt.Sprintf("event %s was booked as %s, and yet has appointment %s", w.event, w.booked, a.ID))
	}
	if a.SentraEventID == "" {
		return wrong // as GHL booked it: nothing was sent, so there is nothing to compare
	}
	for _, f := range []struct{ name, sentra, ghl string }{
		{"client_id", fmt.Sprint(w.ClientID), fmt.Sprint(a.ClientID)},
		{"client_email", w.ClientEmail, a.ClientEmail},
		{"client_phone", w.ClientPhone, a.ClientPhone},
		{"client_name", w.ClientName, a.ClientName},
		{"event_title", w.EventTitle, a.EventTitle},
		{"event_type", w.EventType, a.EventType},
		{"start_date", w.StartDate, a.StartDate},
		{"end_date", w.EndDate, a.EndDate},
		{"start_time", w.StartTime, a.StartTime},
		{"end_time", w.EndTime, a.EndTime},
		{"description", w.Description, a.Description},
		{"created_at", text(w.CreatedAt), text(a.CreatedAt)},
	} {
		if f.sentra != f.ghl {
			wrong = append(wrong, fmt.Sprintf("event %s: %s is %s in Sentra and %s in GHL", w.event, f.name, short(f.sentra), short(f.ghl)))
		}
	}
	// A mere touch is not sent, so GHL's may be older; both are UTC of one form.
	if text(a.UpdatedAt) > text(w.UpdatedAt) {
		wrong = append(wrong, fmt.Sprintf("event %s: updated_at is %s in Sentra and, later, %s in GHL", w.event, text(w.UpdatedAt), text(a.UpdatedAt)))
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
