package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"ghlsync/ghl/sandbox"
)

// Change is something that Sentra, its people or its DBA do to the two tables.
type Change string

// The changes.
const (
	Insert        Change = "insert" // with the CHECK constraint made anew before it
	Edit          Change = "edit"
	Retype        Change = "retype"
	Delete        Change = "delete"
	Several       Change = "several in a transaction"
	RollBack      Change = "rolled back"
	Rename        Change = "key changed"
	Touch         Change = "touched"      // updated_at alone
	WriteBack     Change = "written back" // ghl_appointment_id by the app
	LongText      Change = "long description"
	BookedInGHL   Change = "booked in GHL"
	ClientNew     Change = "client signs up"
	ClientEdited  Change = "client edited"
	ClientDeleted Change = "client deleted" // with its events
	Bulk          Change = "bulk insert"
	Truncate      Change = "truncate"
)

var changeWeights = []struct {
	change Change
	weight int
}{
	{Insert, 300},
	{Edit, 250},
	{Retype, 100},
	{Delete, 130},
	{Several, 80},
	{RollBack, 20},
	{Rename, 30},
	{Touch, 30},
	{WriteBack, 30},
	{LongText, 30},
	{BookedInGHL, 30},
	{ClientNew, 12},
	{ClientEdited, 6},
	{ClientDeleted, 8},
	{Bulk, 3},
	{Truncate, 1},
}

func pickChange(random *rand.Rand) Change {
	total := 0
	for _, w := range changeWeights {
		total += w.weight
	}
	n := random.IntN(total)
	for _, w := range changeWeights {
		if n -= w.weight; n < 0 {
			return w.change
		}
	}
	panic("the weights do not add up")
}

// admins are people at work in Sentra: connections of their own, which go straight
// to the database. What the database refuses, or is not there for, is not done.
type admins struct {
	url     string
	ghl     *sandbox.Sandbox
	column  bool // Sentra has ghl_appointment_id
	mu      sync.Mutex
	done    map[Change]int
	refused map[string]int // by SQLSTATE, "connection" where there was none
	booked  []string       // appointments whose event may not have come to be
	edited  bool           // a client, since it was last asked for
	broken  error          // of the load itself
}

const adminsAtWork = 3

// work plays the steps, each at its time or as soon as an admin is free.
func (a *admins) work(ctx context.Context, steps []Step) {
	began := time.Now()
	queue := make(chan Step)
	var group sync.WaitGroup
	for range adminsAtWork {
		group.Go(func() {
			var conn *pgx.Conn
			for s := range queue {
				conn = a.play(ctx, conn, s)
			}
			if conn != nil {
				_ = conn.Close(context.WithoutCancel(ctx)) // nothing is under way on it
			}
		})
	}
	for _, s := range steps {
		if !sleep(ctx, time.Until(began.Add(s.At))) {
			break
		}
		queue <- s
	}
	close(queue)
	group.Wait()
}

// play does one step and gives the connection that the next one may use.
func (a *admins) play(ctx context.Context, conn *pgx.Conn, s Step) *pgx.Conn {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if conn == nil || conn.IsClosed() {
		var err error
		if conn, err = pgx.Connect(ctx, a.url); err != nil {
			a.count(s, err)
			return nil
		}
		if _, err := conn.Exec(ctx, "SET lock_timeout = '5s'"); err != nil {
			a.count(s, err)
			return conn
		}
	}
	a.count(s, a.change(ctx, conn, s))
	return conn
}

func (a *admins) count(s Step, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	refusal := (*pgconn.PgError)(nil)
	switch {
	case err == nil:
		a.done[s.Change]++
		a.edited = a.edited || s.Change == ClientEdited
	case errors.As(err, &refusal):
		a.refused[refusal.Code]++
		if strings.HasPrefix(refusal.Code, "42") && refusal.Code != "42P01" && a.broken == nil { // a table is away while it is made anew
			a.broken = fmt.Errorf("%s: %w", s.Change, err)
		}
	default:
		a.refused["connection"]++
	}
}

// clientsEdited tells whether a client was edited since the last call.
func (a *admins) clientsEdited() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.edited
	a.edited = false
	return was
}

