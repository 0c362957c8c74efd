package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
)

// live plays at a person's pace until ctx is done.
func (p *player) live(ctx context.Context) error {
	for {
		if err := p.linger(ctx, time.Duration(800+rand.IntN(1700))*time.Millisecond); err != nil {
			return err
		}
		s, err := p.admin.improvise(ctx)
		if err == nil {
			err = p.play(ctx, s)
		}
		// An empty calendar, or somebody who was quicker: something else next time.
		if err != nil && !errors.Is(err, errNoRow) && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	}
}

// linger waits, and writes meanwhile what other hands do.
func (p *player) linger(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		more := p.strays()
		select {
		case <-more:
		case <-timer.C:
			return nil
		case <-p.ended:
			return errEnded
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// row is an event that the admin happens to open.
type row struct {
	id, kind string
	client   int64
}

var (
	synced = []string{"onboarding", "handover"}
	drafts = []string{"firstdraft", "seconddraft"}
)

// open picks an event of one of the types; pgx.ErrNoRows if there is none.
func (a *admin) open(ctx context.Context, types []string) (r row, err error) {
	const pick = `SELECT id, type, client_id FROM calendar_events WHERE type = ANY ($1) ORDER BY random() LIMIT 1`
	err = a.conn.QueryRow(ctx, pick, types).Scan(&r.id, &r.kind, &r.client)
	if err != nil {
		return r, fmt.Errorf("pick an event: %w", err)
	}
	return r, nil
}

// improvise thinks of something to do. The calendar grows to about thirty
// events, and then about as many go as come.
func (a *admin) improvise(ctx context.Context) (step, error) {
	var events int
	if err := a.conn.QueryRow(ctx, `SELECT count(*) FROM calendar_events`).Scan(&events); err != nil {
		return step{}, fmt.Errorf("count events: %w", err)
	}
	if rand.IntN(30) >= events {
		return a.somethingNew(ctx)
	}
	switch n := rand.IntN(20); {
	case n < 3:
		return a.somethingGone(ctx)
	case n < 5:
		return a.draftPromoted(ctx)
	case n < 8:
		return a.somethingSilent(ctx)
	default:
		return a.somethingEdited(ctx)
	}
}

func (a *admin) somethingNew(ctx context.Context) (step, error) {
	f := someBooking()
	if rand.IntN(4) == 0 {
		return step{does: "a new client's " + f.kind, act: newcomer("new", f), calls: []call{creates("new")}}, nil
	}
	var client int64
	err := a.conn.QueryRow(ctx, `SELECT id FROM clients ORDER BY random() LIMIT 1`).Scan(&client)
	if errors.Is(err, pgx.ErrNoRows) {
		return step{does: "a new client's " + f.kind, act: newcomer("new", f), calls: []call{creates("new")}}, nil
	}
	if err != nil {
		return step{}, fmt.Errorf("pick a client: %w", err)
	}
	switch rand.IntN(6) {
	case 0:
		return step{does: "booked in GHL by the client", event: "new", act: bookingInGHL("new", client, f)}, nil
	case 1:
		f.kind = drafts[rand.IntN(2)]
		return step{does: "a " + f.kind + ": not for GHL", event: "new", act: booking("new", client, f)}, nil
	}
	return step{does: "a new " + f.kind, act: booking("new", client, f), calls: []call{creates("new")}}, nil
}

// watched is how many days ahead GHL's page surely shows.
const watched = 5 * 7

func someBooking() fields {
	hour := 8 + rand.IntN(9)
	return fields{
		title: fmt.Sprintf("Session %d", 1+rand.IntN(999)), kind: synced[rand.IntN(2)], day: later(1 + rand.IntN(watched)),
		from: fmt.Sprintf("%02d:00", hour), to: fmt.Sprintf("%02d:%02d", hour, 15*(1+rand.IntN(3))),
	}
}

func (a *admin) somethingEdited(ctx context.Context) (step, error) {
	r, err := a.open(ctx, synced)
	if err != nil {
		return step{}, err
	}
	f := someBooking()
	s := step{calls: []call{updates(r.id)}}
	switch rand.IntN(6) {
	case 0:
		s.does, s.act = r.kind+": another time", editing(r.id, fields{day: f.day, from: f.from, to: f.to})
	case 1:
		s.does, s.act = r.kind+": a long description", editing(r.id, fields{description: f.title + "\n" + longText()})
	case 2:
		s.does = r.kind + ": three edits in one transaction"
		s.act = edits(named{r.id, fields{title: f.title + " a"}}, named{r.id, fields{day: f.day}}, named{r.id, fields{title: f.title + " b"}})
	case 3:
		f.kind = synced[0]
		if r.kind == f.kind {
			f.kind = synced[1]
		}
		s.does, s.act = r.kind+" becomes "+f.kind, editing(r.id, fields{kind: f.kind})
	default:
		s.does, s.act = r.kind+": another title", editing(r.id, fields{title: fmt.Sprintf("%s, edited %d", f.title, rand.IntN(1000))})
	}
	return s, nil
}

func (a *admin) draftPromoted(ctx context.Context) (step, error) {
	r, err := a.open(ctx, drafts)
	if err != nil {
		return step{}, err
	}
	kind := synced[rand.IntN(2)]
	return step{does: r.kind + " becomes " + kind, act: editing(r.id, fields{kind: kind}), calls: []call{creates(r.id)}}, nil
}

func (a *admin) somethingGone(ctx context.Context) (step, error) {
	r, err := a.open(ctx, synced)
	if err != nil {
		return step{}, err
	}
	switch rand.IntN(5) {
	case 0:
		kind := drafts[rand.IntN(2)]
		return step{does: r.kind + " becomes " + kind, act: editing(r.id, fields{kind: kind}), calls: []call{deletes(r.id)}}, nil
	case 1:
		return a.clientGone(ctx, r.client)
	}
	return step{does: r.kind + " deleted", act: deleting(r.id), calls: []call{deletes(r.id)}}, nil
}

func (a *admin) clientGone(ctx context.Context, client int64) (step, error) {
	const events = `SELECT id FROM calendar_events WHERE client_id = $1 AND type = ANY ($2)`
	rows, err := a.conn.Query(ctx, events, client, synced)
	if err != nil {
		return step{}, fmt.Errorf("read a client's events: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return step{}, fmt.Errorf("read a client's events: %w", err)
	}
	s := step{does: "a client deleted, cascading", act: deletingClient(client)}
	for _, id := range ids {
		s.calls = append(s.calls, deletes(id))
	}
	return s, nil
}

func (a *admin) somethingSilent(ctx context.Context) (step, error) {
	r, err := a.open(ctx, synced)
	if err != nil {
		return step{}, err
	}
	switch rand.IntN(3) {
	case 0:
		return step{does: r.kind + ": only updated_at", event: r.id, act: touching(r.id)}, nil
	case 1:
		return step{does: r.kind + ": booked and deleted at once", act: fleeting(r.client, someBooking())}, nil
	}
	return step{does: r.kind + ": an edit, rolled back", event: r.id, act: rollingBack(r.id, someBooking())}, nil
}
