package postgres

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

type member struct {
	name, text string
	mode       int64
	size       int64 // announced in place of the text's, if not 0
}

// archive packs an npm package.
func archive(t *testing.T, members ...member) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	w := tar.NewWriter(zipped)
	for _, m := range members {
		header := &tar.Header{Name: m.name, Mode: m.mode, Size: max(m.size, int64(len(m.text))), Typeflag: tar.TypeReg}
		if err := w.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.text)); err != nil {
			t.Fatal(err)
		}
		if m.size > 0 {
			break // the archive ends inside this file, and Close would complain
		}
	}
	if err := w.Flush(); err != nil && !strings.Contains(err.Error(), "missed writing") {
		t.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func sumOf(body []byte) string {
	sum := sha512.Sum512(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// registry serves body as version 1.2.3 of a platform that there is none of, and counts the requests.
func registry(t *testing.T, body []byte) (release, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.URL.Path != "/npm/@embedded-postgres/plan9-x64/-/plan9-x64-1.2.3.tgz" {
			http.NotFound(w, r)
			return
		}
		// The client sees a cut body by itself.
		_, _ = w.Write(body)
	}))
	t.Cleanup(server.Close)
	return release{registry: server.URL + "/npm", platform: "plan9-x64", version: "1.2.3", sum: sumOf(body)}, &requests
}

func small(t *testing.T) []byte {
	t.Helper()
	return archive(t,
		member{name: "package/package.json", text: "{}", mode: 0o644},
		member{name: "package/native/bin/initdb", text: "#!/bin/sh\n", mode: 0o755},
		member{name: "package/native/lib/libpq.so.5.17", text: "library", mode: 0o600},
		member{name: "package/native/../../outside", text: "never unpacked", mode: 0o644},
		member{
			name: "package/native/pg-symlinks.json", mode: 0o644,
			text: `[{"source":"native/lib/libpq.so.5.17","target":"native/lib/libpq.so.5"}]`,
		},
	)
}

