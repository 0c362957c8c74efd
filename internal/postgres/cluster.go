package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Template is a data directory that no server runs on, to copy for each new server: 40 MB in some 50 ms, where initdb
// takes a second or two. Remove it when done; it goes with the process otherwise.
type Template struct {
	binaries Binaries
	folder   *folder
}

// NewTemplate makes a template below dir, which is chosen as for Options.Dir. Where b.Dir is empty FindOrFetch
// chooses the programs.
func NewTemplate(ctx context.Context, b Binaries, dir string) (*Template, error) {
	place, err := newPlace(ctx, b, dir)
	if err != nil {
		return nil, err
	}
	if err := place.initdb(ctx, 0); err != nil {
		return nil, errors.Join(err, place.folder.remove())
	}
	return &Template{binaries: place.binaries, folder: place.folder}, nil
}

// Copy is a template of a halted server's data, for one more server of the same system, such as a standby. The server
// must not run while it is used, nor be stopped; there is nothing to Remove.
func (s *Server) Copy() *Template {
	return &Template{binaries: s.place.binaries, folder: s.place.folder}
}

// Remove deletes the template. Servers made from it are not concerned.
func (t *Template) Remove() error { return t.folder.remove() }

// place is where a data directory is to be made, and with whose programs and files.
type place struct {
	binaries Binaries
	account  account
	folder   *folder
}

func (p place) data() string { return filepath.Join(p.folder.path, "data") }

func newPlace(ctx context.Context, b Binaries, dir string) (place, error) {
	var err error
	if b.Dir == "" {
		if b, err = FindOrFetch(ctx); err != nil {
			return place{}, err
		}
	}
	a, err := serverAccount()
	if err != nil {
		return place{}, err
	}
	if dir == "" {
		if dir = memoryFolder(); dir == "" {
			dir = os.TempDir()
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return place{}, fmt.Errorf("resolve the server's folder: %w", err)
	}
	for _, needed := range []string{b.Dir, dir} {
		if err := a.mayPass(needed); err != nil {
			return place{}, err
		}
	}
	f, err := newFolder(dir, a)
	if err != nil {
		return place{}, err
	}
	return place{binaries: b, account: a, folder: f}, nil
}

// initdb makes a data directory with the superuser postgres, trusted from loopback. WAL segments have the least size
// unless another is asked for, which keeps copies small and makes bounds on WAL exact.
func (p place) initdb(ctx context.Context, walSegments int) error {
	cmd := p.account.command(p.binaries.path("initdb"), "--pgdata="+p.data(), "--username=postgres", "--auth=trust",
		"--encoding=UTF8", "--locale=C", "--wal-segsize="+strconv.Itoa(max(walSegments, 1)), "--no-sync", "--no-instructions")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	initdb, err := p.folder.launch(cmd)
	if err != nil {
		return fmt.Errorf("run %s as %s: %w", cmd.Path, p.account.describe(), err)
	}
	select {
	case <-ctx.Done():
		initdb.signal(syscall.SIGINT) // it removes what it has made, and ends its children
		<-initdb.done
		return fmt.Errorf("run initdb: %w", ctx.Err())
	case <-initdb.done:
	}
	if initdb.exit != nil {
		return fmt.Errorf("run %s as %s: %w: %s", cmd.Path, p.account.describe(), initdb.exit, tail(out.String()))
	}
	return nil
}

func (a account) describe() string {
	if a.name == "" {
		return "this user"
	}
	return "user " + a.name
}

// copyTree copies folders and regular files with their modes; a data directory without tablespaces has no others.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return os.Mkdir(target, info.Mode().Perm())
		}
		return copyFile(path, target, info.Mode().Perm())
	})
}

func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // only read from
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
