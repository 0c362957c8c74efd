package cdc

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
)

// Survey is what can be told of a source without streaming from it.
type Survey struct {
	Facts
	WALLevel string
	// Findings are what keeps the publication or the slot that are there from being
	// used, or the events table from being published.
	Findings []*Finding
}

// Look surveys the source on one ordinary connection, with no right but to log in,
// and changes nothing. Errors are those of Open.
func Look(ctx context.Context, cfg Config) (v Survey, err error) {
	if err := Check(cfg); err != nil {
		return v, err
	}
	s, err := newSource(cfg)
	if err != nil {
		return v, err
	}
	if s.look.conn, err = s.connect(ctx, ordinary, " setup"); err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	s.version = serverVersion(s.look.conn)
	if err := s.lookAtServer(ctx, &v); err != nil {
		return v, err
	}
	if v.Facts, err = s.Inspect(ctx); err != nil {
		return v, err
	}
	for _, find := range []*Finding{tableFinding(v.Facts, s.cfg), publicationFinding(v.Facts, s.cfg), foreignSlotFinding(v.Facts, s.cfg)} {
		if find != nil {
			v.Findings = append(v.Findings, find)
		}
	}
	if v.TableOID != 0 {
		v.Findings = append(v.Findings, Findings(s.checkIdentity(ctx, v.TableOID))...)
	}
	return v, nil
}

// lookAtServer reads what a replication connection would have told.
func (s *Source) lookAtServer(ctx context.Context, v *Survey) error {
	return s.look.use(ctx, func(conn *pgconn.PgConn) error {
		rows, err := query(ctx, conn, `SELECT current_setting('wal_level'), system_identifier, timeline_id
			FROM pg_control_system(), pg_control_checkpoint()`)
		if err != nil {
			return fmt.Errorf("look at the server: %w", s.serverError(err))
		}
		v.WALLevel, s.system.SystemID = rows[0].text(0), rows[0].text(1)
		timeline, err := strconv.ParseInt(rows[0].text(2), 10, 32)
		s.system.Timeline = int32(timeline)
		return err
	})
}

// DropSlot drops the configured slot, on one ordinary connection. ErrSlotActive if
// somebody streams from it; one that does not exist is no error.
func DropSlot(ctx context.Context, cfg Config) (err error) {
	if err := Check(cfg); err != nil {
		return err
	}
	s, err := newSource(cfg)
	if err != nil {
		return err
	}
	if s.look.conn, err = s.connect(ctx, ordinary, " slot"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	return s.DropSlot(ctx)
}

// AddTableSQL is the statement that adds the events table to the publication.
func (c Config) AddTableSQL() string { return addTableSQL(c) }

// DropSlotSQL is the statement that drops the slot.
func (c Config) DropSlotSQL() string { return dropSlotSQL(c) }

// Tables are the two tables as schema and name, each as SQL quotes it.
func (c Config) Tables() (events, clients [2]string, err error) {
	for name, to := range map[string]*[2]string{c.EventsTable: &events, c.ClientsTable: &clients} {
		t, err := parseTable(name)
		if err != nil {
			return events, clients, fmt.Errorf("table %q: %w", name, err)
		}
		*to = [2]string{quoteIdent(t.schema), quoteIdent(t.name)}
	}
	return events, clients, nil
}

// ClientColumns are all columns of the clients table that are ever read.
func ClientColumns() []string { return append([]string(nil), clientColumns[:]...) }

// Quote is an identifier as SQL takes it, whatever it holds.
func Quote(ident string) string { return quoteIdent(ident) }

// Literal is a text as SQL takes it, whatever it holds.
func Literal(text string) string { return quoteLiteral(text) }