func TestFetchUnpacksOnce(t *testing.T) {
	t.Parallel()
	r, requests := registry(t, small(t))
	dir := filepath.Join(t.TempDir(), "made", "when missing")
	home, err := r.fetch(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"native/bin/initdb":       {"#!/bin/sh\n", 0o755},
		"native/lib/libpq.so.5":   {"library", 0o644}, // through the link
		"native/pg-symlinks.json": {`[{"source":"native/lib/libpq.so.5.17","target":"native/lib/libpq.so.5"}]`, 0o644},
	} {
		path := filepath.Join(home, name)
		text, err := os.ReadFile(path)
		if err != nil || string(text) != want.text {
			t.Errorf("%s holds %q, error %v", name, text, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want.mode {
			t.Errorf("%s has mode %v, error %v; want %v", name, info.Mode(), err, want.mode)
		}
	}
	for _, folder := range []string{home, filepath.Join(home, "native"), filepath.Join(home, "native/lib")} {
		if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s is closed to others: %v, error %v", folder, info.Mode(), err)
		}
	}
	if to, err := os.Readlink(filepath.Join(home, "native/lib/libpq.so.5")); err != nil || to != "libpq.so.5.17" {
		t.Errorf("link to %q, error %v: it breaks when the folder moves", to, err)
	}
	if got := entries(t, dir); len(got) != 1 {
		t.Errorf("besides the package there is %v", got)
	}
	again, err := r.fetch(t.Context(), dir)
	if err != nil || again != home || requests.Load() != 1 {
		t.Errorf("the second time: %s after %d requests, error %v", again, requests.Load(), err)
	}
}

func TestFetchByManyAtOnce(t *testing.T) {
	t.Parallel()
	r, _ := registry(t, small(t))
	dir := t.TempDir()
	var fetches sync.WaitGroup
	for range 8 {
		fetches.Go(func() {
			if home, err := r.fetch(t.Context(), dir); err != nil {
				t.Error(err)
			} else if _, err := os.Stat(filepath.Join(home, "native/lib/libpq.so.5")); err != nil {
				t.Error("the folder appears before it is whole:", err)
			}
		})
	}
	fetches.Wait()
	if got := entries(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

func TestFetchRefuses(t *testing.T) {
	t.Parallel()
	body := small(t)
	linked := func(list string) []byte {
		return archive(t, member{name: "package/native/a", mode: 0o644}, member{name: "package/" + linksFile, text: list, mode: 0o644})
	}
	for _, test := range []struct {
		name   string
		body   []byte
		change func(*release)
		is     error
		want   string
	}{
		{"another sum", body, func(r *release) { r.sum = sumOf([]byte("x")) }, ErrChecksum, "wanted sha512-" + sumOf([]byte("x"))},
		{"a cut archive", body[:len(body)/2], func(r *release) { r.sum = sumOf(body) }, ErrChecksum, "sha512-" + sumOf(body)},
		{"no such version", body, func(r *release) { r.version = "9" }, nil, "the registry answers 404 Not Found"},
		{"not an archive", []byte("<html>"), nil, nil, "unpack: read the archive"},
		{"a file twice", archive(t, member{name: "package/native/a"}, member{name: "package/native/a"}), nil, os.ErrExist, "package/native/a"},
		{"an endless file", archive(t, member{name: "package/native/a", size: maxUnpackedBytes + 1}), nil, nil, "more than 536870912 bytes"},
		{"a link to the outside", linked(`[{"source":"../../secret","target":"native/b"}]`), nil, nil, "leads out of the package"},
		{"a link on the outside", linked(`[{"source":"native/a","target":"/tmp/b"}]`), nil, nil, "leads out of the package"},
		{"a link through a link", linked(`[{"source":"native/..","target":"native/up"},{"source":"native/a","target":"native/up/../../b"}]`), nil, nil, "path escapes from parent"},
		{"unreadable links", linked(`{`), nil, nil, "read native/pg-symlinks.json"},
		{"no address", body, func(r *release) { r.registry = "hunter2@registry" }, nil, "NPM_CONFIG_REGISTRY is not an http(s) address"},
		{"an unreachable registry", body, func(r *release) { r.registry = "http://user:hunter2@127.0.0.1:1/" }, nil, "download http://127.0.0.1:1/@embedded-postgres/"},
		{"an answer in error", body, func(r *release) {
			r.registry = strings.Replace(r.registry, "://", "://hunter2:hunter2@", 1) + "/none"
		}, nil, "404"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, _ := registry(t, test.body)
			if test.change != nil {
				test.change(&r)
			}
			dir := t.TempDir()
			home, err := r.fetch(t.Context(), dir)
			if err == nil || !strings.Contains(err.Error(), test.want) || (test.is != nil && !errors.Is(err, test.is)) {
				t.Errorf("fetched %q, error %v; want %q", home, err, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error tells the registry's password: %v", err)
			}
			if got := entries(t, dir); len(got) != 0 {
				t.Errorf("left behind: %v", got)
			}
		})
	}
}

func TestPinnedReleases(t *testing.T) {
	t.Setenv("NPM_CONFIG_REGISTRY", "https://registry.example.com/npm/")
	for major := minMajor; major <= 18; major++ {
		for platform, sum := range pins[major].sums {
			if raw, err := base64.StdEncoding.DecodeString(sum); err != nil || len(raw) != sha512.Size {
				t.Errorf("the sum of %d for %s is no SHA-512: %v", major, platform, err)
			}
		}
		if !strings.HasPrefix(pins[major].version, strconv.Itoa(major)+".") {
			t.Errorf("%d is pinned to %s", major, pins[major].version)
		}
	}
	r, err := pinnedRelease(fetchedMajor)
	if err != nil {
		t.Fatal(err)
	}
	if r.registry != "https://registry.example.com/npm" || r.version != pins[fetchedMajor].version {
		t.Errorf("would fetch %+v", r)
	}
	if _, err := pinnedRelease(13); err == nil || !strings.Contains(err.Error(), "no PostgreSQL 13 to fetch for") {
		t.Errorf("a version that nobody pinned: %v", err)
	}
}
