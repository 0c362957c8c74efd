package demo

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ghlsync/ghl/sandbox"
)

// admin is somebody who works in Sentra: statements as the app sends them, on
// one connection of its own. The script calls events by names; the ids come from
// the database.
type admin struct {
	conn     *pgx.Conn
	calendar *sandbox.Sandbox // in GHL, where clients book by themselves
	events   map[string]string
	signedUp int // clients so far
}

func newAdmin(conn *pgx.Conn, calendar *sandbox.Sandbox) *admin {
	return &admin{conn: conn, calendar: calendar, events: make(map[string]string)}
}

// event gives the id behind a name; what is no name is an id.
func (a *admin) event(name string) string {
	if id, ok := a.events[name]; ok {
		return id
	}
	return name
}

// querier is a connection or a transaction on it.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// fields are an event's columns as text. In an edit, empty ones stay as they are.
type fields struct {
	title, day, from, to, description, kind string
}

// signUp makes a client. GHL hears of it with the client's first event.
func (a *admin) signUp(ctx context.Context) (id int64, err error) {
	const insert = `INSERT INTO clients (name, business_name, email, phone, username, password)
		VALUES ('New client ' || $1, 'New business ' || $1, 'new' || $1 || '@example.com', '+1555020' || lpad($1, 4, '0'),
			'bait-new-user-' || $1, 'bait-new-password-' || $1)
		RETURNING id`
	a.signedUp++
	if err := a.conn.QueryRow(ctx, insert, strconv.Itoa(a.signedUp)).Scan(&id); err != nil {
		return 0, fmt.Errorf("insert a client: %w", err)
	}
	return id, nil
}

// insert books an event and remembers it under name. Like the app it makes the
// CHECK constraint anew each time, in statements of their own: for the stream the
// table is another one after that, so a fresh Relation message precedes the row.
func (a *admin) insert(ctx context.Context, name string, client int64, f fields) error {
	const recheck = `ALTER TABLE calendar_events ADD CONSTRAINT calendar_events_type_check
		CHECK (type IN ('onboarding', 'firstdraft', 'seconddraft', 'handover'))`
	if _, err := a.conn.Exec(ctx, `ALTER TABLE calendar_events DROP CONSTRAINT IF EXISTS calendar_events_type_check`); err != nil {
		return fmt.Errorf("drop the check on type: %w", err)
	}
	if _, err := a.conn.Exec(ctx, recheck); err != nil {
		return fmt.Errorf("make the check on type: %w", err)
	}
	id, err := insertRow(ctx, a.conn, "", client, f)
	if err != nil {
		return err
	}
	a.events[name] = id
	return nil
}

// insertRow inserts under the given id, or under the table's default.
func insertRow(ctx context.Context, q querier, id string, client int64, f fields) (string, error) {
	const insert = `INSERT INTO calendar_events
		(id, client_id, title, start_date, end_date, start_time, end_time, description, type)
		VALUES (COALESCE(NULLIF($1, ''), 'event-' || EXTRACT(EPOCH FROM NOW())::TEXT),
			$2, $3, $4::text::date, $4::text::date, $5::text::time, $6::text::time, NULLIF($7, ''), $8)
		RETURNING id`
	err := q.QueryRow(ctx, insert, id, client, f.title, f.day, f.from, f.to, f.description, f.kind).Scan(&id)
	if err != nil {
		return "", fmt.Errorf("insert an event: %w", err)
	}
	return id, nil
}

// edit is the app's update: what is not given stays, updated_at is set.
func edit(ctx context.Context, q querier, id string, f fields) error {
	const update = `UPDATE calendar_events SET
		title = COALESCE(NULLIF($2, ''), title),
		start_date = COALESCE(NULLIF($3, '')::date, start_date), end_date = COALESCE(NULLIF($3, '')::date, end_date),
		start_time = COALESCE(NULLIF($4, '')::time, start_time), end_time = COALESCE(NULLIF($5, '')::time, end_time),
		description = COALESCE(NULLIF($6, ''), description),
		type = COALESCE(NULLIF($7, ''), type),
		updated_at = NOW()
		WHERE id = $1`
	return change(ctx, q, update, id, f.title, f.day, f.from, f.to, f.description, f.kind)
}

func remove(ctx context.Context, q querier, id string) error {
	return change(ctx, q, `DELETE FROM calendar_events WHERE id = $1`, id)
}

// errNoRow is the end of a change for which there is no row: somebody else was
// quicker.
var errNoRow = errors.New("no such row")

// change sends one statement that must change something.
func change(ctx context.Context, q querier, sql string, args ...any) error {
	tag, err := q.Exec(ctx, sql, args...)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return errNoRow
	}
	return nil
}

// together runs statements in one transaction.
func (a *admin) together(ctx context.Context, statements func(pgx.Tx) error) error {
	return pgx.BeginFunc(ctx, a.conn, statements)
}

// bookInGHL makes an appointment in GHL's calendar, and then the event that
// Sentra's own handler makes of it: its description names the appointment.
func (a *admin) bookInGHL(ctx context.Context, name string, client int64, f fields) error {
	id := a.calendar.Put(sandbox.Appointment{Fields: sandbox.Fields{
		ClientID: client, EventTitle: f.title, EventType: f.kind,
		StartDate: f.day, EndDate: f.day, StartTime: f.from, EndTime: f.to,
	}})
	f.description = "Booked in GHL\nCalendar: Onboarding\nAppointment ID: " + id + "\nContact: client " + strconv.FormatInt(client, 10)
	return a.insert(ctx, name, client, f)
}
