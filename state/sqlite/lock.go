package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"ghlsync/state"
)

// lockPatience covers the moment in which a [Holder] of another process tries
// the lock.
const lockPatience = 300 * time.Millisecond

// Holding tells who works on a state file.
type Holding struct {
	PID int `json:"pid"`
	// HTTPAddr is the address of the daemon's admin API; "" before it listens.
	HTTPAddr string `json:"http_addr"`
}

func lockPath(path string) string { return path + ".lock" }

// Holder tells whether a live process works on the state file at path, and
// which. It is decided by trying the lock, which the kernel drops when its
// holder dies, never by the process id.
func Holder(path string) (Holding, bool, error) {
	path, err := resolve(path)
	if err != nil {
		return Holding{}, false, err
	}
	f, err := os.Open(lockPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return Holding{}, false, nil
	}
	if err != nil {
		return Holding{}, false, fmt.Errorf("open the state's lock: %w", err)
	}
	// Closing drops the lock where it was got; there is nothing else to lose.
	defer f.Close() //nolint:errcheck // read only
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return Holding{}, false, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return Holding{}, false, fmt.Errorf("try the state's lock %s: %w", f.Name(), err)
	}
	return readHolding(f), true, nil
}

// readHolding may catch a holder that has not written yet: then it is empty.
func readHolding(f *os.File) Holding {
	var h Holding
	buf := make([]byte, 1024)
	n, err := f.ReadAt(buf, 0)
	if n == 0 && err != nil {
		return h
	}
	if err := json.Unmarshal(buf[:n], &h); err != nil {
		return Holding{}
	}
	return h
}

// lockFile is the held lock of one state file.
type lockFile struct{ f *os.File }

// lock takes the lock or fails with state.ErrLocked. The file stays when it is
// released: removing it would let two processes lock two files of one name.
func lock(ctx context.Context, path string) (*lockFile, error) {
	f, err := os.OpenFile(lockPath(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the state's lock: %w", err)
	}
	l := &lockFile{f: f}
	if err := l.acquire(ctx, path); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Chmod(0o600), l.write(Holding{PID: os.Getpid()})); err != nil {
		return nil, errors.Join(fmt.Errorf("write the state's lock: %w", err), f.Close())
	}
	return l, nil
}

func (l *lockFile) acquire(ctx context.Context, path string) error {
	deadline := time.Now().Add(lockPatience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := syscall.Flock(int(l.f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("lock %s: %w", l.f.Name(), err)
		}
		if time.Now().After(deadline) {
			return lockedError(path, readHolding(l.f))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func lockedError(path string, h Holding) error {
	who := "another process"
	if h.PID != 0 {
		who = fmt.Sprintf("process %d", h.PID)
	}
	if h.HTTPAddr != "" {
		who += " with its admin API at " + h.HTTPAddr
	}
	return fmt.Errorf("%w: %s is held by %s; stop that one first, or set STATE_URL to another file",
		state.ErrLocked, path, who)
}

func (l *lockFile) write(h Holding) error {
	data, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if _, err := l.f.WriteAt(data, 0); err != nil {
		return err
	}
	return l.f.Truncate(int64(len(data)))
}

// release empties the file, so that nobody reads of a holder that is gone, and
// drops the lock by closing.
func (l *lockFile) release() error {
	return errors.Join(l.f.Truncate(0), l.f.Close())
}
