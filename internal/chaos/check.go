package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"ghlsync/ghl/sandbox"
)

// arrivals is when each request came, by a clock that nobody shifts.
type arrivals struct {
	mu sync.Mutex
	at map[int64]time.Time
}

func (a *arrivals) add(r sandbox.Arrival) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.at[r.Number] = time.Now()
}

func (a *arrivals) of(number int64) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.at[number]
}

// checkCounts checks everything but the book.
func (s *stage) checkCounts(ctx context.Context, r Round) error {
	stats := s.ghl.Stats()
	if stats.Doubles > 0 {
		s.fail("%d appointments were booked twice", stats.Doubles)
	}
	if stats.MaxInFlightPerEvent > 1 {
		s.fail("%d calls were in flight for one event", stats.MaxInFlightPerEvent)
	}
	if stats.Violations > 0 {
		s.fail("%d violations, such as %+v", stats.Violations, s.ghl.Violations()[0])
	}
	for _, w := range s.watch.settled(r.hole()) {
		s.fail("%s", w)
	}
	s.checkEnds()
	if err := s.checkAudit(ctx); err != nil {
		return err
	}
	return s.checkSilence(ctx)
}

// checkEnds: the daemon ends by itself only where its state cannot be written.
func (s *stage) checkEnds() {
	alone := s.daemon.takeAlone()
	s.mu.Lock()
	excused := time.Since(s.diskTrouble) < s.o.Round+patience
	s.mu.Unlock()
	s.report.Ends += len(alone)
	if len(alone) > 0 && !excused {
		s.fail("the daemon ended by itself: %s; see the end of each run in its log", strings.Join(alone, ", "))
	}
}

// checkReasons: whatever is parked says why.
func (s *stage) checkReasons(ctx context.Context) error {
	db, err := openState(s.statePath())
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // only read from
	var n int
	if err := db.QueryRowContext(ctx, "select count(*) from ghl_sync_mappings where sync_status = 'failed' and coalesce(sync_error, '') = ''").Scan(&n); err != nil {
		return fmt.Errorf("read what is parked: %w", err)
	}
	if n > 0 {
		s.fail("%d events are parked without a reason", n)
	}
	return nil
}

// call is a line of the audit.
type call struct {
	event, operation, delivery string
	status                     int // 0: no answer
}

// checkAudit holds the audit against GHL's own log. A request that is not in the
// audit is right only if the daemon ended, or could not write, while it was under
// way. In webhook mode both name it by its delivery id; the calendar API has none,
// so there each answered call must find as many requests of its event.
func (s *stage) checkAudit(ctx context.Context) error {
	calls, err := s.audit(ctx)
	if err != nil {
		return err
	}
	requests := s.ghl.Requests()
	if s.o.Mode == API {
		s.auditAPI(calls, requests)
		return nil
	}
	known := make(map[string]bool)
	for _, c := range calls {
		known[c.delivery] = true
	}
	answered := make(map[call]bool)
	for _, r := range requests {
		answered[call{delivery: r.DeliveryID, status: r.Status}] = true
		if at := s.arrivals.of(r.Number); !known[r.DeliveryID] && !s.mayBeLost(at) {
			s.fail("request %d of event %s (%s) is not in the audit", r.Number, r.EventID, r.Operation)
		}
	}
	for _, c := range calls {
		if c.status != 0 && !answered[call{delivery: c.delivery, status: c.status}] {
			s.fail("the audit has an answer %d to a %s of event %s that GHL did not give", c.status, c.operation, c.event)
		}
	}
	return nil
}

// auditAPI compares by event how often an appointment was changed, for certain and
// by GHL's log.
func (s *stage) auditAPI(calls []call, requests []sandbox.Request) {
	acted := make(map[call]int)
	for _, r := range requests {
		if r.Acted {
			acted[call{event: r.EventID, operation: string(r.Operation)}]++
		}
	}
	created := make(map[string]int)
	for _, c := range calls {
		if c.operation == "create" && c.status == 201 {
			created[c.event]++
		}
	}
	for event, n := range created {
		if m := acted[call{event: event, operation: "created"}]; n > m {
			s.fail("the audit has %d creates of event %s, GHL has %d", n, event, m)
		}
	}
}

// mayBeLost tells whether the daemon ended, or its disk failed, while a request
// that came then was under way.
func (s *stage) mayBeLost(at time.Time) bool {
	s.mu.Lock()
	trouble := s.diskTrouble
	s.mu.Unlock()
	return s.daemon.endedBetween(at.Add(-time.Second), at.Add(30*time.Second)) || at.Before(trouble) && trouble.Sub(at) < s.o.Round
}

func (s *stage) audit(ctx context.Context) (calls []call, err error) {
	db, err := openState(s.statePath())
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // only read from
	rows, err := db.QueryContext(ctx, "select sentra_event_id, operation, call_delivery_id, http_status from delivery_attempts")
	if err != nil {
		return nil, fmt.Errorf("read the audit: %w", err)
	}
	defer func() { _ = rows.Close() }() // its error is rows.Err's
	for rows.Next() {
		var c call
		var status sql.NullInt64
		if err := rows.Scan(&c.event, &c.operation, &c.delivery, &status); err != nil {
			return nil, fmt.Errorf("read the audit: %w", err)
		}
		c.status = int(status.Int64)
		calls = append(calls, c)
	}
	s.report.Attempts = len(calls)
	return calls, rows.Err()
}

// checkSilence: nothing of a client's, and no secret, is told anywhere.
func (s *stage) checkSilence(ctx context.Context) error {
	told := make(map[string][]byte)
	for _, path := range []string{"/metrics", "/api/v1/status", "/api/v1/mappings"} {
		body, err := s.get(ctx, path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		told[path] = body
	}
	log, err := os.Open(filepath.Join(s.o.Dir, "daemon.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // only read from
	if _, err := log.Seek(s.logRead, io.SeekStart); err != nil {
		return err
	}
	if told["the log"], err = io.ReadAll(log); err != nil {
		return err
	}
	s.logRead += int64(len(told["the log"]))
	for _, crash := range []string{"fatal error: ", "panic: "} {
		if strings.Contains("\n"+string(told["the log"]), "\n"+crash) {
			s.fail("the log has a line that begins with %q", crash)
		}
	}
	for _, place := range slices.Sorted(maps.Keys(told)) {
		for _, secret := range s.secrets() {
			if strings.Contains(string(told[place]), secret) {
				s.fail("%s holds %q", place, secret)
			}
		}
	}
	return nil
}

// count completes the report.
func (s *stage) count() {
	stats := s.ghl.Stats()
	s.report.GHL = Counts{
		Requests: stats.Requests, Acted: stats.Acted, Faults: stats.Faults, Replays: stats.Replays, Doubles: stats.Doubles,
		Appointments: stats.Live, MaxInFlightPerEvent: stats.MaxInFlightPerEvent,
	}
	s.daemon.mu.Lock()
	s.report.Starts = s.daemon.starts
	s.daemon.mu.Unlock()
	s.watch.mu.Lock()
	s.report.Samples, s.report.Epochs = s.watch.samples, s.watch.last.epoch
	s.watch.mu.Unlock()
}
