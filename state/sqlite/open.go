package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	// The driver registers itself as "sqlite".
	_ "modernc.org/sqlite"

	"ghlsync/state"
)

const (
	// applicationID marks a file as ours in its header: "GHLS".
	applicationID = 0x47484C53

	defaultBusyTimeout = 10 * time.Second
	readers            = 4

	// writerCache and readerCache are page caches in KiB. What does not fit goes
	// to the WAL, so that a transaction of any size needs no more memory.
	writerCache = 8 << 10
	readerCache = 1 << 10
	// walPages is how much WAL, in pages of 4 KiB, is written before the writer
	// copies what the copier has left into the file, and the WAL starts over;
	// walLimit is the size to which a WAL that grew larger, by one huge transaction,
	// is cut again.
	walPages = 16384
	walLimit = 96 << 20
)

// Options are the settings of a store. The zero value is good.
type Options struct {
	// BusyTimeout is how long a statement waits for a lock that a process other
	// than a daemon holds, such as an operator's shell. Default 10 s.
	BusyTimeout time.Duration
}

// Store is a state.Store in one SQLite file. It is safe for concurrent use.
type Store struct {
	Reader
	path   string
	lock   *lockFile
	writer *sql.DB // one connection: whoever has it has the only Tx
	save   saver
	copier *copier
}

var _ state.Store = (*Store)(nil)

// Open opens the state file at path for writing, and makes it where there is
// none. The directory must exist. It returns state.ErrLocked while another
// process has it open so, state.ErrCorrupt and state.ErrNewerSchema for a file
// that it must not write to; such a file stays as it is, to the byte.
func Open(ctx context.Context, path string, opts Options) (_ *Store, err error) {
	path, err = resolve(path)
	if err != nil {
		return nil, err
	}
	l, err := lock(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, lock: l}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := prepare(ctx, path); err != nil {
		return nil, err
	}
	s.writer = openDB(writerDSN(path, opts), 1)
	if err := migrate(ctx, s.writer); err != nil {
		return nil, damaged(path, fmt.Errorf("migrate the state: %w", err))
	}
	s.Reader = Reader{path: path, db: openDB(readerDSN(path, opts), readers)}
	s.copier = startCopier(path, opts)
	return s, nil
}

// resolve names a file by one name, since its lock goes by that. SQLite does the
// same for the -wal and -shm files.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("resolve the state's path: %w", err)
	}
	target, err := filepath.EvalSymlinks(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return path, nil // yet to be made
	case err != nil:
		return "", fmt.Errorf("resolve the state's path: %w", err)
	}
	return target, nil
}

// Announce tells other processes, through [Holder], where this one's admin API
// listens.
func (s *Store) Announce(httpAddr string) error {
	if err := s.lock.write(Holding{PID: os.Getpid(), HTTPAddr: httpAddr}); err != nil {
		return fmt.Errorf("announce the admin address: %w", err)
	}
	return nil
}

// Close ends all use of the file and lets it go. It waits for an open Tx.
func (s *Store) Close() error {
	var errs []error
	if s.copier != nil {
		errs = append(errs, s.copier.close())
	}
	if s.db != nil {
		errs = append(errs, s.Reader.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.closeWriter())
	}
	errs = append(errs, s.lock.release())
	return errors.Join(errs...)
}

// closeWriter gives the prepared statement back before its connection goes. The
// last connection to close copies the WAL into the file and removes it.
func (s *Store) closeWriter() error {
	conn, err := s.writer.Conn(context.Background())
	if err == nil {
		err = errors.Join(s.save.drop(conn), conn.Close())
	}
	return errors.Join(err, s.writer.Close())
}

// OpenReadOnly opens the state file at path beside a daemon, or without one. It
// never makes or changes a state; where no daemon runs, SQLite leaves an empty -wal
// and a -shm file beside it, which the next daemon takes over. A missing file is
// fs.ErrNotExist, an unusable one as in [Open].
func OpenReadOnly(ctx context.Context, path string) (*Reader, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	size, err := fileSize(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no state at %s yet: start the daemon, or set STATE_URL to its file: %w", path, fs.ErrNotExist)
	case err != nil:
		return nil, err
	case size == 0:
		return nil, fmt.Errorf("the state at %s is still empty: start the daemon: %w", path, fs.ErrNotExist)
	}
	if err := check(ctx, path); err != nil {
		return nil, err
	}
	if err := checkCurrent(ctx, path); err != nil {
		return nil, err
	}
	return &Reader{path: path, db: openDB(readerDSN(path, Options{}), readers)}, nil
}

func openDB(dsn string, conns int) *sql.DB {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		panic("the sqlite driver is not registered: " + err.Error()) // sql.Open fails for nothing else
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	return db
}

func (o Options) busyMillis() int64 {
	if o.BusyTimeout <= 0 {
		return defaultBusyTimeout.Milliseconds()
	}
	return o.BusyTimeout.Milliseconds()
}

func writerDSN(path string, o Options) string {
	return dsn(path, "mode=rw",
		fmt.Sprintf("busy_timeout(%d)", o.busyMillis()),
		"journal_mode(wal)",
		"synchronous(full)",
		fmt.Sprintf("cache_size(-%d)", writerCache),
		fmt.Sprintf("wal_autocheckpoint(%d)", walPages),
		fmt.Sprintf("journal_size_limit(%d)", walLimit),
	)
}

func readerDSN(path string, o Options) string {
	mode := "mode=ro"
	if quiet(path) {
		mode += "&immutable=1"
	}
	return dsn(path, mode,
		fmt.Sprintf("busy_timeout(%d)", o.busyMillis()),
		fmt.Sprintf("cache_size(-%d)", readerCache),
		"query_only(true)",
	)
}

// dsn escapes the path, which may hold any character, a question mark included.
func dsn(path, mode string, pragmas ...string) string {
	s := "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + mode
	for _, p := range pragmas {
		s += "&_pragma=" + url.QueryEscape(p)
	}
	return s
}
