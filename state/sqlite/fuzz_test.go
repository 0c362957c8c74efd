package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// FuzzFile spoils a state file in one place, cuts it, or replaces it. It opens
// and can be read, or it is refused; a refused file stays as it was.
func FuzzFile(f *testing.F) {
	good := seedFile(f)
	f.Add(0, []byte("no database"), len(good))
	f.Add(18, []byte{9, 9}, len(good)) // the versions of the file format
	f.Add(60, []byte{0, 0, 0, 99}, len(good))
	f.Add(4096, []byte{0}, len(good))
	f.Add(4096*3+8, bytes.Repeat([]byte{0xff}, 64), len(good))
	f.Add(0, []byte{}, 100)
	f.Add(0, []byte{}, 4096*2)
	f.Fuzz(func(t *testing.T, at int, with []byte, length int) {
		data := spoiled(good, at, with, length)
		path := filepath.Join(t.TempDir(), "state.db")
		write(t, path, data)
		s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			if now := read(t, path); !bytes.Equal(now, data) {
				t.Errorf("a file that was refused was changed: %v", err)
			}
			return
		}
		if _, err := s.List(t.Context(), state.Filter{}, "", 10); err != nil && err.Error() == "" {
			t.Error("an error says nothing")
		}
		if _, err := s.Counts(t.Context()); err != nil && errors.Is(err, state.ErrNotFound) {
			t.Errorf("counts: %v", err)
		}
		_ = s.Close() // what is damaged inside may fail here, and says so
	})
}

// seedFile is a state file with a few rows in it.
func seedFile(f *testing.F) []byte {
	f.Helper()
	path := filepath.Join(f.TempDir(), "seed.db")
	s, err := sqlite.Open(f.Context(), path, sqlite.Options{})
	if err != nil {
		f.Fatal(err)
	}
	tx, err := s.Begin(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	row := &state.Mapping{ID: "a", Wanted: state.Present, GHL: state.GHLAbsent, Payload: []byte("{}"), Hash: "h"}
	if err := errors.Join(tx.Save(f.Context(), row), tx.Commit(f.Context()), s.Close()); err != nil {
		f.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	return data
}

// spoiled is good with some bytes written over at a place, cut to a length.
func spoiled(good []byte, at int, with []byte, length int) []byte {
	data := bytes.Clone(good)
	if at >= 0 && at < len(data) {
		copy(data[at:], with)
	}
	if length >= 0 && length < len(data) {
		data = data[:length]
	}
	return data
}
