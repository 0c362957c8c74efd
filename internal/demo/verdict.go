package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl/sandbox"
	"ghlsync/internal/bookcheck"
)

// verdict is what the comparison at the end found.
type verdict struct {
	events       int // in scope, in Sentra
	appointments int // in GHL's book
	wrong        []string
}

// judge waits for the daemon to say that nothing is left to do, bounded by wait,
// and compares both ends: Sentra by SQL, all else by HTTP. Its error means that
// one of them could not be read.
func judge(ctx context.Context, s *stage, wait time.Duration) (v verdict, err error) {
	if last, ok := waitSettled(ctx, s, wait); !ok {
		v.wrong = append(v.wrong, fmt.Sprintf("the daemon has not settled within %s: %s", wait, last))
	}
	// A connection of its own: the admin's may have been cut by Ctrl-C.
	conn, err := pgx.Connect(ctx, s.adminURL)
	if err != nil {
		return v, fmt.Errorf("connect to Sentra: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	r, err := bookcheck.Compare(ctx, conn, s.sandbox.URL())
	if err != nil {
		return v, err
	}
	v.events, v.appointments = r.Events, r.Appointments
	v.wrong = append(v.wrong, r.Differences...)
	conduct, err := misconduct(ctx, s)
	v.wrong = append(v.wrong, conduct...)
	return v, err
}

// waitSettled polls the daemon's status, which has no other way to be followed.
func waitSettled(ctx context.Context, s *stage, wait time.Duration) (last string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		var now status
		switch err := get(ctx, s.statusURL(), &now); {
		case err == nil && now.settled():
			return "", true
		case err == nil:
			last = now.String()
		case last == "" || ctx.Err() == nil:
			last = err.Error()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return last, false
		}
	}
}

// misconduct is what the sandbox holds against the daemon although the books may
// agree.
func misconduct(ctx context.Context, s *stage) ([]string, error) {
	var stats sandbox.Stats
	var violations []sandbox.Violation
	err := errors.Join(
		get(ctx, s.sandbox.URL()+"/sandbox/stats", &stats),
		get(ctx, s.sandbox.URL()+"/sandbox/violations", &violations))
	var wrong []string
	if stats.Doubles > 0 {
		wrong = append(wrong, fmt.Sprintf("%d appointments were booked twice", stats.Doubles))
	}
	if stats.MaxInFlightPerEvent > 1 {
		wrong = append(wrong, fmt.Sprintf("%d calls for one event were in flight at once", stats.MaxInFlightPerEvent))
	}
	for _, v := range violations {
		wrong = append(wrong, fmt.Sprintf("request %d, event %s, is not as the guide wants: %s", v.Number, v.EventID, v.Text))
	}
	return wrong, err
}

// say writes the verdict.
func (v verdict) say(p *printer, took time.Duration) {
	p.printf("\n")
	if len(v.wrong) == 0 {
		p.good(p.paint(bold, "GHL's appointment book equals Sentra") +
			fmt.Sprintf(": %d appointments, field by field. No doubles, no violations, daemon ok. (%.1f s)", v.appointments, took.Seconds()))
		return
	}
	p.bad(p.paint(bold, "GHL's appointment book does not equal Sentra, or got there in a wrong way") + fmt.Sprintf(" (%.1f s)", took.Seconds()))
	for _, w := range v.wrong {
		p.printf("  · %s\n", w)
	}
}
