package sqlite_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// crashed is the path of a state file as a crash leaves it: what was committed
// last, the row "late", is in the WAL only.
func crashed(t *testing.T) string {
	t.Helper()
	from, path := made(t), filepath.Join(t.TempDir(), "state.db")
	s := openAt(t, from)
	fill(t, s, "late")
	for _, suffix := range []string{"", "-wal"} {
		write(t, path+suffix, read(t, from+suffix))
	}
	return path
}

func TestWALIsReadAfterACrash(t *testing.T) {
	t.Parallel()
	path := crashed(t)
	before := read(t, path)
	r, err := sqlite.OpenReadOnly(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Get(t.Context(), "late"); err != nil {
		t.Errorf("a reader: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(before, read(t, path)) {
		t.Error("a reader has changed the file")
	}
	if _, err := openAt(t, path).Get(t.Context(), "late"); err != nil {
		t.Errorf("a writer: %v", err)
	}
}

// A WAL holds committed changes of one file: it must neither be played into a new
// one nor go without a word.
func TestWALWithoutItsFile(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(t *testing.T, path string){
		"gone": func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		},
		"empty": func(t *testing.T, path string) { write(t, path, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := crashed(t)
			lose(t, path)
			wal := read(t, path+"-wal")
			refuses(t, refusal(t, path), state.ErrCorrupt, path, "-wal", "put the file back")
			if !bytes.Equal(wal, read(t, path+"-wal")) {
				t.Error("the WAL has changed")
			}
		})
	}
}

// refusal is why the file cannot be opened for writing.
func refusal(t *testing.T, path string) error {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err == nil {
		t.Fatal(errors.Join(errors.New("it opens"), s.Close()))
	}
	return err
}

// refuses expects an error that is what callers branch on and says what to do.
func refuses(t *testing.T, err, is error, says ...string) {
	t.Helper()
	if !errors.Is(err, is) {
		t.Fatalf("%v is not %v", err, is)
	}
	for _, text := range says {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q does not say %q", err, text)
		}
	}
}
