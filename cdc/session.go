package cdc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	connectTimeout = 10 * time.Second
	closeTimeout   = 2 * time.Second
	// deadPeer is how long a peer that acknowledges nothing keeps a connection.
	deadPeer = 30 * time.Second
	// senderTimeout is pinned on the stream: a capturer that is frozen, or cut off,
	// frees the slot for a standby within this time.
	senderTimeout = "8s"
	readBuffer    = 64 << 10
)

// The kinds of connection.
type connKind uint8

const (
	ordinary connKind = iota
	replication
)

// pinned are the settings that decide how values are printed, or could end a
// session that waits. A database or a role may set any of them; what a client
// asks for in its startup message comes before those.
var pinned = map[string]string{
	"datestyle":                           "ISO, MDY",
	"intervalstyle":                       "postgres",
	"timezone":                            "UTC",
	"client_encoding":                     "UTF8",
	"bytea_output":                        "hex",
	"extra_float_digits":                  "1",
	"standard_conforming_strings":         "on",
	"default_transaction_isolation":       "read committed",
	"search_path":                         "pg_catalog",
	"client_min_messages":                 "warning",
	"statement_timeout":                   "0",
	"lock_timeout":                        "0",
	"idle_in_transaction_session_timeout": "0",
	"idle_session_timeout":                "0",
	// What we commit (a canary, a publication) is no data of Sentra's: it is not to
	// wait for standbys, and nobody behind it.
	"synchronous_commit": "local",
}

// connect opens one connection. suffix tells connections apart in
// pg_stat_activity.
func (s *Source) connect(ctx context.Context, kind connKind, suffix string) (*pgconn.PgConn, error) {
	cfg := s.base.Copy()
	for k, v := range pinned {
		cfg.RuntimeParams[k] = v
	}
	cfg.RuntimeParams["application_name"] = s.cfg.ApplicationName + suffix
	switch kind {
	case ordinary:
		// An error instead of rows that a policy hides.
		cfg.RuntimeParams["row_security"] = "off"
	case replication:
		cfg.RuntimeParams["replication"] = "database"
		cfg.RuntimeParams["wal_sender_timeout"] = senderTimeout
		// The walsender sends one message at a time: take what is there at once.
		cfg.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
			return pgproto3.NewFrontend(bufio.NewReaderSize(r, readBuffer), w)
		}
	}
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, s.connectError(ctx, kind, err)
	}
	if err := pinTransactionTimeout(ctx, conn); err != nil {
		return nil, errors.Join(fmt.Errorf("pin transaction_timeout: %w", s.serverError(err)), closeConn(ctx, conn))
	}
	return conn, nil
}

// pinTransactionTimeout sets what older servers refuse in a startup message.
func pinTransactionTimeout(ctx context.Context, conn *pgconn.PgConn) error {
	if serverVersion(conn) < 170000 {
		return nil
	}
	_, err := conn.Exec(ctx, "SET transaction_timeout = 0").ReadAll()
	return err
}

// baseConfig parses the connection string. Check has accepted it before.
func baseConfig(url string) (*pgconn.Config, error) {
	if err := checkURL(url); err != nil {
		return nil, err
	}
	cfg, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, errors.New("the source's connection string cannot be parsed")
	}
	if cfg.ConnectTimeout == 0 || cfg.ConnectTimeout > connectTimeout {
		cfg.ConnectTimeout = connectTimeout
	}
	dialer := &net.Dialer{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4},
		Control:         limitUnacknowledged,
	}
	cfg.DialFunc = dialer.DialContext
	// FATAL closes the connection, as by default; notices are read where they
	// matter.
	return cfg, nil
}

// serverVersion is server_version_num, made from what the server announced:
// '15.4 (Debian …)', '18beta1'. It is 0 if that makes no sense.
func serverVersion(conn *pgconn.PgConn) int {
	text := conn.ParameterStatus("server_version")
	digits := func(s string) string {
		end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if end < 0 {
			return s
		}
		return s[:end]
	}
	first := digits(text)
	major, err := strconv.Atoi(first)
	if err != nil {
		return 0
	}
	minor := 0
	if rest := text[len(first):]; strings.HasPrefix(rest, ".") {
		if n, err := strconv.Atoi(digits(rest[1:])); err == nil {
			minor = n
		}
	}
	return major*10000 + minor
}

// closeConn ends a connection and waits until its goroutines are gone, but no
// longer than closeTimeout. It does not matter whether ctx is done.
func closeConn(ctx context.Context, conn *pgconn.PgConn) error {
	if conn == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	// An error means that the connection was gone already.
	_ = conn.Close(ctx)
	select {
	case <-conn.CleanupDone():
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close connection to the source: %w", ctx.Err())
	}
}

// textRow is one row in text form; nil is NULL.
type textRow [][]byte

func (r textRow) text(i int) string { return string(r[i]) }
func (r textRow) null(i int) bool   { return r[i] == nil }
func (r textRow) yes(i int) bool    { return string(r[i]) == "t" }

// query runs one statement with text parameters and reads all rows. It uses the
// unnamed statement, so that no plan outlives an ALTER TABLE.
func query(ctx context.Context, conn *pgconn.PgConn, sql string, args ...string) ([]textRow, error) {
	values := make([][]byte, len(args))
	for i, a := range args {
		values[i] = []byte(a)
	}
	result := conn.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, result.Err
	}
	rows := make([]textRow, len(result.Rows))
	for i, r := range result.Rows {
		rows[i] = r
	}
	return rows, nil
}
