package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"ghlsync/state"
)

const (
	schema = "ghlsync"

	// lockSpace is the first key of every advisory lock that is taken here: "GHLS".
	lockSpace = 0x47484C53
	// The second keys. lockWriters is held shared by deliveries and alone by every
	// other Tx; lockAppointments by a delivery that asks who has an appointment.
	lockMigration    = 1
	lockWriters      = 2
	lockAppointments = 3
	lockOpen         = 4 // see alone.go

	defaultConnections = 4
	oldestServer       = 140000
)

// Options are the settings of a store. The zero value is good.
type Options struct {
	// Connections is how many the store opens at most for its transactions, and as
	// many again for reading. Default 4.
	Connections int
	// Alone keeps every other store that writes from the state, as long as this one
	// is open. Where one is there, Open returns state.ErrLocked.
	Alone bool
	// Instance is the id that the store attends with, if it does. Its connections
	// bear it, so that what a frozen daemon left open can be ended.
	Instance string
}

// Store is a state.Store in one schema of a PostgreSQL database. It is safe for
// concurrent use, by several processes.
type Store struct {
	Reader
	writers  *pgxpool.Pool // apart: who waits for a Tx must not keep its holder from reading
	alone    *pgx.Conn     // holds the lock of Options.Alone
	beats    *pgxpool.Pool // one connection: a daemon that waits for its turn lives
	systemID string
	clock    atomic.Pointer[reading]
}

var _ state.Store = (*Store)(nil)

// Open opens the state in the database that url names, and makes it where there is
// none. It returns state.ErrNewerSchema where it must not write.
func Open(ctx context.Context, url string, o Options) (_ *Store, err error) {
	s := &Store{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.writers, err = openPool(ctx, url, o, false); err != nil {
		return nil, err
	}
	if s.pool, err = openPool(ctx, url, o, true); err != nil {
		return nil, err
	}
	if err := s.keepOthersOut(ctx, o); err != nil {
		return nil, err
	}
	if s.beats, err = openPool(ctx, url, Options{Connections: 1, Instance: o.Instance, Alone: o.Alone}, false); err != nil {
		return nil, err
	}
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.writers); err != nil {
		return nil, fail("migrate the state", err)
	}
	return s, nil
}

// OpenReadOnly opens the state beside a daemon, or without one, and never makes or
// changes it. Where there is none, it is fs.ErrNotExist.
func OpenReadOnly(ctx context.Context, url string) (*Reader, error) {
	pool, err := openPool(ctx, url, Options{}, true)
	if err != nil {
		return nil, err
	}
	if err := checkCurrent(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	return &Reader{pool: pool}, nil
}

// Close ends all use of the database. It waits for open transactions.
func (s *Store) Close() error {
	for _, pool := range []*pgxpool.Pool{s.writers, s.beats, s.pool} {
		if pool != nil {
			pool.Close()
		}
	}
	if s.alone != nil {
		return fail("let others use the state", s.alone.Close(context.Background()))
	}
	return nil
}

// SystemID is the system identifier of the server, as in a checkpoint. The commits
// of a store on the captured server are in the WAL that capture reads.
func (s *Store) SystemID() string { return s.systemID }

func openPool(ctx context.Context, url string, o Options, reads bool) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("STATE_URL is not a connection string of PostgreSQL") // the cause may quote the password
	}
	config.MaxConns = int32(defaultConnections)
	if o.Connections > 0 {
		config.MaxConns = int32(o.Connections)
	}
	config.MinConns, config.MinIdleConns = 0, 0
	// A connection may have died while nobody used it, with the server perhaps.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return true }
	params := config.ConnConfig.RuntimeParams
	for name, value := range session {
		params[name] = value
	}
	switch {
	case reads:
		params["default_transaction_read_only"] = "on"
	case !o.Alone:
		config.AfterConnect = markOpen
	}
	switch {
	case o.Instance != "":
		params["application_name"] = instanceName + o.Instance
	case params["application_name"] == "":
		params["application_name"] = "ghlsync state"
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open the state: %w", err)
	}
	return pool, nil
}

// session is what every connection asks for, whatever a role or a database has for
// defaults.
var session = map[string]string{
	"search_path": schema + ", pg_temp",
	// A commit is durable when it returns.
	"synchronous_commit": "on",
	"statement_timeout":  "0",
	// Migrations and reads have no BEGIN of ours.
	"default_transaction_read_only": "off",
	"default_transaction_isolation": "read committed",
	"lock_timeout":                  "0",
	// What a daemon left open that hangs, or whose machine is gone, is ended, so that
	// others go on. A Tx of capture may wait a while for more of a transaction.
	"idle_in_transaction_session_timeout": "120s",
	"tcp_keepalives_idle":                 "30",
	"tcp_keepalives_interval":             "10",
	"tcp_keepalives_count":                "3",
	// Every statement has its index. A plan that was made while a table was empty
	// must not read all of it when it has grown, and is not worth compiling.
	"enable_seqscan":              "off",
	"jit":                         "off",
	"standard_conforming_strings": "on",
}

// check refuses a server on which the state would not be kept as promised.
func (s *Store) check(ctx context.Context) error {
	var version int
	var encoding, durable string
	var standby bool
	var now int64
	err := s.pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, getdatabaseencoding(),
		current_setting('synchronous_commit'), pg_is_in_recovery(), (SELECT system_identifier::text FROM pg_control_system()),
		(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`).
		Scan(&version, &encoding, &durable, &standby, &s.systemID, &now)
	switch {
	case err != nil:
		return fail("look at the state's server", err)
	case version < oldestServer:
		return fmt.Errorf("the state needs PostgreSQL 14 or later, the server of STATE_URL is %d", version/10000)
	case encoding != "UTF8":
		return fmt.Errorf("the database of STATE_URL has the encoding %s: create one with encoding UTF8", encoding)
	case durable != "on":
		return fmt.Errorf("synchronous_commit is %s although it was asked for: let STATE_URL name the server, not a pooler", durable)
	case standby:
		return errors.New("the server of STATE_URL is a standby: name the primary")
	}
	s.setClock(now)
	return nil
}
