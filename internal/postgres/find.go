package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNotFound is what Find's error wraps when no place holds a usable server.
var ErrNotFound = errors.New("no PostgreSQL server programs found")

// finder is where Find looks; tests point it at folders of their own.
type finder struct {
	pgBin    string   // PG_BIN: the one place to use where it is set
	path     string   // PATH, a list as the system separates it
	pgConfig string   // a pg_config to ask for its --bindir
	globs    []string // where package managers install, each searched from the highest version down
}

func systemFinder() finder {
	return finder{
		pgBin:    os.Getenv("PG_BIN"),
		path:     os.Getenv("PATH"),
		pgConfig: "pg_config",
		globs: []string{
			"/usr/lib/postgresql/*/bin",
			"/opt/homebrew/opt/postgresql@*/bin",
			"/usr/local/opt/postgresql@*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
		},
	}
}

// Find looks for installed server programs: in PG_BIN, on PATH, in what pg_config --bindir names, and where Debian,
// Homebrew and Postgres.app install them, the highest version first. A folder counts when it holds initdb and postgres
// of version 14 or later with pgoutput in its libraries. PG_BIN is not a hint: where it is set and holds no usable
// server, Find fails and looks no further. The error, ErrNotFound otherwise, names every place with what it lacks.
func Find(ctx context.Context) (Binaries, error) { return systemFinder().find(ctx) }

func (f finder) find(ctx context.Context) (Binaries, error) {
	if f.pgBin != "" {
		b, err := inspect(ctx, f.pgBin)
		if err != nil {
			return Binaries{}, fmt.Errorf("PG_BIN=%s holds no usable PostgreSQL server: %w: set it to the folder of initdb and postgres, or unset it", f.pgBin, err)
		}
		return b, nil
	}
	var looked []string
	for _, dir := range f.places(ctx) {
		b, err := inspect(ctx, dir)
		if err == nil {
			return b, nil
		}
		looked = append(looked, fmt.Sprintf("%s (%v)", dir, err))
	}
	looked = append(looked, f.globs...)
	return Binaries{}, fmt.Errorf("%w: looked in PG_BIN (not set), %s: install postgresql, or set PG_BIN to the folder of initdb and postgres", ErrNotFound, strings.Join(looked, ", "))
}

// places lists the folders to inspect, in order and without repetition.
func (f finder) places(ctx context.Context) []string {
	var dirs []string
	for _, dir := range filepath.SplitList(f.path) {
		if filepath.IsAbs(dir) { // a relative entry would run whatever lies in the working directory
			dirs = append(dirs, dir)
		}
	}
	// pg_config comes with the client's development files too: absent, or naming a folder without a server, is usual.
	if out, err := exec.CommandContext(ctx, f.pgConfig, "--bindir").Output(); err == nil {
		if dir := strings.TrimSpace(string(out)); dir != "" {
			dirs = append(dirs, dir)
		}
	}
	for _, glob := range f.globs {
		dirs = append(dirs, newestFirst(glob)...)
	}
	var unique []string
	for _, dir := range dirs {
		if !slices.Contains(unique, dir) {
			unique = append(unique, dir)
		}
	}
	return unique
}

var number = regexp.MustCompile(`\d+`)

// newestFirst expands a pattern and orders what matches by the first number behind its fixed part, the major version:
// 9.6 comes after 18, as text it would not.
func newestFirst(glob string) []string {
	dirs, err := filepath.Glob(glob)
	if err != nil {
		return nil // the patterns are constants, and well-formed
	}
	fixed := strings.Index(glob, "*")
	major := func(dir string) int {
		n, err := strconv.Atoi(number.FindString(dir[fixed:]))
		if err != nil {
			return 0 // such as Postgres.app's "latest": after the numbered ones
		}
		return n
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return major(b) - major(a) })
	return dirs
}
