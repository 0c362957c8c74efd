package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/joho/godotenv"
)

// Origin tells where a value comes from.
type Origin string

// The places, in the order in which they win.
const (
	FromEnvironment Origin = "environment"
	FromFile        Origin = ".env"
	FromItsFile     Origin = "file" // that NAME_FILE names
	FromDefault     Origin = "default"
	NotSet          Origin = "not set" // and there is no default
)

// Environment is what settings are read from: the process's environment and,
// where that has nothing, a file. It is an envconfig.Lookuper.
type Environment struct {
	process map[string]string
	file    map[string]string
	read    map[string]string // from files that variables name
	problem *Problem          // of the file
	open    bool              // everybody on the machine can read the file
}

// Environ takes the process's environment and the file `.env` in the directory
// dir, if there is one. It never fails: a file that cannot be read is a problem
// like any other and is reported by Load.
func Environ(dir string) *Environment {
	e := &Environment{process: make(map[string]string)}
	for _, entry := range os.Environ() {
		if name, value, ok := strings.Cut(entry, "="); ok {
			e.process[name] = value
		}
	}
	path := filepath.Join(dir, ".env")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return e
	}
	if err != nil {
		e.problem = &Problem{Name: ".env", What: "cannot be read: " + cause(err), Mend: "make it readable for this user, or remove it"}
		return e
	}
	if info, err := os.Stat(path); err == nil {
		e.open = info.Mode().Perm()&0o004 != 0
	}
	e.file, e.problem = parseFile(text)
	return e
}

// FromMap makes an environment of the given variables alone.
func FromMap(variables map[string]string) *Environment {
	return &Environment{process: maps.Clone(variables)}
}

// parseFile reads `.env`. godotenv's errors quote the text that they stumble
// over, which may hold a secret: only the line's number goes on.
func parseFile(text []byte) (map[string]string, *Problem) {
	variables, err := godotenv.UnmarshalBytes(text)
	if err == nil {
		return variables, nil
	}
	// The file is good up to some line; the next one is where the trouble begins.
	lines := strings.SplitAfter(string(text), "\n")
	good := len(lines) - 1
	for ; good > 0; good-- {
		if _, err := godotenv.Unmarshal(strings.Join(lines[:good], "")); err == nil {
			break
		}
	}
	return nil, &Problem{
		Name: ".env",
		What: fmt.Sprintf("cannot be understood from line %d on", good+1),
		Mend: "write NAME=value, one a line, with single quotes around a value that holds blanks, $ or #",
	}
}

func cause(err error) string {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// Lookup finds a variable. An empty one in the process's environment hides one
// in the file.
func (e *Environment) Lookup(name string) (string, bool) {
	value, _, found := e.find(name)
	return value, found
}

func (e *Environment) find(name string) (string, Origin, bool) {
	if value, ok := e.read[name]; ok {
		return value, FromItsFile, true
	}
	if value, ok := e.process[name]; ok {
		return value, FromEnvironment, true
	}
	if value, ok := e.file[name]; ok {
		return value, FromFile, true
	}
	return "", NotSet, false
}

// names lists the names of all variables, sorted.
func (e *Environment) names() []string {
	all := maps.Clone(e.process)
	if all == nil {
		all = make(map[string]string)
	}
	maps.Copy(all, e.file)
	return slices.Sorted(maps.Keys(all))
}
