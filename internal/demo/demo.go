package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/internal/bookcheck"
	"ghlsync/internal/postgres"
)

// Options are a run's.
type Options struct {
	// Once plays the fixed script and judges; otherwise the play goes on until
	// ctx is done.
	Once bool
	// Out is where lines go; in colour if it is a terminal.
	Out io.Writer
	// Log is the daemon's. Lines that are not warnings get between the demo's own.
	Log *slog.Logger

	// opened and played, where set, are called when everything runs, and when the
	// script has been played and is not yet judged.
	opened func(*stage)
	played func(context.Context, *stage, *player) error
	// dir is where the server's folder is made; empty: as package postgres chooses.
	dir string
	// patience is how long a change may take to its answer; 0: see player.
	patience time.Duration
}

// ErrVerdict is what Run's error wraps when the script went through and GHL is
// not as it should be. What is wrong has been written to Out.
var ErrVerdict = errors.New("the demo found GHL different from Sentra")

// limit is how long --once may take once PostgreSQL's programs are there, the
// end of all processes aside.
const limit = 25 * time.Second

// Run plays. With Once it returns nil if GHL's book equals Sentra, an error that
// wraps ErrVerdict if it does not, and any other error if that could not be
// found out, ctx being done included. Without Once the end of ctx is the normal
// end, and nil. Whatever it returns, nothing is left running or on disk.
func Run(ctx context.Context, o Options) error {
	r := &run{Options: o, out: newPrinter(o.Out), began: time.Now(), journal: newJournal(), stage: &stage{dir: o.dir}}
	r.out.printf("%s\n", r.out.paint(bold, "ghlsync demo: Sentra, GHL and the daemon on this machine"))
	bin, err := postgres.FindOrFetch(ctx)
	if err != nil {
		return r.early(ctx, fmt.Errorf("get PostgreSQL: %w", err))
	}
	if o.Once {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("the demo is not through after %s", limit))
		defer cancel()
	}
	err = r.perform(ctx, bin)
	return errors.Join(err, r.stage.close(ctx))
}

// run is one call of Run.
type run struct {
	Options
	out     *printer
	began   time.Time
	journal *journal
	stage   *stage
}

// perform sets the stage and plays on it.
func (r *run) perform(ctx context.Context, bin postgres.Binaries) error {
	if err := r.stage.open(ctx, bin, r.journal, r.Log); err != nil {
		return r.early(ctx, err)
	}
	r.introduce(bin)
	if r.opened != nil {
		r.opened(r.stage)
	}
	conn, err := pgx.Connect(ctx, r.stage.adminURL)
	if err != nil {
		return r.early(ctx, fmt.Errorf("connect to Sentra: %w", err))
	}
	defer hangUp(ctx, conn)
	p := r.player(conn)
	if err := p.begin(ctx); err != nil {
		return r.early(ctx, r.reason(err))
	}
	if r.Once {
		return r.once(ctx, p)
	}
	return r.untilEnd(ctx, p)
}

// early is the error of something that came to nothing. Without Once the end of
// ctx is a wish and no error; otherwise it is the reason of whatever failed then.
func (r *run) early(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	if !r.Once {
		return nil
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}

// reason adds why the daemon ended, where that is the trouble.
func (r *run) reason(err error) error {
	if errors.Is(err, errEnded) {
		return fmt.Errorf("%w: %w", err, r.stage.daemon.Err())
	}
	return err
}

func (r *run) player(conn *pgx.Conn) *player {
	patience := livePatience
	if r.Once {
		patience = scriptPatience
	}
	if r.patience > 0 {
		patience = r.patience
	}
	return &player{
		admin: newAdmin(conn, r.stage.sandbox), journal: r.journal, out: r.out, tally: newTally(),
		ended: r.stage.daemon.Done(), strict: r.Once, patience: patience,
	}
}

// hangUp closes a connection. What the server says to that matters to nobody: it
// is stopped next.
func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// introduce tells where everything is.
func (r *run) introduce(bin postgres.Binaries) {
	p, s := r.out, r.stage
	p.printf("\n")
	p.item("PostgreSQL", bin.Version+", wal_level=logical, with Sentra's tables")
	p.item("psql", fmt.Sprintf("psql %q", s.adminURL))
	p.item("GHL sandbox", s.sandbox.URL()+"/   (its book: /sandbox/appointments, its faults: /sandbox/faults)")
	p.item("dashboard", s.daemonAt()+"/")
	p.item("daemon", s.statusURL())
	if r.Once {
		return
	}
	p.heading("Play along; what your hands do shows up between the lines")
	p.item("change", fmt.Sprintf(`psql %q -c "UPDATE calendar_events SET title = 'Mine' WHERE type = 'handover'"`, s.adminURL))
	p.item("look", fmt.Sprintf("curl -s '%s/api/v1/mappings?status=synced'", s.daemonAt()))
	p.item("GHL fails", fmt.Sprintf(`curl -X PUT --data '{"status":503,"count":5}' %s/sandbox/faults`, s.sandbox.URL()))
	p.item("end", "Ctrl-C")
}

// begin waits for the first snapshot to be in GHL.
func (p *player) begin(ctx context.Context) error {
	wanted, err := bookcheck.Events(ctx, p.admin.conn)
	if err != nil {
		return err
	}
	p.out.columns()
	return p.opening(ctx, wanted)
}

// once plays the script and judges. Where not even the beginning got to GHL, the
// rest would only be waited for in vain.
func (r *run) once(ctx context.Context, p *player) error {
	if len(p.wrong) == 0 {
		if err := p.script(ctx); err != nil {
			return r.early(ctx, r.reason(err))
		}
	}
	if r.played != nil {
		if err := r.played(ctx, r.stage, p); err != nil {
			return err
		}
	}
	v, err := judge(ctx, r.stage, p.patience)
	if err != nil {
		return r.early(ctx, err)
	}
	p.settle()
	p.tally.print(r.out, &v)
	v.wrong = append(v.wrong, p.wrong...)
	v.say(r.out, time.Since(r.began))
	if len(v.wrong) > 0 {
		return fmt.Errorf("%w: %s (findings: %d)", ErrVerdict, v.wrong[0], len(v.wrong))
	}
	return nil
}

// farewell is how long the table at the end of a live play may take.
const farewell = 4 * time.Second

// untilEnd plays until somebody has seen enough. What they did to GHL by hand may
// well keep it from being equal: that is told, and no error.
func (r *run) untilEnd(ctx context.Context, p *player) error {
	if err := p.live(ctx); ctx.Err() == nil {
		return r.reason(err)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	r.out.printf("\n")
	v, err := judge(last, r.stage, farewell/2)
	p.strays()
	if err != nil {
		p.tally.print(r.out, nil)
		return err
	}
	p.tally.print(r.out, &v)
	v.say(r.out, time.Since(r.began))
	return nil
}
