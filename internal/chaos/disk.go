package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// disk is where the state is: a small file system of its own where this process
// may mount one, else a folder, which cannot be full.
type disk struct {
	dir     string
	mounted bool
}

func newDisk(dir string, small bool) (disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return disk{}, fmt.Errorf("make the state's folder: %w", err)
	}
	d := disk{dir: dir}
	if small {
		d.mounted = mountSmall(dir) == nil
	}
	return d, nil
}

func (d disk) close() error {
	if !d.mounted {
		return nil
	}
	return unmount(d.dir)
}

// fill takes the last byte of the file system away for a while.
func (d disk) fill(ctx context.Context, length time.Duration) (err error) {
	if !d.mounted {
		return errLeftOut
	}
	f, err := os.Create(filepath.Join(d.dir, "ballast"))
	if err != nil {
		return fmt.Errorf("fill the disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	until := time.Now().Add(length)
	// Again and again, since a file that shrinks makes room.
	for block := make([]byte, 4096); time.Now().Before(until); {
		_, err := f.Write(block)
		if err != nil && !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("fill the disk: %w", err)
		}
		if err != nil && !sleep(ctx, 20*time.Millisecond) {
			return nil
		}
	}
	return nil
}

// failSyncs makes every fsync of the process fail with EIO for a while.
func failSyncs(ctx context.Context, pid int, length time.Duration) error {
	program, err := exec.LookPath("strace")
	if err != nil {
		return errLeftOut
	}
	if pid == 0 {
		return nil // it is down: there is nothing to write
	}
	cmd := exec.Command(program, "-f", "-q", "-o", os.DevNull, "-p", strconv.Itoa(pid),
		"-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO")
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run strace: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	began := time.Now()
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case err := <-ended:
		// It ends with the daemon; at once only where it may not attach to it.
		if err != nil && time.Since(began) < 50*time.Millisecond {
			return errLeftOut
		}
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil { // it lets go of the daemon and ends
		return fmt.Errorf("end strace: %w", err)
	}
	<-ended //nolint:errcheck // it was told to
	return nil
}
