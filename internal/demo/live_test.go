package demo

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A person's own hand shows up, and Ctrl-C ends the play with the table.
func TestLiveShowsOtherHandsAndEndsCleanly(t *testing.T) {
	t.Parallel()
	r := newRig(t, false)
	screen := r.screen
	stages := make(chan *stage, 1)
	r.begun = func(s *stage) { stages <- s }
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := watch(ctx, r.Options)

	var s *stage
	select {
	case s = <-stages:
	case err := <-ended:
		t.Fatalf("Run: %v\n%s", err, screen)
	}
	for _, want := range []string{s.adminURL, s.sandbox.URL(), s.statusURL(), "dashboard", "curl "} {
		screen.waitFor(t, want)
	}
	screen.waitFor(t, "event-1700000008.000008")
	byHand(t, s.adminURL)
	screen.waitFor(t, "by-hand/1")

	cancel()
	if err := endOf(t, ended); err != nil {
		t.Errorf("Run: %v\n%s", err, screen)
	}
	text := screen.String()
	for _, want := range []string{"by another hand: handover", "median", "✓ GHL's appointment book equals Sentra"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	r.wantNothingLeft(t)
}

// byHand books an event as somebody with psql would.
func byHand(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(t.Context(), conn)
	_, err = conn.Exec(t.Context(), `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		SELECT 'by-hand/1', min(id), 'By hand', CURRENT_DATE, CURRENT_DATE, '10:00', '11:00', 'handover' FROM clients`)
	if err != nil {
		t.Fatal(err)
	}
}

// The improviser's steps are the script's kinds, so it is enough that many of
// them in a row agree with what GHL gets.
func TestImprovisedStepsAreForeseenRight(t *testing.T) {
	t.Parallel()
	r := newRig(t, true)
	r.played = func(ctx context.Context, _ *stage, p *player) error {
		for n := 0; n < 40 || len(p.unproven) > 0; n++ {
			s, err := p.admin.improvise(ctx)
			if errors.Is(err, pgx.ErrNoRows) {
				continue // no draft to promote
			}
			if err != nil {
				return err
			}
			if err := p.play(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}
	if err := Run(t.Context(), r.Options); err != nil {
		t.Errorf("Run: %v\n%s", err, r.screen)
	}
	r.wantNothingLeft(t)
}
