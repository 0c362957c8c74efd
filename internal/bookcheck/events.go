package bookcheck

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl/sandbox"
)

// Event is an onboarding or handover event as Sentra has it, in the guide's
// words.
type Event struct {
	ID string
	// Booked is the appointment that the description says the event was made
	// from; empty for events of Sentra's own.
	Booked string
	sandbox.Fields
}

// Querier is a connection to Sentra's database.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const wantedEvents = `
	SELECT e.id::text, COALESCE(substring(e.description from '(?n)^Appointment ID:\s*(\S+)'), ''),
		e.client_id, c.email, COALESCE(c.phone, ''), COALESCE(NULLIF(btrim(c.business_name), ''), c.name),
		e.title, e.type, to_char(e.start_date, 'YYYY-MM-DD'), to_char(e.end_date, 'YYYY-MM-DD'),
		left(e.start_time::text, 5), left(e.end_time::text, 5), COALESCE(e.description, ''),
		to_char(e.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
		to_char(e.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
	FROM calendar_events e JOIN clients c ON c.id = e.client_id
	WHERE e.type IN ('onboarding', 'handover')
	ORDER BY e.id`

// Events reads the events that GHL should have.
func Events(ctx context.Context, sentra Querier) ([]Event, error) {
	rows, err := sentra.Query(ctx, wantedEvents)
	if err != nil {
		return nil, fmt.Errorf("read Sentra's events: %w", err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e Event, err error) {
		err = row.Scan(&e.ID, &e.Booked, &e.ClientID, &e.ClientEmail, &e.ClientPhone, &e.ClientName,
			&e.EventTitle, &e.EventType, &e.StartDate, &e.EndDate, &e.StartTime, &e.EndTime, &e.Description,
			&e.CreatedAt, &e.UpdatedAt)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("read Sentra's events: %w", err)
	}
	return all, nil
}
