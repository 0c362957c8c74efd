package demo

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/state"
)

// step is one change in Sentra and what GHL must hear of it.
type step struct {
	does  string // for people, about 36 characters
	event string // the event's name or id, shown where nothing is sent
	act   act
	calls []call // none: GHL must hear nothing
}

// act changes Sentra. It is committed, or rolled back, when it returns.
type act func(ctx context.Context, a *admin) error

// call is one call that GHL must get for an event, by name or id.
type call struct {
	operation state.Operation
	event     string
}

// later gives the date of a day from today on, as Sentra's form sends it.
func later(days int) string { return time.Now().AddDate(0, 0, days).Format(time.DateOnly) }

// booking is how the app makes an event.
func booking(name string, client int64, f fields) act {
	return func(ctx context.Context, a *admin) error { return a.insert(ctx, name, client, f) }
}

// newcomer is a booking for a client who has just signed up.
func newcomer(name string, f fields) act {
	return func(ctx context.Context, a *admin) error {
		client, err := a.signUp(ctx)
		if err != nil {
			return err
		}
		return a.insert(ctx, name, client, f)
	}
}

// editing is how the app changes an event.
func editing(name string, f fields) act {
	return func(ctx context.Context, a *admin) error { return edit(ctx, a.conn, a.event(name), f) }
}

// edits changes events in one transaction.
func edits(changes ...named) act {
	return func(ctx context.Context, a *admin) error {
		return a.together(ctx, func(tx pgx.Tx) error {
			for _, c := range changes {
				if err := edit(ctx, tx, a.event(c.name), c.fields); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// named is a change of the event of that name.
type named struct {
	name string
	fields
}

func deleting(name string) act {
	return func(ctx context.Context, a *admin) error { return remove(ctx, a.conn, a.event(name)) }
}

// deletingClient relies on the cascade, as the app does.
func deletingClient(client int64) act {
	return func(ctx context.Context, a *admin) error {
		return change(ctx, a.conn, `DELETE FROM clients WHERE id = $1`, client)
	}
}

// touching is an update that changes nothing anybody sees.
func touching(name string) act {
	return func(ctx context.Context, a *admin) error {
		return change(ctx, a.conn, `UPDATE calendar_events SET updated_at = NOW() WHERE id = $1`, a.event(name))
	}
}

// errThinkAgain rolls a transaction back.
var errThinkAgain = errors.New("rolled back on purpose")

// rollingBack edits an event, in a savepoint as well, and takes all of it back.
func rollingBack(name string, f fields) act {
	return func(ctx context.Context, a *admin) error {
		err := a.together(ctx, func(tx pgx.Tx) error {
			if err := edit(ctx, tx, a.event(name), f); err != nil {
				return err
			}
			inner := func(tx pgx.Tx) error { return edit(ctx, tx, a.event(name), f) }
			return errors.Join(pgx.BeginFunc(ctx, tx, inner), errThinkAgain)
		})
		if errors.Is(err, errThinkAgain) && ctx.Err() == nil {
			return nil
		}
		return err
	}
}

// fleeting books an event and deletes it in the same transaction.
func fleeting(client int64, f fields) act {
	return func(ctx context.Context, a *admin) error {
		return a.together(ctx, func(tx pgx.Tx) error {
			id, err := insertRow(ctx, tx, "", client, f)
			if err != nil {
				return err
			}
			return remove(ctx, tx, id)
		})
	}
}

// replacing deletes an event and inserts another under its id, in one
// transaction.
func replacing(name string, client int64, f fields) act {
	return func(ctx context.Context, a *admin) error {
		return a.together(ctx, func(tx pgx.Tx) error {
			if err := remove(ctx, tx, a.event(name)); err != nil {
				return err
			}
			_, err := insertRow(ctx, tx, a.event(name), client, f)
			return err
		})
	}
}

// rekeying gives an event another id, and remembers the old one as 'name before'.
func rekeying(name string) act {
	return func(ctx context.Context, a *admin) error {
		was := a.event(name)
		is := "moved/" + name + " é" // ids are any text
		if err := change(ctx, a.conn, `UPDATE calendar_events SET id = $2 WHERE id = $1`, was, is); err != nil {
			return err
		}
		a.events[name], a.events[name+" before"] = is, was
		return nil
	}
}

// bookingInGHL is an event that begins its life in GHL.
func bookingInGHL(name string, client int64, f fields) act {
	return func(ctx context.Context, a *admin) error { return a.bookInGHL(ctx, name, client, f) }
}
