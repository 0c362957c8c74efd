package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// most is how many events the page shows.
const most = 300

// kinds are the types that an event can have; GHL has the first two.
var kinds = []string{"onboarding", "handover", "firstdraft", "seconddraft"}

// event is a row, as text.
type event struct {
	ID, Type, Title, StartDate, EndDate, StartTime, EndTime, Description, Client string
}

// InGHL tells whether Sentra shows events of this type in GHL.
func (e event) InGHL() bool { return slices.Contains(kinds[:2], e.Type) }

// Mark is the letter of the type.
func (e event) Mark() string {
	switch e.Type {
	case "onboarding":
		return "O"
	case "handover":
		return "H"
	}
	return "d"
}

// client is a row of the other table.
type client struct {
	ID   int64
	Name string
}

// connected lends a connection that lasts as long as the work.
func (d *Desk) connected(ctx context.Context, work func(*pgx.Conn) error) (err error) {
	conn, err := pgx.Connect(ctx, d.connection)
	if err != nil {
		return fmt.Errorf("connect to Sentra: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return work(conn)
}

func readEvents(ctx context.Context, conn *pgx.Conn) ([]event, error) {
	const query = `SELECT e.id, e.type, e.title, e.start_date::text, e.end_date::text,
			left(e.start_time::text, 5), left(e.end_time::text, 5), COALESCE(e.description, ''), COALESCE(NULLIF(c.business_name, ''), c.name)
		FROM calendar_events e JOIN clients c ON c.id = e.client_id
		ORDER BY e.start_date, e.start_time, e.id LIMIT $1`
	rows, err := conn.Query(ctx, query, most)
	if err != nil {
		return nil, fmt.Errorf("read the events: %w", err)
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[event])
	if err != nil {
		return nil, fmt.Errorf("read the events: %w", err)
	}
	return events, nil
}

func readClients(ctx context.Context, conn *pgx.Conn) ([]client, error) {
	rows, err := conn.Query(ctx, `SELECT id, COALESCE(NULLIF(business_name, ''), name) FROM clients ORDER BY id LIMIT $1`, most)
	if err != nil {
		return nil, fmt.Errorf("read the clients: %w", err)
	}
	clients, err := pgx.CollectRows(rows, pgx.RowToStructByPos[client])
	if err != nil {
		return nil, fmt.Errorf("read the clients: %w", err)
	}
	return clients, nil
}

func (d *Desk) create(r *http.Request) error {
	const insert = `INSERT INTO calendar_events
		(title, type, start_date, end_date, start_time, end_time, description, client_id)
		VALUES ($1, $2, $3::text::date, $4::text::date, $5::text::time, $6::text::time, NULLIF($7, ''), $8)`
	owner, err := strconv.ParseInt(r.PostFormValue("client"), 10, 32)
	if err != nil {
		return fmt.Errorf("client %q is not a client's number", r.PostFormValue("client"))
	}
	return d.change(r.Context(), insert, append(columns(r), owner)...)
}

func (d *Desk) edit(r *http.Request) error {
	const update = `UPDATE calendar_events SET
		title = $1, type = $2, start_date = $3::text::date, end_date = $4::text::date,
		start_time = $5::text::time, end_time = $6::text::time, description = NULLIF($7, ''), updated_at = NOW()
		WHERE id = $8`
	return d.change(r.Context(), update, append(columns(r), r.PostFormValue("id"))...)
}

func (d *Desk) remove(r *http.Request) error {
	return d.change(r.Context(), `DELETE FROM calendar_events WHERE id = $1`, r.PostFormValue("id"))
}

// columns are the fields that create and edit share.
func columns(r *http.Request) []any {
	names := []string{"title", "type", "start_date", "end_date", "start_time", "end_time", "description"}
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = r.PostFormValue(name)
	}
	return values
}

// change runs a statement that must change a row. What Sentra says against it is
// the error's text.
func (d *Desk) change(ctx context.Context, sql string, args ...any) error {
	return d.connected(ctx, func(conn *pgx.Conn) error {
		tag, err := conn.Exec(ctx, sql, args...)
		if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
			return fmt.Errorf("refused by Sentra: %s", refusal.Message)
		}
		if err != nil {
			return fmt.Errorf("change Sentra: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return errors.New("somebody else has deleted it")
		}
		return nil
	})
}
