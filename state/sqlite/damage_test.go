package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// raw changes a closed file behind the package's back.
func raw(t *testing.T, path string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range statements {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// unusable makes files that must be refused and left alone.
var unusable = map[string]struct {
	spoil func(t *testing.T, path string)
	is    error
	says  []string
}{
	"text": {
		func(t *testing.T, path string) { write(t, path, []byte(strings.Repeat("not a database\n", 500))) },
		state.ErrCorrupt,
		[]string{"move it away"},
	},
	"cut short": {
		func(t *testing.T, path string) { write(t, path, read(t, path)[:5000]) }, state.ErrCorrupt, []string{"move it away"},
	},
	"a page of noise": {
		func(t *testing.T, path string) {
			data := read(t, path)
			copy(data[4096*2:], bytes.Repeat([]byte{0xa5}, 4096))
			write(t, path, data)
		}, state.ErrCorrupt, []string{"move it away"},
	},
	"another program's": {
		func(t *testing.T, path string) { raw(t, path, "PRAGMA application_id = 1234") },
		state.ErrCorrupt,
		[]string{"another program", "STATE_URL"},
	},
	"a newer ghlsync's": {
		func(t *testing.T, path string) {
			raw(t, path, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
		}, state.ErrNewerSchema, []string{"9999", "newer"},
	},
}

func TestUnusableFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	for name, c := range unusable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := made(t)
			c.spoil(t, path)
			before := read(t, path)
			s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
			if err == nil {
				t.Fatal(errors.Join(errors.New("it opens"), s.Close()))
			}
			r, readErr := sqlite.OpenReadOnly(t.Context(), path)
			if readErr == nil {
				t.Fatal(errors.Join(errors.New("it opens for reading"), r.Close()))
			}
			for _, err := range []error{err, readErr} {
				refuses(t, err, c.is, append(c.says, path)...)
			}
			if !bytes.Equal(before, read(t, path)) {
				t.Error("the file has changed")
			}
			if _, held, err := sqlite.Holder(path); held || err != nil {
				t.Errorf("the lock is kept: %v", err)
			}
		})
	}
}
