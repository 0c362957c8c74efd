package cdc

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATEs that decide something (PostgreSQL, appendix A).
const (
	stateInvalidPassword   = "28P01"
	stateInvalidAuth       = "28000"
	stateNoDatabase        = "3D000"
	stateNoPrivilege       = "42501"
	stateUndefinedObject   = "42704"
	stateDuplicateObject   = "42710"
	stateUndefinedColumn   = "42703"
	stateUndefinedTable    = "42P01"
	stateObjectInUse       = "55006"
	stateNotInPrerequisite = "55000"
	stateUndefinedFile     = "58P01"
	stateInvalidParameter  = "22023"
	stateQueryCanceled     = "57014"
)

func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// serverError is the boundary for errors of a connection that was open: a
// connection that broke becomes ErrConnectionLost; what the server said is kept
// with its code, without the message where that quotes values.
func (s *Source) serverError(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		return fmt.Errorf("%w: %s", ErrConnectionLost, s.scrub(err.Error()))
	}
	said := &ServerError{Code: pg.Code, Message: s.scrub(pg.Message), cause: pg}
	if strings.HasPrefix(pg.Code, "22") {
		said.Message = "a value is not valid"
	}
	if endsSession(pg) {
		return fmt.Errorf("%w: %w", ErrConnectionLost, said)
	}
	return said
}

// ServerError is what the server answered. It holds no values of rows.
type ServerError struct {
	Code    string // SQLSTATE
	Message string
	cause   *pgconn.PgError
}

func (e *ServerError) Error() string { return e.Message + " (SQLSTATE " + e.Code + ")" }

// Unwrap gives the driver's error, for errors.As only: its detail may quote
// values.
func (e *ServerError) Unwrap() error { return e.cause }

// endsSession tells what ended the session from what ended a statement.
func endsSession(pg *pgconn.PgError) bool {
	return pg.SeverityUnlocalized == "FATAL" || pg.SeverityUnlocalized == "PANIC" ||
		strings.HasPrefix(pg.Code, "57P") || strings.HasPrefix(pg.Code, "08")
}

// connectError is the boundary for connections that did not come about. It drops
// the driver's own error, which holds the whole configuration.
func (s *Source) connectError(ctx context.Context, kind connKind, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	user := s.base.User
	where := fmt.Sprintf("%s:%d", s.base.Host, s.base.Port)
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		var outer *pgconn.ConnectError
		if errors.As(err, &outer) {
			err = outer.Unwrap()
		}
		return fmt.Errorf("%w: connect to %s: %s", ErrConnectionLost, where, s.scrub(err.Error()))
	}
	said := &ServerError{Code: pg.Code, Message: s.scrub(pg.Message), cause: pg}
	switch {
	case pg.Code == stateInvalidPassword, pg.Code == stateNoDatabase:
		return &Finding{
			Code: CodeLogin, Problem: fmt.Sprintf("%s does not let role %q into database %q: %v", where, user, s.base.Database, said),
			Mend: "check user, password and database of SENTRA_DATABASE_URL",
		}
	case kind == replication && pg.Code == stateNoPrivilege:
		return &Finding{
			Code: CodeReplicationRole, Problem: fmt.Sprintf("role %q may not replicate: %v", user, said),
			Mend: "grant it (on Amazon RDS: GRANT rds_replication TO the role)",
			SQL:  []string{fmt.Sprintf("ALTER ROLE %s REPLICATION;", quoteIdent(user))},
		}
	case pg.Code == stateInvalidAuth:
		return &Finding{
			Code: CodeLogin, Problem: fmt.Sprintf("%s refuses role %q: %v", where, user, said),
			Mend: "let the role log in, and add a line for it and this database to pg_hba.conf",
		}
	case pg.Code == stateNoPrivilege:
		return &Finding{
			Code: CodeLogin, Problem: fmt.Sprintf("role %q may not connect to database %q: %v", user, s.base.Database, said), Mend: "grant it",
			SQL: []string{fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s;", quoteIdent(s.base.Database), quoteIdent(user))},
		}
	}
	return fmt.Errorf("%w: connect to %s: %w", ErrConnectionLost, where, said)
}

// scrub takes the password and the connection string out of a text that came
// from a driver or a server.
func (s *Source) scrub(text string) string {
	secrets := []string{s.cfg.URL, s.base.Password, url.QueryEscape(s.base.Password), url.PathEscape(s.base.Password)}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range secrets {
		if len(secret) > 2 { // a shorter one would shred the text and hide nothing
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	return text
}
