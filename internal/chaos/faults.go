package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl/sandbox"
)

// errLeftOut tells that this machine cannot play a fault.
var errLeftOut = errors.New("left out")

// play strikes, waits for the fault's time, and heals.
func (s *stage) play(ctx context.Context, f Fault) error {
	err := s.strike(ctx, f)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, errLeftOut):
		s.report.LeftOut[f.Kind]++
		return nil
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("%s: %w", f, err)
	}
	s.report.Faults[f.Kind]++
	return nil
}

// strike plays one fault of a kind at a time: of two the second waits. Only GHL
// fails in several ways at once; the networks see to it themselves.
func (s *stage) strike(ctx context.Context, f Fault) error {
	if f.Kind != GHLFails && !f.Kind.network() {
		turn, _ := s.turns.LoadOrStore(f.Kind, &sync.Mutex{})
		turn.(*sync.Mutex).Lock()         //nolint:errcheck // nothing else is stored
		defer turn.(*sync.Mutex).Unlock() //nolint:errcheck // nothing else is stored
	}
	switch f.Kind {
	case DaemonKilled:
		s.daemon.hold(ctx, syscall.SIGKILL, f.For/4)
	case DaemonStopped:
		s.daemon.hold(ctx, syscall.SIGTERM, f.For/4)
	case DaemonFrozen:
		s.daemon.signal(syscall.SIGSTOP)
		sleep(ctx, f.For)
		s.daemon.signal(syscall.SIGCONT)
	case PostgresKilled, PostgresAnew:
		return s.stopServer(ctx, f)
	case BackendsGone:
		return s.onSentra(ctx, terminate)
	case NetCut, NetSlow, NetHalfOpen, NetNarrow, NetTorn:
		if f.atGHL() {
			return s.toGHL.strain(ctx, f)
		}
		return s.sentra.strain(ctx, f)
	case DiskFull:
		return s.troubled(s.disk.fill(ctx, f.For))
	case FsyncFails:
		return s.troubled(failSyncs(ctx, s.daemon.pid(), f.For))
	case SlotDropped:
		return s.dropSlot(ctx)
	case PublicationCut, PublicationNew, TableAnew:
		return s.spoil(ctx, f)
	case GHLFails:
		return s.rules.inForce(ctx, f, s.o.Mode)
	case GHLClock:
		s.clock.Add(int64(f.jump()))
		sleep(ctx, f.For)
		s.clock.Add(-int64(f.jump()))
	case DaemonClock:
		return s.jumpDaemon(ctx, f)
	}
	return nil
}

// jump is how far a clock jumps: up to two hours back, or forward. The daemon's
// goes forward by no more than 45 s: it comes back at the fault's end, and what
// was put off in between stays put off for as long as that.
func (f Fault) jump() time.Duration {
	if f.Kind == DaemonClock && f.Pick&1 == 1 {
		return time.Duration(f.Pick%45) * time.Second
	}
	span := 4 * time.Hour
	if f.Kind == DaemonClock {
		span = 2 * time.Hour
	}
	return time.Duration(f.Pick%uint64(span/time.Second))*time.Second - 2*time.Hour
}

// jumpDaemon shifts the daemon's wall clock while it runs, and back again.
func (s *stage) jumpDaemon(ctx context.Context, f Fault) error {
	if !s.o.Binary.Clock {
		return errLeftOut
	}
	if err := os.WriteFile(s.clockPath(), []byte(strconv.Itoa(int(f.jump().Seconds()))+"\n"), 0o644); err != nil {
		return err
	}
	sleep(ctx, f.For)
	return os.Remove(s.clockPath())
}

// troubled notes until when the state could not be written.
func (s *stage) troubled(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.diskTrouble = time.Now()
	return err
}

