package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ghlsync/state"
)

// beat is how often a daemon tells others on its state that it is there, and looks
// what they and commands have changed.
const beat = time.Second

// beatTimeout bounds one beat. It is shorter than a lease lasts.
const beatTimeout = 3 * time.Second

// member is a daemon's place among those that share a state.
type member struct {
	state state.Shared
	log   *slog.Logger
	heed  func(context.Context) error // what others have changed
	able  func() bool                 // to capture
	end   context.CancelFunc
	ended chan struct{}

	asking  sync.Mutex // one at a time: a resignation is not overtaken
	mu      sync.Mutex
	self    state.Instance
	stands  bool      // for capture
	until   time.Time // it may capture; by the local monotonic clock
	steady  time.Time // it attends since then without a gap; zero: it does not
	seen    time.Time // it attended last
	failing bool
}

// join makes the daemon a member; [member.run] keeps it one.
func join(ctx context.Context, shared state.Shared, self state.Instance, log *slog.Logger) (*member, error) {
	m := &member{
		state: shared, self: self, stands: true, log: log, ended: make(chan struct{}),
		able: func() bool { return true },
	}
	if err := m.attend(ctx); err != nil {
		return nil, fmt.Errorf("tell other daemons on the state: %w", err)
	}
	return m, nil
}

// start keeps it up from now on.
func (m *member) start(ctx context.Context, addr string, able func() bool, heed func(context.Context) error) {
	m.mu.Lock()
	m.self.HTTPAddr, m.able, m.heed = addr, able, heed
	m.mu.Unlock()
	ctx, m.end = context.WithCancel(context.WithoutCancel(ctx))
	go m.run(ctx)
}

func (m *member) run(ctx context.Context) {
	defer close(m.ended)
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		m.once(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// once is one beat. People read of a state that does not answer when that begins
// and when it is over.
func (m *member) once(ctx context.Context) {
	err := m.attend(ctx)
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, beatTimeout)
		err = m.heed(bounded)
		cancel()
	}
	switch {
	case ctx.Err() != nil:
	case err != nil && !m.failing:
		m.log.Warn("the state does not answer: nothing is heard of other daemons", slog.Any("error", err))
	case err == nil && m.failing:
		m.log.Info("the state answers again")
	}
	m.failing = err != nil
}

// attend tells of the daemon once. The lease is reckoned from before the question,
// so that it never counts for longer here than there.
func (m *member) attend(ctx context.Context) error {
	m.asking.Lock()
	defer m.asking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	m.mu.Lock()
	self, stands := m.self, m.stands && m.able()
	m.mu.Unlock()
	asked := time.Now()
	captures, err := m.state.Attend(ctx, self, stands)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.steady = time.Time{}
		return err
	}
	if m.steady.IsZero() || asked.Sub(m.seen) > state.CaptureLease {
		m.steady = asked // it was frozen, and others may have been, with the machine
	}
	m.seen = asked
	m.until = time.Time{}
	if captures {
		m.until = asked.Add(state.CaptureLease)
	}
	return nil
}

// mayCapture tells whether the word of this daemon counts. One that was frozen
// finds that it does not.
func (m *member) mayCapture() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stands && time.Now().Before(m.until)
}

// living tells whose calls may be in flight. After an outage of the state nobody was
// seen for a while, and all may live: who has not attended for as long as it takes
// to be counted as dead cannot tell.
func (m *member) living(ctx context.Context) (owners []string, known bool, err error) {
	m.mu.Lock()
	steady, seen := m.steady, m.seen
	m.mu.Unlock()
	if steady.IsZero() || time.Since(steady) < state.GoneAfter || time.Since(seen) > state.CaptureLease {
		return nil, false, nil
	}
	all, err := m.state.Instances(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, i := range all {
		if i.Alive {
			owners = append(owners, i.ID)
		}
	}
	return owners, true, nil
}

// resign lets another capture, at once.
func (m *member) resign(ctx context.Context) {
	m.mu.Lock()
	m.stands = false
	m.mu.Unlock()
	if err := m.attend(ctx); err != nil {
		m.log.Warn("others are not told that this daemon captures no more, and find out", slog.Any("error", err))
	}
}

// leave is the farewell. Without it others find out.
func (m *member) leave(ctx context.Context) {
	if m.end != nil {
		m.end()
		<-m.ended
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), beatTimeout)
	defer cancel()
	if err := m.state.Leave(ctx, m.self.ID); err != nil {
		m.log.Warn("others are not told that this daemon is gone, and find out", slog.Any("error", err))
	}
}
