package postgres

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// keeperScript outlives this process: it follows which server runs ("run PID", "gone"), and when its input ends
// without "bye" it stops that server and removes the folder $1. The server gets 5 s for a fast shutdown and 2 s for an
// immediate one. Between "run" and "gone" the id is a child that nobody has waited for, or, once this process is dead,
// one whose id has not had time to come round again.
const keeperScript = `
trap '' HUP INT TERM
pid=
while read -r word arg; do
	case $word in
	run) pid=$arg ;;
	gone) pid= ;;
	bye) exit 0 ;;
	esac
done
gone() {
	n=0
	while [ $n -lt "$1" ]; do
		kill -0 "$pid" 2>/dev/null || return 0
		sleep 0.1
		n=$((n + 1))
	done
	return 1
}
if [ -n "$pid" ]; then
	kill -INT "$pid" 2>/dev/null
	gone 50 || { kill -QUIT "$pid" 2>/dev/null; gone 20; } || { kill -KILL "$pid" 2>/dev/null; gone 20; }
fi
rm -rf -- "$1"
`

// folder is a directory that goes with this process, whichever way it ends.
type folder struct {
	path   string
	keeper *exec.Cmd
	leash  io.WriteCloser
}

// newFolder makes a directory with a random name below parent, owned by the account, and sets a keeper over it. A
// process that is killed between the two leaves an empty directory.
func newFolder(parent string, a account) (*folder, error) {
	path, err := os.MkdirTemp(parent, "ghlsync-postgres-")
	if err != nil {
		return nil, fmt.Errorf("make the server's folder: %w", err)
	}
	f := &folder{path: path}
	if err := errors.Join(a.own(path), f.watch()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return f, nil
}

// watch starts the keeper. It runs as this process's user, who may both signal the server and remove its files.
func (f *folder) watch() error {
	f.keeper = exec.Command("/bin/sh", "-c", keeperScript, "ghlsync-postgres-keeper", f.path)
	f.keeper.Dir = "/"
	f.keeper.Env = []string{"PATH=/usr/bin:/bin"}
	f.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	leash, err := f.keeper.StdinPipe()
	if err != nil {
		return fmt.Errorf("start the keeper: %w", err)
	}
	f.leash = leash
	if err := f.keeper.Start(); err != nil {
		return fmt.Errorf("start the keeper: %w", err)
	}
	return nil
}

// tell sends the keeper a line. A keeper that somebody killed cannot be told and nothing is lost but a second
// protection, so callers may ignore the error.
func (f *folder) tell(line string) error {
	_, err := io.WriteString(f.leash, line+"\n")
	return err
}

// remove deletes the directory and dismisses the keeper. The server must have ended; children of one that was killed
// may still write their last, so a folder that fills again is removed again. A crash in between leaves the rest to the
// keeper.
func (f *folder) remove() error {
	err := os.RemoveAll(f.path)
	for range 40 {
		if err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
		err = os.RemoveAll(f.path)
	}
	if err != nil {
		err = fmt.Errorf("remove the server's folder: %w", err)
	}
	// The keeper has nothing left to do: neither a deaf ear nor its exit code matters.
	_ = f.tell("bye")
	_ = f.leash.Close()
	_ = f.keeper.Wait()
	return err
}
