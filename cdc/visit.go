package cdc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pglogrepl"
)

// Visit looks at a source without streaming from it, for those who want to know
// all that is wrong and not only what stops a start. It makes and changes nothing,
// and works beside a daemon.
type Visit struct{ source *Source }

// NewVisit connects. Errors are those of Open, as far as one ordinary connection
// tells.
func NewVisit(ctx context.Context, cfg Config) (*Visit, error) {
	if err := Check(cfg); err != nil {
		return nil, err
	}
	s, err := newSource(cfg)
	if err != nil {
		return nil, err
	}
	conn, err := s.connect(ctx, ordinary, "")
	if err != nil {
		return nil, err
	}
	s.look.conn, s.version = conn, serverVersion(conn)
	// A later reconnection compares it. Where it cannot be had, there is none.
	if rows, err := query(ctx, conn, `SELECT system_identifier FROM pg_control_system()`); err == nil {
		s.system.SystemID = rows[0].text(0)
	}
	return &Visit{source: s}, nil
}

// Close ends the connections.
func (v *Visit) Close(ctx context.Context) error { return v.source.Close(ctx) }

// Version is server_version_num.
func (v *Visit) Version() int { return v.source.version }

// Role is who we are on the server.
func (v *Visit) Role() string { return v.source.base.User }

// Link is what lies between us and the server.
type Link struct {
	Local     bool // it stays on this machine
	Encrypted bool
	Verified  bool // the server's certificate was checked
}

// Link tells how we are connected.
func (v *Visit) Link() Link {
	conn, l := v.source.look.conn.Conn(), Link{Local: true} // a socket in the file system
	if addr, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		l.Local = addr.IP.IsLoopback()
	}
	if _, l.Encrypted = conn.(*tls.Conn); l.Encrypted {
		asked := v.source.base.TLSConfig
		l.Verified = asked != nil && (!asked.InsecureSkipVerify || asked.VerifyPeerCertificate != nil)
	}
	return l
}

// Preflight is what Open makes sure of: findings are what a person has to mend,
// and an error is anything else, a standby (ErrInRecovery) included.
func (v *Visit) Preflight(ctx context.Context) ([]*Finding, error) {
	err := v.source.preflight(ctx, v.source.look.conn)
	if found := Findings(err); len(found) > 0 {
		return found, nil
	}
	return nil, err
}

// Replicate makes sure that a replication connection comes about. Facts knows the
// server's timeline only after that.
func (v *Visit) Replicate(ctx context.Context) (err error) {
	s := v.source
	if s.repl, err = s.connect(ctx, replication, " stream"); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, closeConn(ctx, s.repl))
		s.repl = nil
	}()
	if s.system, err = pglogrepl.IdentifySystem(ctx, s.repl); err != nil {
		return fmt.Errorf("identify system: %w", s.serverError(err))
	}
	return s.readHistory(ctx)
}

// Facts is Source.Inspect.
func (v *Visit) Facts(ctx context.Context) (Facts, error) { return v.source.Inspect(ctx) }

// OpenTransactions lists what a new slot would have to wait for, oldest first, at
// most five.
func (v *Visit) OpenTransactions(ctx context.Context) ([]OpenTransaction, error) {
	return v.source.openTransactions(ctx, 0)
}

// EventsTable is the events table as SQL wants it.
func (v *Visit) EventsTable() string { return v.source.events.sql() }

// HasAppointmentColumn tells whether the events table has ghl_appointment_id. It
// is known after Preflight.
func (v *Visit) HasAppointmentColumn() bool {
	sh := v.source.shape.Load()
	return sh != nil && sh.events.has(AppointmentID.String())
}

// Rows runs a query with text parameters; NULL reads as "".
func (v *Visit) Rows(ctx context.Context, sql string, args ...string) ([][]string, error) {
	rows, err := v.source.look.query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	texts := make([][]string, len(rows))
	for i, r := range rows {
		for j := range r {
			texts[i] = append(texts[i], r.text(j))
		}
	}
	return texts, nil
}

// TextArray is values as one parameter of Rows.
func TextArray(values []string) string { return arrayLiteral(values) }

// wantedTypes are the types whose text output the translation can read, by column;
// the first is what a wrong one is changed to. Columns that may be of any type are
// left out.
var wantedTypes = [NumColumns][]string{
	Title:       {"text", "character varying", "bpchar", "citext"},
	Description: {"text", "character varying", "bpchar", "citext"},
	StartDate:   {"date"},
	EndDate:     {"date"},
	StartTime:   {"time without time zone", "time with time zone"},
	EndTime:     {"time without time zone", "time with time zone"},
	CreatedAt:   {"timestamp with time zone", "timestamp without time zone"},
	UpdatedAt:   {"timestamp with time zone", "timestamp without time zone"},
}

// TypeFindings judges the types of the events table's columns: a value of another
// type would park its event. They are known after Preflight.
func (v *Visit) TypeFindings() []*Finding {
	sh := v.source.shape.Load()
	if sh == nil {
		return nil
	}
	var findings []*Finding
	for c, wanted := range wantedTypes {
		name := Column(c).String()
		column, ok := sh.events.columns[name]
		if !ok || oneOf(column.typ, wanted) {
			continue
		}
		findings = append(findings, &Finding{
			Code:    CodeColumn,
			Problem: fmt.Sprintf("column %s of %s is of type %s, whose values cannot be shown in GHL", name, v.source.events, column.typ),
			Mend:    "check that this is Sentra's table, and give the column its type",
			SQL: []string{fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s USING %[2]s::%[3]s;",
				v.source.events.sql(), quoteIdent(name), wanted[0])},
		})
	}
	return findings
}

func oneOf(typ string, wanted []string) bool {
	for _, w := range wanted {
		// A type out of an extension is spelt with its schema.
		if typ == w || strings.HasSuffix(typ, "."+w) {
			return true
		}
	}
	return len(wanted) == 0
}
