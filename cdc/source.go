package cdc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// Source is a session with the source database: one replication connection, for
// the stream, and one ordinary connection, for everything else. A snapshot opens
// one more of each. Stream is called at most once; all other methods may be used
// side by side with it.
type Source struct {
	cfg             Config
	base            *pgconn.Config
	events, clients tableName

	system   pglogrepl.IdentifySystemResult
	switches []Switch
	version  int

	look *lookups
	repl *pgconn.PgConn
	// shape is what the catalog says of both tables; nil makes the next look-up
	// read it again.
	shape     atomic.Pointer[shape]
	streaming atomic.Bool
	shadow    string // the temporary slot that is streamed from; "": the configured one
}

// Open connects and makes sure that capture can work: version, wal_level, rights,
// tables, columns, row security, replica identity. What a person has to mend
// comes back as one or several joined *Finding; anything else may pass.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	if err := Check(cfg); err != nil {
		return nil, err
	}
	s, err := newSource(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

func newSource(cfg Config) (*Source, error) {
	cfg = cfg.withDefaults()
	base, err := baseConfig(cfg.URL)
	if err != nil {
		return nil, err
	}
	s := &Source{cfg: cfg, base: base}
	s.look = &lookups{source: s, turn: make(chan struct{}, 1)}
	if s.events, err = parseTable(cfg.EventsTable); err != nil {
		return nil, err
	}
	if s.clients, err = parseTable(cfg.ClientsTable); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Source) open(ctx context.Context) error {
	conn, err := s.connect(ctx, ordinary, "")
	if err != nil {
		return err
	}
	s.look.conn = conn
	s.version = serverVersion(conn)
	if err := s.preflight(ctx, conn); err != nil {
		return err
	}
	if s.repl, err = s.connect(ctx, replication, " stream"); err != nil {
		return err
	}
	if s.system, err = pglogrepl.IdentifySystem(ctx, s.repl); err != nil {
		return fmt.Errorf("identify system: %w", s.serverError(err))
	}
	return s.readHistory(ctx)
}

// Close ends the connections. It may be called more than once, but not while
// another method runs. An error means that ctx ended before the server answered.
func (s *Source) Close(ctx context.Context) error {
	return errors.Join(closeConn(ctx, s.look.conn), closeConn(ctx, s.repl))
}

// readHistory reads where the earlier timelines ended. A server that lost its
// history file leaves the switches empty: Judge then finds continuity unproven.
func (s *Source) readHistory(ctx context.Context) error {
	if s.system.Timeline <= 1 {
		return nil
	}
	history, err := pglogrepl.TimelineHistory(ctx, s.repl, s.system.Timeline)
	if err != nil {
		var pg *pgconn.PgError
		if errors.As(err, &pg) && !endsSession(pg) {
			s.cfg.Logger.Warn("timeline history is not readable", "timeline", s.system.Timeline, "sqlstate", pg.Code)
			return nil
		}
		return fmt.Errorf("read timeline history: %w", s.serverError(err))
	}
	s.switches = parseHistory(string(history.Content))
	return nil
}

// parseHistory reads a timeline history file: lines of timeline, switch point
// and reason, separated by white space, and comments.
func parseHistory(content string) []Switch {
	var switches []Switch
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		timeline, err := strconv.ParseInt(fields[0], 10, 32)
		if err != nil {
			continue
		}
		lsn, err := pglogrepl.ParseLSN(fields[1])
		if err != nil {
			continue
		}
		switches = append(switches, Switch{Timeline: int32(timeline), LSN: lsn})
	}
	return switches
}

// wait pauses between two tries.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
