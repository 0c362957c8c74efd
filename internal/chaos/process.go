package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is the daemon under a keeper that starts it again whenever it has ended,
// as a service manager would, unless a fault wants it down.
type process struct {
	command func() *exec.Cmd
	log     *os.File

	mu     sync.Mutex
	cmd    *exec.Cmd     // nil while it is down
	ended  chan struct{} // of cmd
	down   int           // faults that want it down
	ends   []time.Time   // of every run, in order
	starts int
	alone  []string // ends that no fault asked for
}

// keep runs the daemon until ctx ends, and then ends it.
func (p *process) keep(ctx context.Context) {
	for ctx.Err() == nil {
		if !p.launch() {
			sleep(ctx, 20*time.Millisecond)
			continue
		}
		select {
		case <-p.ended:
			sleep(ctx, 200*time.Millisecond)
		case <-ctx.Done():
			p.signal(syscall.SIGCONT)
			p.signal(syscall.SIGTERM)
			select {
			case <-p.ended:
			case <-time.After(15 * time.Second):
				p.signal(syscall.SIGKILL)
				<-p.ended
			}
		}
	}
}

// launch starts the daemon unless it is to be down.
func (p *process) launch() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down > 0 {
		return false
	}
	cmd := p.command()
	cmd.Stdout, cmd.Stderr = p.log, p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		p.alone = append(p.alone, err.Error())
		return false
	}
	p.starts++
	ended := make(chan struct{})
	p.cmd, p.ended = cmd, ended
	go func() {
		err := cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cmd = nil
		p.ends = append(p.ends, time.Now())
		if p.down == 0 {
			p.alone = append(p.alone, fmt.Sprintf("run %d: %v", p.starts, err))
		}
		close(ended)
	}()
	return true
}

// signal reaches the daemon if it runs.
func (p *process) signal(s syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	// It may have ended and not been waited for yet: then there is nobody to hear.
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.alone = append(p.alone, fmt.Sprintf("signal %s: %v", s, err))
	}
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// hold ends the daemon by the signal and keeps it down for a while.
func (p *process) hold(ctx context.Context, s syscall.Signal, d time.Duration) {
	p.mu.Lock()
	p.down++
	ended := p.ended
	running := p.cmd != nil
	p.mu.Unlock()
	p.signal(s)
	if running {
		select {
		case <-ended:
		case <-time.After(30 * time.Second): // frozen by another fault
			p.signal(syscall.SIGKILL)
		}
	}
	sleep(ctx, d)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down--
}

// takeAlone gives the ends that no fault asked for, once.
func (p *process) takeAlone() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	alone := p.alone
	p.alone = nil
	return alone
}

// endedBetween tells whether a run ended in that time.
func (p *process) endedBetween(from, to time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.ends {
		if at.After(from) && at.Before(to) {
			return true
		}
	}
	return false
}

// environ is the daemon's whole environment.
func environ(env map[string]string) []string {
	all := []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range env {
		all = append(all, name+"="+strings.ReplaceAll(value, "\n", " "))
	}
	return all
}