// change makes the step's change.
func (a *admins) change(ctx context.Context, conn *pgx.Conn, s Step) error {
	random := rand.New(rand.NewPCG(s.Pick, 0))
	switch s.Change {
	case Several, RollBack:
		return several(ctx, conn, random, s.Change == RollBack)
	case BookedInGHL:
		return a.book(ctx, conn, s.Pick, random)
	case WriteBack:
		return a.writeBack(ctx, conn, fmt.Sprintf("load-%d", random.IntN(ids)))
	case Insert:
		if _, err := conn.Exec(ctx, "ALTER TABLE calendar_events DROP CONSTRAINT IF EXISTS calendar_events_type_check"); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, `ALTER TABLE calendar_events ADD CONSTRAINT calendar_events_type_check
			CHECK (type IN ('onboarding', 'firstdraft', 'seconddraft', 'handover'))`); err != nil && !refusedAs(err, "42710") { // another admin was quicker
			return err
		}
	}
	return one(ctx, conn, s.Change, random)
}

type executor interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// one makes a change of a single statement.
func one(ctx context.Context, db executor, change Change, random *rand.Rand) error {
	sql, args := statement(change, random)
	_, err := db.Exec(ctx, sql, args...)
	return err
}

func several(ctx context.Context, conn *pgx.Conn, random *rand.Rand, rollBack bool) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit there is nothing to roll back
	for range 2 + random.IntN(5) {
		change := []Change{Insert, Insert, Edit, Retype, Delete, LongText}[random.IntN(6)]
		if err := one(ctx, tx, change, random); err != nil {
			return err
		}
	}
	if rollBack {
		return tx.Rollback(ctx)
	}
	return tx.Commit(ctx)
}

// book makes an appointment in GHL and then the event that Sentra's own listener
// makes of it.
func (a *admins) book(ctx context.Context, conn *pgx.Conn, pick uint64, random *rand.Rand) error {
	kind, day := types[random.IntN(2)], fmt.Sprintf("2031-%02d-%02d", 1+random.IntN(12), 1+random.IntN(28))
	appointment := a.ghl.Put(sandbox.Appointment{Fields: sandbox.Fields{
		EventTitle: "Bait booked", EventType: kind, StartDate: day, EndDate: day, StartTime: "10:00", EndTime: "11:00",
	}})
	_, err := conn.Exec(ctx, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, description, type)
		SELECT $1, `+anyClient+`, 'Bait booked', $3::text::date, $3::text::date, '10:00', '11:00', $4, $5`,
		fmt.Sprintf("booked-%x", pick), fmt.Sprint(pick), day, "Booked in GHL\nCalendar: Bait\nAppointment ID: "+appointment+"\nContact: bait", kind)
	if err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.booked = append(a.booked, appointment)
	}
	return err
}

// writeBack is the app's: it notes the appointment that GHL has, where the install
// has a column for it.
func (a *admins) writeBack(ctx context.Context, conn *pgx.Conn, id string) error {
	there := a.ghl.AppointmentsOf(id)
	if !a.column || len(there) == 0 {
		return nil
	}
	_, err := conn.Exec(ctx, "UPDATE calendar_events SET ghl_appointment_id = $2 WHERE id = $1", id, there[0].ID)
	return err
}

// unbook takes out of GHL what was booked there and never came to Sentra: an
// insert that failed, or whose commit nobody learned of.
func (a *admins) unbook(ctx context.Context, conn *pgx.Conn) error {
	a.mu.Lock()
	booked := a.booked
	a.booked = nil
	a.mu.Unlock()
	for _, id := range booked {
		var there bool
		if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM calendar_events WHERE description LIKE '%Appointment ID: ' || $1 || E'\n%')`, id).Scan(&there); err != nil {
			return err
		}
		if !there {
			a.ghl.Remove(id)
		}
	}
	return nil
}

// sleep waits, and tells whether it was not cut short.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// refusedAs tells that the database refused something with one of these codes.
func refusedAs(err error, codes ...string) bool {
	refusal := (*pgconn.PgError)(nil)
	return errors.As(err, &refusal) && slices.Contains(codes, refusal.Code)
}
