package sqlite

import (
	"errors"
	"io/fs"
	"os"
)

// quiet tells that no process works on the state file at path and that all of the
// state is in the file itself. Then a reader can take the file for one that does
// not change, and SQLite makes no -wal and -shm beside it, which it would leave
// there. A daemon that starts meanwhile writes to a new WAL, and to the file only
// after megabytes of that or at its end: a command has long read what it wanted.
func quiet(path string) bool {
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	_, held, err := Holder(path)
	return err == nil && !held
}
