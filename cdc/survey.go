package cdc

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// Survey is what can be told of a source without streaming from it.
type Survey struct {
	Facts
	WALLevel string
	// Role is who looked. Creator: it may create roles.
	Role    string
	Creator bool
	// EventsOwner and ClientsOwner own the tables; "" where there is none.
	EventsOwner, ClientsOwner string
	// Findings are what keeps the publication or the slot that are there from being
	// used, or the events table from being published.
	Findings []*Finding
}

// WALFinding is about wal_level; nil if it is logical.
func (v Survey) WALFinding() *Finding { return walFinding(v.WALLevel) }

// Look surveys the source on one ordinary connection, with no right but to log in,
// and changes nothing. Errors are those of Open.
func Look(ctx context.Context, cfg Config) (v Survey, err error) {
	s, err := ordinarySource(ctx, cfg, " setup")
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
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

// ordinarySource makes a Source of one ordinary connection, to a server that can serve.
func ordinarySource(ctx context.Context, cfg Config, suffix string) (*Source, error) {
	if err := Check(cfg); err != nil {
		return nil, err
	}
	s, err := newSource(cfg)
	if err != nil {
		return nil, err
	}
	if s.look.conn, err = s.connect(ctx, ordinary, suffix); err != nil {
		return nil, err
	}
	s.version = serverVersion(s.look.conn)
	if find := versionFinding(s.version); find != nil {
		return nil, errors.Join(find, s.Close(ctx))
	}
	return s, nil
}

const serverQuery = `
SELECT current_setting('wal_level'), system_identifier, timeline_id, pg_is_in_recovery(), rolsuper OR rolcreaterole,
       (SELECT pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2),
       (SELECT pg_get_userbyid(c.relowner) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $3 AND c.relname = $4)
FROM pg_control_system(), pg_control_checkpoint(), pg_roles WHERE rolname = current_user`

// lookAtServer reads what a replication connection would have told, and who is who.
func (s *Source) lookAtServer(ctx context.Context, v *Survey) error {
	return s.look.use(ctx, func(conn *pgconn.PgConn) error {
		rows, err := query(ctx, conn, serverQuery, s.events.schema, s.events.name, s.clients.schema, s.clients.name)
		if err != nil {
			return fmt.Errorf("look at the server: %w", s.serverError(err))
		}
		if rows[0].yes(3) {
			return errStandby
		}
		v.Role, v.WALLevel, v.Creator = s.base.User, rows[0].text(0), rows[0].yes(4)
		v.EventsOwner, v.ClientsOwner = rows[0].text(5), rows[0].text(6)
		s.system.SystemID = rows[0].text(1)
		timeline, err := strconv.ParseInt(rows[0].text(2), 10, 32)
		s.system.Timeline = int32(timeline)
		return err
	})
}

// MakeSlot creates the configured slot as [Source.CreateSlot] does, whatever
// Config.Create says, and keeps nothing open: the slot is there for a daemon that
// starts later. The role needs no right but to replicate.
func MakeSlot(ctx context.Context, cfg Config) (at pglogrepl.LSN, err error) {
	s, err := ordinarySource(ctx, cfg, " slot")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	h, err := s.createSlot(ctx, s.cfg.Slot, false)
	if err != nil {
		return 0, err
	}
	return h.LSN, h.Close(ctx)
}

// DropSlot drops the configured slot, on one ordinary connection. ErrSlotActive if
// somebody streams from it; one that does not exist is no error. Of the
// configuration only URL and Slot count.
func DropSlot(ctx context.Context, cfg Config) (err error) {
	base, err := baseConfig(cfg.URL)
	if err != nil {
		return err
	}
	s := &Source{cfg: cfg.withDefaults(), base: base}
	s.look = &lookups{source: s, turn: make(chan struct{}, 1)}
	if s.look.conn, err = s.connect(ctx, ordinary, " slot"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	return s.DropSlot(ctx)
}

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

// EventColumns are all columns of the events table that are ever read. Some installs
// lack those that are not required.
func EventColumns() []string { return append([]string(nil), columnNames[:]...) }
