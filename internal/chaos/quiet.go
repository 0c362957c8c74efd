package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/internal/bookcheck"
	"ghlsync/state/sqlite"
)

// patience bounds how long everything may take to settle behind the last fault.
const patience = 2 * time.Minute

// errUnsettled tells that it took longer.
var errUnsettled = errors.New("does not settle")

// quiet waits until everything has settled, and checks.
func (s *stage) quiet(ctx context.Context, r Round) error {
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // nothing is under way on it
	if err := s.admins.broken; err != nil {
		return fmt.Errorf("the load itself is wrong: %w", err)
	}
	if err := s.admins.unbook(ctx, conn); err != nil {
		return err
	}
	began := time.Now()
	if err := s.settle(ctx, conn, r.Number); err != nil {
		if !errors.Is(err, errUnsettled) {
			return err
		}
		s.fail("%v", err)
		return nil
	}
	if err := s.compare(ctx, conn, r); err != nil {
		return err
	}
	if err := s.checkCounts(ctx, r); err != nil {
		return err
	}
	s.say("  quiet after %.1fs: %d appointments, %d requests, %d doubles",
		time.Since(began).Seconds(), s.ghl.Stats().Live, s.ghl.Stats().Requests, s.ghl.Stats().Doubles)
	return nil
}

// compare checks the book. Events whose client was edited differ in what the client
// is called, until they are reconciled.
func (s *stage) compare(ctx context.Context, conn *pgx.Conn, r Round) error {
	edited := s.admins.clientsEdited()
	differences, err := s.differences(ctx, conn, r)
	if err != nil {
		return err
	}
	for _, d := range differences {
		if !edited || !strings.Contains(d, ": client_") {
			s.fail("%s", d)
		}
	}
	if !edited || len(s.report.Failures) > 0 {
		return nil
	}
	if err := s.ghlsync(ctx, "reconcile"); err != nil {
		return err
	}
	if err := s.settle(ctx, conn, r.Number); err != nil {
		return err
	}
	if differences, err = s.differences(ctx, conn, r); err != nil {
		return err
	}
	for _, d := range differences {
		s.fail("after a reconcile: %s", d)
	}
	return nil
}

// differences compares the book with Sentra. What somebody booked in GHL, and was
// deleted in Sentra again before a snapshot could see it, is nobody's: only then it
// is taken away here. The calendar API cannot give an appointment another contact.
func (s *stage) differences(ctx context.Context, conn *pgx.Conn, r Round) ([]string, error) {
	result, err := bookcheck.Compare(ctx, conn, s.ghl.URL())
	if err != nil {
		return nil, err
	}
	var left []string
	for _, d := range result.Differences {
		if s.o.Mode == API && strings.Contains(d, ": client_") {
			s.report.Contacts++
			continue
		}
		id, unseen := strings.CutPrefix(d, "appointment ")
		id, _, _ = strings.Cut(id, " ")
		if unseen && r.hole() && strings.Contains(d, `(event "", `) && s.ghl.Remove(id) {
			s.report.Unseen++
			continue
		}
		left = append(left, d)
	}
	return left, nil
}

// status is what the checks need of the daemon's own document.
type status struct {
	Daemon   struct{ Phase string }
	Mappings struct{ Pending, Failed, Held int }
	Delivery struct {
		InFlight int `json:"in_flight"`
	}
}

func (t status) settled() bool {
	return t.Daemon.Phase == "streaming" && t.Mappings.Pending == 0 && t.Mappings.Failed == 0 && t.Delivery.InFlight == 0
}

// settle waits until whatever Sentra committed is in the state, and nothing is left
// to do. What the fuse holds is released and what is parked is tried again, as an
// operator would when all is well.
func (s *stage) settle(ctx context.Context, conn *pgx.Conn, round int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errUnsettled)
	defer cancel()
	if err := s.captured(ctx, conn, round); err != nil {
		return err
	}
	var last []byte
	for {
		body, err := s.get(ctx, "/api/v1/status")
		var now status
		if err == nil {
			last = body
			if err := json.Unmarshal(body, &now); err != nil {
				return fmt.Errorf("read the status: %w", err)
			}
			if now.settled() {
				return nil
			}
			if err := s.operate(ctx, now); err != nil && ctx.Err() == nil {
				return err
			}
		}
		if !sleep(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%w: %s", context.Cause(ctx), last)
		}
	}
}

// operate does what an operator does about what is held and what is parked.
func (s *stage) operate(ctx context.Context, now status) error {
	if now.Mappings.Held > 0 {
		s.report.Released += now.Mappings.Held
		return s.ghlsync(ctx, "mappings", "release", "--all")
	}
	if now.Mappings.Failed > 0 {
		if err := s.checkReasons(ctx); err != nil {
			return err
		}
		s.report.Parked += now.Mappings.Failed
		return s.ghlsync(ctx, "mappings", "retry", "--failed")
	}
	return nil
}

// captured waits until the state knows everything that is committed: the stream is
// in the order of commits, so a change that is made now tells.
func (s *stage) captured(ctx context.Context, conn *pgx.Conn, round int) error {
	id := fmt.Sprintf("marker-%d-%d", round, time.Now().UnixNano())
	if _, err := conn.Exec(ctx, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
		SELECT $1, min(id), 'Bait marker', '2031-01-01', '2031-01-01', '10:00', '11:00', 'onboarding' FROM clients`, id); err != nil {
		return err
	}
	if err := s.awaitWanted(ctx, id, "present"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "DELETE FROM calendar_events WHERE id = $1", id); err != nil {
		return err
	}
	return s.awaitWanted(ctx, id, "absent")
}

func (s *stage) awaitWanted(ctx context.Context, id, want string) error {
	db, err := openState(s.statePath())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // only read from
	for {
		var got string
		err := db.QueryRowContext(ctx, "select wanted from ghl_sync_mappings where sentra_event_id = ?", id).Scan(&got)
		if err == nil && got == want {
			return nil
		}
		if !sleep(ctx, 50*time.Millisecond) {
			return fmt.Errorf("%w: event %s is not %s in the state (%q, %w)", context.Cause(ctx), id, want, got, err)
		}
	}
}

// get asks the daemon that runs.
func (s *stage) get(ctx context.Context, path string) ([]byte, error) {
	h, held, err := sqlite.Holder(s.statePath())
	if err != nil || !held || h.HTTPAddr == "" {
		return nil, errors.Join(err, errors.New("no daemon listens"))
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+h.HTTPAddr+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read whole, or given up
	return io.ReadAll(resp.Body)
}

// client keeps no connection, so that none is left behind.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// ghlsync runs a command as an operator does.
func (s *stage) ghlsync(ctx context.Context, args ...string) error {
	cmd := s.command(args...)
	out := &strings.Builder{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(os.Interrupt) }) // it may have ended
	defer stop()
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("ghlsync %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
