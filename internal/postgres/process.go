package postgres

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
)

// process is a server program that runs, or has run.
type process struct {
	cmd  *exec.Cmd
	pid  int
	done chan struct{} // closed once the process has ended and was waited for
	exit error         // what Wait said; read it after done
}

// launch starts cmd below the folder's keeper. The goroutine that starts the process keeps its thread until it has
// ended, for interruptWithParent, and closes done.
func (f *folder) launch(cmd *exec.Cmd) (*process, error) {
	interruptWithParent(cmd.SysProcAttr)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := cmd.Start()
		if err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		_ = f.tell(fmt.Sprint("run ", p.pid)) // see tell
		started <- nil
		p.exit = cmd.Wait()
		_ = f.tell("gone") // see tell
	}()
	if err := <-started; err != nil {
		<-p.done
		return nil, err
	}
	return p, nil
}

// alive tells whether the process has not been waited for.
func (p *process) alive() bool {
	if p == nil {
		return false
	}
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// signal reaches the process while it is there; os.Process sees to it that a later owner of its id is spared.
func (p *process) signal(s syscall.Signal) {
	// The error is os.ErrProcessDone: the process has just ended, and done says so to whoever waits.
	_ = p.cmd.Process.Signal(s)
}

// ending says how an ended process ended.
func (p *process) ending() error {
	if p.exit == nil {
		return errors.New("exit status 0")
	}
	return p.exit
}
