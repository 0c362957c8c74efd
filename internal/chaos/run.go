package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Options are a run's.
type Options struct {
	Seed   uint64
	Mode   Mode
	Binary Binary        // see Build
	Dir    string        // for the plan, the daemon's log and its state; it stays
	For    time.Duration // no round begins later; 0: Rounds alone counts
	Rounds int           // 0: For alone counts
	Round  time.Duration // how long load and faults of a round last
	Faults int           // at most, in a round
	Kinds  []Kind        // none: all
	Out    io.Writer     // for people
}

// Report is what became of a run.
type Report struct {
	Rounds   int
	Took     time.Duration
	Faults   map[Kind]int // survived
	LeftOut  map[Kind]int // that this machine cannot play
	Changes  map[Change]int
	Refused  map[string]int // changes, by SQLSTATE
	Starts   int            // of the daemon
	Samples  int            // of slot and checkpoint
	Epochs   int64
	Ends     int // of the daemon, by itself: its disk failed
	Contacts int // fields of a client that the calendar API cannot change, at quiet points
	Unseen   int // bookings in GHL that came and went while the stream had a hole
	Parked   int // events that were retried at quiet points
	Released int // retractions that the fuse held
	Attempts int // lines of the audit
	GHL      Counts
	Failures []string // what is wrong; a run ends with the first round that has any
}

// Counts are GHL's.
type Counts struct {
	Requests, Acted, Faults, Replays, Doubles int64
	Appointments, MaxInFlightPerEvent         int
}

// Run plays rounds until the time is over, one fails, or ctx ends. An error means
// that the run itself could not go on.
func Run(ctx context.Context, o Options) (report Report, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	s, err := open(ctx, o)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	// What comes and goes before the first snapshot is nobody's to see.
	if err := s.quiet(ctx, Round{}); err != nil {
		return s.report, fmt.Errorf("start: %w", err)
	}
	for n := 1; (o.Rounds == 0 || n <= o.Rounds) && (o.For == 0 || time.Since(began) < o.For) && ctx.Err() == nil; n++ {
		if err := s.round(ctx, o.Plan(n)); err != nil {
			s.count()
			return s.report, fmt.Errorf("round %d: %w", n, err)
		}
		s.report.Rounds, s.report.Took = n, time.Since(began)
		if len(s.report.Failures) > 0 {
			break
		}
	}
	s.count()
	return s.report, nil
}

// round writes the plan down, plays it, and checks when all is quiet.
func (s *stage) round(ctx context.Context, r Round) error {
	if err := s.note(r); err != nil {
		return err
	}
	s.say("round %d: %d changes, %d faults", r.Number, len(r.Load), len(r.Faults))
	began := time.Now()
	var playing sync.WaitGroup
	wrong := make(chan error, len(r.Faults))
	for _, f := range r.Faults {
		s.say("  %s", f)
		playing.Go(func() {
			if sleep(ctx, time.Until(began.Add(f.At))) {
				wrong <- s.play(ctx, f)
			}
		})
	}
	s.admins.work(ctx, r.Load)
	playing.Wait()
	close(wrong)
	for err := range wrong {
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return s.quiet(ctx, r)
}

// note adds the round to the plan that is kept.
func (s *stage) note(r Round) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(s.o.Dir, "plan.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}

// say is for people: whether they hear it changes nothing.
func (s *stage) say(format string, args ...any) { _, _ = fmt.Fprintf(s.out, format+"\n", args...) }

// fail notes what is wrong, once.
func (s *stage) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.say("  WRONG: %s", text)
	if !slices.Contains(s.report.Failures, text) {
		s.report.Failures = append(s.report.Failures, text)
	}
}
