package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/internal/postgres"
	"ghlsync/testdata/sentra"
)

// awaitTimeout is how long Await waits; a test that gets there has failed.
const awaitTimeout = 15 * time.Second

var (
	databases atomic.Int64 // numbers the names
	roles     atomic.Int64
)

// DB is a database of one test.
type DB struct {
	// URL connects to the database as the superuser postgres.
	URL string
	// Name is unique on its server, lower case, and valid as a slot's, publication's and role's name.
	Name string
	// Server is where the database is.
	Server *postgres.Server

	mu   sync.Mutex
	conn *pgx.Conn // what Exec and QueryString use; opened when needed
}

// Database makes a database with Sentra's schema on the shared server. It is dropped when the test ends, with its slots.
func Database(t testing.TB) *DB {
	t.Helper()
	return sharedDatabase(t, schemaTemplate)
}

// DatabaseWithoutSchema is Database with nothing in it.
func DatabaseWithoutSchema(t testing.TB) *DB {
	t.Helper()
	return sharedDatabase(t, "template1")
}

func sharedDatabase(t testing.TB, template string) *DB {
	t.Helper()
	db := create(t, Server(t), template)
	t.Cleanup(func() {
		ctx, cancel := afterTest(t)
		defer cancel()
		if err := db.drop(ctx); err != nil {
			t.Errorf("drop database %s: %v", db.Name, err)
		}
	})
	db.closeWith(t)
	return db
}

// DatabaseOn makes a database with Sentra's schema on a server from Own, with which it goes.
func DatabaseOn(t testing.TB, server *postgres.Server) *DB {
	t.Helper()
	db := create(t, server, "template1")
	db.closeWith(t)
	db.Exec(t, sentra.Schema)
	return db
}

// On is the same database on another server, such as a standby of this one's.
func (db *DB) On(t testing.TB, server *postgres.Server) *DB {
	t.Helper()
	other := &DB{URL: server.URL(db.Name), Name: db.Name, Server: server}
	other.closeWith(t)
	return other
}

func create(t testing.TB, server *postgres.Server, template string) *DB {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	if err := execOn(t.Context(), server.URL("postgres"), "create database "+name+" template "+template); err != nil {
		t.Fatalf("create database: %v", err)
	}
	return &DB{URL: server.URL(name), Name: name, Server: server}
}

// Exec runs sql; without arguments it may hold several statements. A connection that a test or a restart has cut is
// replaced first.
func (db *DB) Exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if err := db.exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%.200s: %v", sql, err)
	}
}

func (db *DB) exec(ctx context.Context, sql string, args ...any) error {
	db.mu.Lock()
	defer db.mu.Unlock()
	conn, err := db.connection(ctx)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql, args...)
	return err
}

// QueryString returns the first column of the first row in PostgreSQL's text form, "" for NULL. No row fails the test.
func (db *DB) QueryString(t testing.TB, sql string, args ...any) string {
	t.Helper()
	value, err := db.query(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%.200s: %v", sql, err)
	}
	return value
}

func (db *DB) query(ctx context.Context, sql string, args ...any) (string, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	conn, err := db.connection(ctx)
	if err != nil {
		return "", err
	}
	rows, err := conn.Query(ctx, sql, append([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, args...)...)
	if err != nil {
		return "", err
	}
	return pgx.CollectOneRow(rows, func(row pgx.CollectableRow) (string, error) {
		return string(row.RawValues()[0]), nil
	})
}

// Await asks until QueryString's answer is want, and fails the test after 15 s with the last answer. It is for what
// PostgreSQL does in its own time, such as a slot that becomes inactive. A row that is not there yet counts as "".
func (db *DB) Await(t testing.TB, want, sql string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
	defer cancel()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	var got string
	for {
		answer, err := db.query(ctx, sql, args...)
		switch {
		case err == nil, errors.Is(err, pgx.ErrNoRows):
			got = answer
		case ctx.Err() == nil:
			t.Fatalf("%.200s: %v", sql, err)
		}
		if got == want && err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%.200s: %q after %v, want %q", sql, got, awaitTimeout, want)
		case <-poll.C:
		}
	}
}

// connection is the helpers' own, checked and renewed. The caller holds mu.
func (db *DB) connection(ctx context.Context) (*pgx.Conn, error) {
	if db.conn != nil {
		if err := db.conn.Ping(ctx); err == nil {
			return db.conn, nil
		}
		// It is dead, and a new one shows whether the server is.
		_ = db.conn.Close(ctx)
		db.conn = nil
	}
	conn, err := pgx.Connect(ctx, db.URL)
	if err != nil {
		return nil, err
	}
	db.conn = conn
	return conn, nil
}

// closeWith closes the helpers' connection at the end of the test.
func (db *DB) closeWith(t testing.TB) {
	t.Cleanup(func() {
		ctx, cancel := afterTest(t)
		defer cancel()
		db.mu.Lock()
		defer db.mu.Unlock()
		if db.conn != nil {
			// The server may be gone, and the connection with it.
			_ = db.conn.Close(ctx)
		}
	})
}

// Conn opens a connection for the test, closed when it ends. Like every pgx.Conn it is for one goroutine at a time.
func (db *DB) Conn(t testing.TB) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), db.URL)
	if err != nil {
		t.Fatalf("connect to %s: %v", db.Name, err)
	}
	t.Cleanup(func() {
		ctx, cancel := afterTest(t)
		defer cancel()
		// The test may have cut it, or stopped the server.
		_ = conn.Close(ctx)
	})
	return conn
}

// Role creates a role with the given attributes (such as "login replication") and no rights of its own. It returns the
// name and the connection string to this database; the role goes with the test.
func (db *DB) Role(t testing.TB, attributes string) (name, connection string) {
	t.Helper()
	name = fmt.Sprintf("%s_role_%d", db.Name, roles.Add(1))
	db.Exec(t, "create role "+name+" "+attributes)
	t.Cleanup(func() {
		ctx, cancel := afterTest(t)
		defer cancel()
		if db.Server.PID() == 0 {
			return // stopped by the test, and its data will go
		}
		if err := db.exec(ctx, "drop owned by "+name+" cascade; drop role "+name); err != nil {
			t.Errorf("drop role %s: %v", name, err)
		}
	})
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatalf("parse the database's address: %v", err)
	}
	u.User = url.User(name)
	return name, u.String()
}
