package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// minMajor is the oldest release that the daemon supports.
const minMajor = 14

// Binaries is an installation of PostgreSQL's server programs that can be run.
type Binaries struct {
	// Dir is the absolute folder of initdb and postgres, symbolic links resolved.
	Dir string
	// Version is what `postgres --version` calls itself, such as "17.10" or "18beta1".
	Version string
	// Major is the leading number of Version, at least 14.
	Major int
}

// String names version and folder.
func (b Binaries) String() string { return fmt.Sprintf("PostgreSQL %s in %s", b.Version, b.Dir) }

func (b Binaries) path(program string) string { return filepath.Join(b.Dir, program) }

var errNoServer = errors.New("no initdb and postgres there")

// inspect tells whether dir holds a usable server. PATH often holds links, or a lone postgres whose share folder is
// elsewhere: both programs must resolve into one folder, since a server finds its files relative to itself.
func inspect(ctx context.Context, dir string) (Binaries, error) {
	home := ""
	for _, program := range []string{"initdb", "postgres"} {
		file, err := filepath.EvalSymlinks(filepath.Join(dir, program))
		if err != nil {
			return Binaries{}, missing(dir, program)
		}
		info, err := os.Stat(file)
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			return Binaries{}, fmt.Errorf("%s is not an executable file", file)
		}
		if home != "" && filepath.Dir(file) != home {
			return Binaries{}, fmt.Errorf("postgres is in %s, away from initdb in %s", filepath.Dir(file), home)
		}
		home = filepath.Dir(file)
	}
	home, err := filepath.Abs(home)
	if err != nil {
		return Binaries{}, fmt.Errorf("resolve %s: %w", home, err)
	}
	if !hasPgoutput(home) {
		return Binaries{}, errors.New("its library folder has no pgoutput, which logical replication needs")
	}
	return identify(ctx, home)
}

// missing tells a folder without any server program from one that lacks a part.
func missing(dir, program string) error {
	if _, err := os.Stat(filepath.Join(dir, "postgres")); err != nil {
		return errNoServer
	}
	return fmt.Errorf("postgres without %s", program)
}

// hasPgoutput looks where distributions keep the server's modules, seen from its programs: beside them (Debian), in a
// folder named after PostgreSQL (Homebrew, macOS, Arch, the fetched package), in lib64 (Fedora), or one level up
// (Alpine).
func hasPgoutput(bin string) bool {
	for _, lib := range []string{"../lib", "../lib/*", "../lib64/*", "../../lib/*"} {
		found, err := filepath.Glob(filepath.Join(bin, lib, "pgoutput.*"))
		if err == nil && len(found) > 0 { // the only error is a malformed pattern: a '[' in bin
			return true
		}
	}
	return false
}

// versionLine is the answer of `postgres --version`: "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)".
var versionLine = regexp.MustCompile(`^postgres \(PostgreSQL\) ((\d+)\S*)`)

func identify(ctx context.Context, home string) (Binaries, error) {
	b := Binaries{Dir: home}
	out, err := exec.CommandContext(ctx, b.path("postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("run postgres --version: %w", err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return Binaries{}, fmt.Errorf("postgres --version says %.80q", out)
	}
	b.Version = string(m[1])
	if b.Major, err = strconv.Atoi(string(m[2])); err != nil {
		return Binaries{}, fmt.Errorf("read version %q: %w", m[1], err)
	}
	if b.Major < minMajor {
		return Binaries{}, fmt.Errorf("PostgreSQL %s is older than %d", b.Version, minMajor)
	}
	return b, nil
}
