package postgres

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	maxUnpackedBytes = 512 << 20 // the packages have about 60 MB
	maxUnpackedFiles = 20_000    // and about 2,500 files
	linksFile        = "native/pg-symlinks.json"
)

// unpack writes the archive's native folder below dir, which it makes, and then the links that the package describes
// in a file (npm archives carry none). Every name is confined to dir; the modes do not depend on the umask, since the
// server may run as another user than the one who unpacks.
func unpack(archive, dir string) (err error) {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read from
	zipped, err := gzip.NewReader(file)
	if err != nil {
		return fmt.Errorf("read the archive: %w", err)
	}
	if err := makeFolder(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	u := unpacker{root: root, tar: tar.NewReader(zipped)}
	if err := u.files(); err != nil {
		return err
	}
	return u.links()
}

func makeFolder(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

type unpacker struct {
	root  *os.Root // refuses any name that leads out of it
	tar   *tar.Reader
	bytes int64
	count int
}

func (u *unpacker) files() error {
	for {
		header, err := u.tar.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		name, ok := strings.CutPrefix(path.Clean(header.Name), "package/")
		if header.Typeflag != tar.TypeReg || !ok || !strings.HasPrefix(name, "native/") {
			continue // the package's own JavaScript, and folders, which come with their files
		}
		if err := u.file(name, header); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

func (u *unpacker) file(name string, header *tar.Header) error {
	if u.count++; u.count > maxUnpackedFiles {
		return fmt.Errorf("more than %d files", maxUnpackedFiles)
	}
	if u.bytes += header.Size; u.bytes > maxUnpackedBytes {
		return fmt.Errorf("more than %d bytes", maxUnpackedBytes)
	}
	if err := u.folders(path.Dir(name)); err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if header.FileInfo().Mode()&0o100 != 0 {
		mode = 0o755
	}
	out, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, u.tar)
	return errors.Join(err, out.Chmod(mode), out.Close())
}

// folders makes dir and its parents, each open to everybody.
func (u *unpacker) folders(dir string) error {
	if dir == "." {
		return nil
	}
	if _, err := u.root.Stat(dir); err == nil {
		return nil
	}
	if err := u.folders(path.Dir(dir)); err != nil {
		return err
	}
	if err := u.root.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return u.root.Chmod(dir, 0o755)
}

// links makes the library aliases. They come last, so that no file is ever written through one.
func (u *unpacker) links() error {
	text, err := u.root.ReadFile(linksFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("read %s: %w", linksFile, err)
	}
	for _, link := range links {
		if !filepath.IsLocal(link.Source) || !filepath.IsLocal(link.Target) {
			return fmt.Errorf("%s leads out of the package", linksFile)
		}
		to, err := filepath.Rel(path.Dir(link.Target), link.Source)
		if err != nil {
			return fmt.Errorf("read %s: %w", linksFile, err)
		}
		if err := u.root.Symlink(to, link.Target); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}
