package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
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
			err := refusal(t, path)
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

// A newer ghlsync that has crashed leaves its mark in the WAL alone.
func TestNewerSchemaInTheWAL(t *testing.T) {
	t.Parallel()
	from, path := made(t), filepath.Join(t.TempDir(), "state.db")
	newer := openAt(t, from)
	if err := sqlite.Execute(t.Context(), newer, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		write(t, path+suffix, read(t, from+suffix))
	}
	refuses(t, refusal(t, path), state.ErrNewerSchema, "9999")
	for _, suffix := range []string{"", "-wal"} {
		if !bytes.Equal(read(t, path+suffix), read(t, from+suffix)) {
			t.Errorf("state.db%s has changed", suffix)
		}
	}
}

// A file that is too large to be checked at a start may turn out to be damaged
// later. Here that happens to an open one, of which nothing is in memory yet.
func TestDamageFoundLater(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state.db")
	ids := fillAppointments(t, path)
	s := openAt(t, path)
	spoilLeaves(t, path)
	tx, err := s.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // there is nothing to lose
	for what, ask := range map[string]func(ctx context.Context) error{
		"get": func(ctx context.Context) error {
			_, err := s.Get(ctx, "event-0500")
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := s.List(ctx, state.Filter{}, "", len(ids))
			return err
		},
		"page": func(ctx context.Context) error {
			_, err := tx.Page(ctx, state.Filter{}, "", len(ids))
			return err
		},
		"load": func(ctx context.Context) error {
			_, err := tx.Load(ctx, []state.EventID{"event-0500"})
			return err
		},
		"taken": func(ctx context.Context) error {
			_, err := tx.Taken(ctx, ids)
			return err
		},
	} {
		if err := ask(t.Context()); !errors.Is(err, state.ErrCorrupt) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// fillAppointments makes a closed file whose tables and indexes have many pages,
// and returns the appointments in it.
func fillAppointments(t *testing.T, path string) (ids []string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var rows []*state.Mapping
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("appointment-%04d", i))
		rows = append(rows, &state.Mapping{
			ID: state.EventID(fmt.Sprintf("event-%04d", i)), AppointmentID: ids[i], Wanted: state.Present, GHL: state.GHLPresent,
		})
	}
	tx, err := s.Begin(t.Context())
	if err == nil {
		err = errors.Join(tx.Save(t.Context(), rows...), tx.Commit(t.Context()))
	}
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return ids
}

// spoilLeaves writes noise over all leaves but the first of the mappings and of the
// index of appointments: what is asked for first is still found.
func spoilLeaves(t *testing.T, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it has only read
	rows, err := db.QueryContext(t.Context(), `SELECT pageno, row_number() OVER (PARTITION BY name ORDER BY path) = 1
		FROM dbstat WHERE name IN ('ghl_sync_mappings', 'ghl_sync_mappings_appointment') AND pagetype = 'leaf'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close() //nolint:errcheck // Err tells
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // WriteAt tells
	for rows.Next() {
		var page int64
		var first bool
		if err := rows.Scan(&page, &first); err != nil {
			t.Fatal(err)
		}
		if first {
			continue
		}
		if _, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, 4096), (page-1)*4096); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}
