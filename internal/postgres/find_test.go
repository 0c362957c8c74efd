package postgres

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// script writes an executable. No process is forked meanwhile: the child would hold the file open for writing until
// its exec, and running the script would fail with "text file busy".
func script(t *testing.T, path, text string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// install lays out a server that only knows its version, and returns the folder of its programs.
func install(t *testing.T, prefix, version string) string {
	t.Helper()
	script(t, filepath.Join(prefix, "bin/initdb"), "exit 1")
	script(t, filepath.Join(prefix, "bin/postgres"), "echo 'postgres (PostgreSQL) "+version+" (Debian)'")
	script(t, filepath.Join(prefix, "lib/pgoutput.so"), "")
	return filepath.Join(prefix, "bin")
}

func link(t *testing.T, from, to string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.Symlink(from, to)); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestFindOrder(t *testing.T) {
	t.Parallel()
	root := resolved(t, t.TempDir())
	at := func(elements ...string) string { return filepath.Join(append([]string{root}, elements...)...) }
	named, onPath, asked := install(t, at("named"), "17.1"), install(t, at("path"), "16.2"), install(t, at("asked"), "15beta3")
	old, oldest := install(t, at("versions/9.6"), "9.6.24"), install(t, at("versions/14"), "14.0")
	newest := install(t, at("versions/18"), "18.4")
	script(t, at("config/pg_config"), "[ \"$1\" = --bindir ] && echo "+asked)

	lone := at("lone") // a postgres that was copied away from its files
	script(t, filepath.Join(lone, "postgres"), "echo 'postgres (PostgreSQL) 17.0'")
	apart := at("apart")
	link(t, filepath.Join(onPath, "initdb"), filepath.Join(apart, "initdb"))
	link(t, filepath.Join(newest, "postgres"), filepath.Join(apart, "postgres"))
	linked := at("linked")
	link(t, filepath.Join(onPath, "initdb"), filepath.Join(linked, "initdb"))
	link(t, filepath.Join(onPath, "postgres"), filepath.Join(linked, "postgres"))
	mute := install(t, at("mute"), "17.0")
	remove(t, at("mute/lib/pgoutput.so"))
	unusable := strings.Join([]string{at("nowhere"), lone, apart, mute, old, "relative"}, string(filepath.ListSeparator))

	all := finder{pgBin: named, path: onPath, pgConfig: at("config/pg_config"), globs: []string{at("versions/*/bin")}}
	for _, test := range []struct {
		name    string
		finder  finder
		dir     string
		version string
		major   int
	}{
		{"PG_BIN before all", all, named, "17.1", 17},
		{"PATH", finder{path: all.path, pgConfig: all.pgConfig, globs: all.globs}, onPath, "16.2", 16},
		{"PATH after what is unusable", finder{path: unusable + ":" + linked}, onPath, "16.2", 16},
		{"pg_config", finder{path: unusable, pgConfig: all.pgConfig, globs: all.globs}, asked, "15beta3", 15},
		{"the highest version", finder{path: unusable, pgConfig: at("none"), globs: all.globs}, newest, "18.4", 18},
		{"the first of the places", finder{globs: []string{at("none/*/bin"), filepath.Dir(oldest) + "/none", all.globs[0]}}, newest, "18.4", 18},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.finder.find(t.Context())
			if want := (Binaries{Dir: test.dir, Version: test.version, Major: test.major}); err != nil || got != want {
				t.Errorf("%+v, error %v; want %+v", got, err, want)
			}
		})
	}
}

func TestFindTellsWhatEveryPlaceLacks(t *testing.T) {
	t.Parallel()
	root := resolved(t, t.TempDir())
	lone := filepath.Join(root, "lone")
	script(t, filepath.Join(lone, "postgres"), "")
	old := install(t, filepath.Join(root, "old"), "13.23")
	mute := install(t, filepath.Join(root, "mute"), "17.0")
	remove(t, filepath.Join(root, "mute/lib/pgoutput.so"))
	odd := install(t, filepath.Join(root, "odd"), "")
	failing := install(t, filepath.Join(root, "failing"), "17.0")
	script(t, filepath.Join(failing, "postgres"), "exit 3")

	f := finder{path: strings.Join([]string{lone, old, mute, odd, failing}, ":"), globs: []string{filepath.Join(root, "versions/*/bin")}}
	_, err := f.find(t.Context())
	if !errors.Is(err, ErrNotFound) {
		t.Fatalf("error %v, want ErrNotFound", err)
	}
	for _, part := range []string{
		"PG_BIN (not set)",
		lone + " (postgres without initdb)",
		old + " (PostgreSQL 13.23 is older than 14)",
		mute + " (its library folder has no pgoutput, which logical replication needs)",
		odd + ` (postgres --version says "postgres (PostgreSQL)  (Debian)\n")`,
		failing + " (run postgres --version: exit status 3)",
		root + "/versions/*/bin",
		"install postgresql, or set PG_BIN",
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error lacks %q:\n%v", part, err)
		}
	}
}

func TestFindObeysPGBIN(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	f := finder{pgBin: root, path: install(t, filepath.Join(root, "usable"), "17.0")}
	b, err := f.find(t.Context())
	if err == nil {
		t.Fatalf("found %v past a PG_BIN without a server", b)
	}
	if errors.Is(err, ErrNotFound) {
		t.Error("FindOrFetch would fetch past a wrong PG_BIN")
	}
	if !strings.Contains(err.Error(), "PG_BIN="+root+" holds no usable PostgreSQL server") {
		t.Errorf("error %v does not name PG_BIN", err)
	}
}

func TestFindOnThisMachine(t *testing.T) {
	t.Parallel()
	b, err := FindOrFetch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b.Major < minMajor || !filepath.IsAbs(b.Dir) {
		t.Errorf("found %v", b)
	}
}

// resolved is dir without symbolic links, as macOS has in its temporary folder.
func resolved(t *testing.T, dir string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
