package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ghlsync/state"
)

// thoroughLimit is up to which size of a file every page is checked at a start.
// A larger file would take seconds: of it the schema and the small tables are.
const thoroughLimit = 64 << 20

// mend is what to do about a file that cannot be used.
const mend = "move it away (with its -wal and -shm files): the next start makes a new state, " +
	"adopts and assumes as a first start does"

// prepare makes the file or checks the one that is there. It is called under the
// lock, before anything writes.
func prepare(ctx context.Context, path string) error {
	size, err := fileSize(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return create(ctx, path)
	case err != nil:
		return err
	case size == 0:
		return create(ctx, path)
	}
	if err := check(ctx, path); err != nil {
		return err
	}
	return keepPrivate(path)
}

// fileSize fails for what is there but is no file.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, fmt.Errorf("look at the state file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("the state %s is not a regular file: set STATE_URL to a file", path)
	}
	return info.Size(), nil
}

// keepPrivate also covers the files beside it, which the check may have made with
// the mode that the file had.
func keepPrivate(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Chmod(path+suffix, 0o600); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("keep the state file private: %w", err)
		}
	}
	return nil
}

// create makes a database that bears our mark and puts it in its place whole: a
// crash leaves no file that a later start would take for another program's.
// SQLite gives -wal and -shm files the mode of this one. It would also play the
// WAL of a file that was taken away into this one.
func create(ctx context.Context, path string) error {
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return fmt.Errorf("%w: %s is missing or empty, but its -wal file holds changes of it: put the file back, or %s",
			state.ErrCorrupt, path, mend)
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a half-made state file: %w", err)
	}
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make the state file: %w", err)
	}
	if err := errors.Join(f.Chmod(0o600), f.Close()); err != nil {
		return fmt.Errorf("make the state file: %w", err)
	}
	db := openDB(dsn(fresh, "mode=rw"), 1)
	_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("make the state file: %w", err)
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("put the state file in its place: %w", err)
	}
	return nil
}

// check reads the file without writing to it and says why it cannot be used.
func check(ctx context.Context, path string) (err error) {
	db := openDB(readerDSN(path, Options{}), 1)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkOwner(ctx, db, path); err != nil {
		return damaged(path, err)
	}
	if err := checkSchema(ctx, db, path); err != nil {
		return damaged(path, err)
	}
	return damaged(path, checkPages(ctx, db, path))
}

// checkOwner tells a file of another program from ours.
func checkOwner(ctx context.Context, db *sql.DB, path string) error {
	var id int64
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return fmt.Errorf("read the state's header: %w", err)
	}
	if id != applicationID {
		return fmt.Errorf("%w: %s is a database of another program (application id %#x): set STATE_URL to another file, or %s",
			state.ErrCorrupt, path, id, mend)
	}
	return nil
}

func checkSchema(ctx context.Context, db *sql.DB, path string) error {
	current, err := schemaVersion(ctx, db)
	if err != nil {
		return fmt.Errorf("read the state's schema version: %w", err)
	}
	if current > latestSchema {
		return fmt.Errorf("%w: %s has schema %d, this program knows %d: start the newer ghlsync again, or %s",
			state.ErrNewerSchema, path, current, latestSchema, mend)
	}
	return nil
}

// checkCurrent is for those who only read: they cannot bring a file up to date.
func checkCurrent(ctx context.Context, path string) (err error) {
	db := openDB(readerDSN(path, Options{}), 1)
	defer func() { err = errors.Join(err, db.Close()) }()
	current, err := schemaVersion(ctx, db)
	if err != nil {
		return damaged(path, fmt.Errorf("read the state's schema version: %w", err))
	}
	if current < latestSchema {
		return fmt.Errorf("%w: %s has schema %d, this program reads %d: start the daemon, which brings it up to date",
			state.ErrOlderSchema, path, current, latestSchema)
	}
	return nil
}

func checkPages(ctx context.Context, db *sql.DB, path string) error {
	size, err := fileSize(path)
	if err != nil {
		return err
	}
	pragmas := []string{"PRAGMA quick_check(1)"}
	if size > thoroughLimit {
		pragmas = []string{"PRAGMA quick_check(replication_checkpoints)", "PRAGMA quick_check(sync_counts)"}
	}
	for _, pragma := range pragmas {
		var found string
		if err := db.QueryRowContext(ctx, pragma).Scan(&found); err != nil {
			return fmt.Errorf("check the state's pages: %w", err)
		}
		if found != "ok" {
			return corrupt(path, errors.New(found))
		}
	}
	return nil
}

// damaged makes SQLite's findings of corruption an error that callers branch on.
func damaged(path string, err error) error {
	var e *driver.Error
	if !errors.As(err, &e) || errors.Is(err, state.ErrCorrupt) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return corrupt(path, err)
	}
	return err
}

func corrupt(path string, err error) error {
	return fmt.Errorf("%w: %s: %w; %s", state.ErrCorrupt, path, err, mend)
}
