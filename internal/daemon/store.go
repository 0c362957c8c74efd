package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ghlsync/internal/config"
	"ghlsync/state"
	"ghlsync/state/postgres"
	"ghlsync/state/sqlite"
)

// Store is a state that is open for writing, in a file or on a server.
type Store interface {
	state.Store
	state.Searcher
}

// Reader is a state that is open for reading.
type Reader interface {
	state.Reader
	state.Searcher
	Close() error
}

// OpenState opens the state for writing, and makes it where there is none. id is
// that of a daemon; a command has none.
func OpenState(ctx context.Context, url config.StateURL, id string) (Store, error) {
	if url.Postgres != "" {
		return storeOf(postgres.Open(ctx, url.Postgres.Reveal(), postgres.Options{Instance: id}))
	}
	s, err := sqlite.Open(ctx, url.Path, sqlite.Options{})
	if errors.Is(err, fs.ErrNotExist) { // the file itself would be made
		err = fmt.Errorf("there is no directory %s: make it, or set STATE_URL to a file elsewhere: %w", filepath.Dir(url.Path), err)
	}
	return storeOf(s, err)
}

// OpenExisting opens the state for writing, for a command: unlike a daemon it
// makes none where there is none. On a file it takes the lock, and fails while a
// daemon runs, and says which.
func OpenExisting(ctx context.Context, url config.StateURL) (Store, error) {
	if url.Postgres == "" {
		if _, err := os.Stat(url.Path); err != nil {
			return nil, fmt.Errorf("there is no state at STATE_URL=%s: %w; start the daemon, or set STATE_URL to its file", url, errors.Unwrap(err))
		}
		return OpenState(ctx, url, "")
	}
	reader, err := OpenReader(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := reader.Close(); err != nil {
		return nil, err
	}
	return OpenState(ctx, url, "")
}

// OpenReader opens the state beside a daemon, or without one. Where there is none,
// it is fs.ErrNotExist.
func OpenReader(ctx context.Context, url config.StateURL) (Reader, error) {
	if url.Postgres != "" {
		r, err := postgres.OpenReadOnly(ctx, url.Postgres.Reveal())
		if err != nil {
			return nil, err // and not an interface that holds no reader
		}
		return r, nil
	}
	r, err := sqlite.OpenReadOnly(ctx, url.Path)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// storeOf is the store, or nil beside an error.
func storeOf(s Store, err error) (Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// ClockOf is by which times of the state are reckoned.
func ClockOf(s state.Store) func() time.Time {
	if shared, ok := s.(state.Shared); ok {
		return shared.Now
	}
	return time.Now
}

// deliveryOf is the store for those who deliver.
func deliveryOf(s state.Store) state.Store {
	if shared, ok := s.(state.Shared); ok {
		return shared.Delivery()
	}
	return s
}

// Working is where one of the daemons that work on the state serves HTTP, if it is
// shared: the one that captures, or else any. "" where none does.
func Working(ctx context.Context, r state.Reader) (addr string, err error) {
	members, ok := r.(state.Members)
	if !ok {
		return "", nil
	}
	all, err := members.Instances(ctx)
	for _, i := range all {
		if i.Alive && (addr == "" || i.Capturer) {
			addr = i.HTTPAddr
		}
	}
	return addr, err
}

// delivery is the running delivery as operators see it.
type delivery struct{ d *Daemon }

// Wake says that something may be due.
func (x delivery) Wake() { x.d.deliverer.Wake() }

// Hold has delivery obey the operator's word, which is in the state. It is read here
// again, since another daemon's operator may have changed it meanwhile.
func (x delivery) Hold(ctx context.Context, _ bool) error {
	x.d.word.Lock()
	defer x.d.word.Unlock()
	paused, err := x.d.store.PausedAt(ctx)
	if err != nil {
		return err
	}
	return x.d.deliverer.Hold(ctx, !paused.IsZero())
}