const terminate = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'ghlsync%'`

// stopServer takes the server away for the fault's time. Of two such faults the
// second waits.
func (s *stage) stopServer(ctx context.Context, f Fault) error {
	s.restart.Lock()
	defer s.restart.Unlock()
	if f.Kind == PostgresKilled {
		s.server.Kill()
	} else {
		s.server.Halt(ctx)
	}
	sleep(ctx, f.For/2)
	return s.server.StartAgain(context.WithoutCancel(ctx))
}

// onSentra is what the DBA does. A server that is away is waited for.
func (s *stage) onSentra(ctx context.Context, texts ...string) error {
	s.restart.Lock()
	defer s.restart.Unlock()
	conn, err := pgx.Connect(ctx, s.url)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // each text has its outcome by then
	for _, text := range texts {
		if _, err := conn.Exec(ctx, text); err != nil {
			return err
		}
	}
	return nil
}

// dropSlot tries until it is quicker than the daemon, which takes the slot again as
// soon as its connection is gone.
func (s *stage) dropSlot(ctx context.Context) error {
	const drop = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '` + slotName + `'`
	var err error
	for range 50 {
		if err = s.onSentra(ctx, terminate, drop); err == nil || !sleep(ctx, 5*time.Millisecond) {
			return nil
		}
	}
	return err
}

// spoil alters publication or table under the daemon.
func (s *stage) spoil(ctx context.Context, f Fault) error {
	open, shut := "ALTER PUBLICATION ghlsync DROP TABLE calendar_events", "ALTER PUBLICATION ghlsync ADD TABLE calendar_events"
	switch f.Kind {
	case PublicationNew:
		open, shut = "DROP PUBLICATION ghlsync", "CREATE PUBLICATION ghlsync FOR TABLE calendar_events WITH (publish_via_partition_root = true)"
	case TableAnew:
		return s.onSentra(ctx, tableAnew)
	}
	// The daemon may mend it before the DBA does, and it may not have been there yet.
	if err := s.onSentra(ctx, open); err != nil && !refusedAs(err, "42704") {
		return err
	}
	sleep(ctx, f.For/4)
	if err := s.onSentra(ctx, shut); err != nil && !refusedAs(err, "42710", "42704") {
		return err
	}
	return nil
}

// tableAnew is a migration by copy, in one transaction.
const tableAnew = `
	BEGIN;
	LOCK TABLE calendar_events IN ACCESS EXCLUSIVE MODE;
	CREATE TABLE anew (LIKE calendar_events INCLUDING ALL);
	INSERT INTO anew SELECT * FROM calendar_events;
	DROP TABLE calendar_events;
	ALTER TABLE anew RENAME TO calendar_events;
	ALTER TABLE calendar_events ADD FOREIGN KEY (client_id) REFERENCES clients (id) ON DELETE CASCADE;
	CREATE TRIGGER update_calendar_events_updated_at BEFORE UPDATE ON calendar_events
		FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
	ALTER TABLE calendar_events ENABLE ROW LEVEL SECURITY;
	CREATE POLICY calendar_events_authenticated ON calendar_events FOR ALL TO authenticated USING (true) WITH CHECK (true);
	GRANT SELECT, INSERT, UPDATE, DELETE ON calendar_events TO authenticated;
	COMMIT`

// ruleBook holds the rules of all of GHL's faults that last.
type ruleBook struct {
	ghl   *sandbox.Sandbox
	mu    sync.Mutex
	rules []sandbox.Rule
	picks []uint64 // of the faults, beside rules
}

func (b *ruleBook) inForce(ctx context.Context, f Fault, mode Mode) error {
	if err := b.set(f.Pick, func() {
		b.rules, b.picks = append(b.rules, f.rule(mode)), append(b.picks, f.Pick)
	}); err != nil {
		return err
	}
	sleep(ctx, f.For)
	return b.set(f.Pick, func() {
		i := slices.Index(b.picks, f.Pick)
		b.rules, b.picks = slices.Delete(b.rules, i, i+1), slices.Delete(b.picks, i, i+1)
	})
}

func (b *ruleBook) set(seed uint64, change func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	return b.ghl.Set(sandbox.Faults{Seed: seed, Rules: b.rules})
}
