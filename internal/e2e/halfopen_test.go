package e2e

import (
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// line carries connections to a server, until it is cut: then they stay open, and
// nothing comes through any more, as when a router in between dies.
type line struct {
	listener net.Listener
	server   string
	all      sync.WaitGroup
	whole    sync.RWMutex // held for writing while it is cut

	mu    sync.Mutex
	ended bool
	ends  []net.Conn
}

// through returns a database's address by way of a line.
func through(t *testing.T, address string) (*line, string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{server: u.Host}
	if l.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	u.Host = l.listener.Addr().String()
	l.all.Go(func() {
		for {
			client, err := l.listener.Accept()
			if err != nil {
				return
			}
			l.all.Go(func() { l.carry(client) })
		}
	})
	t.Cleanup(l.end)
	return l, u.String()
}

// end closes all connections, and refuses further ones.
func (l *line) end() {
	_ = l.listener.Close()
	l.mu.Lock()
	l.ended = true
	for _, c := range l.ends {
		_ = c.Close()
	}
	l.mu.Unlock()
	l.all.Wait()
}

// cut lets nothing through until mend is called, or the test ends.
func (l *line) cut(t *testing.T) (mend func()) {
	t.Helper()
	l.whole.Lock()
	mend = sync.OnceFunc(l.whole.Unlock)
	t.Cleanup(mend)
	return mend
}

func (l *line) carry(client net.Conn) {
	defer func() { _ = client.Close() }()
	l.whole.RLock()
	l.whole.RUnlock() //nolint:staticcheck // it waits while the line is cut
	server, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	l.mu.Lock()
	if l.ended {
		l.mu.Unlock()
		return
	}
	l.ends = append(l.ends, client, server)
	l.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() { l.copy(client, server) })
	l.copy(server, client)
	back.Wait()
}

// copy hands on what one side says, and then that it has ended.
func (l *line) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.whole.RLock()
		if n > 0 && err == nil {
			_, err = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			_ = from.Close()
		}
		l.whole.RUnlock()
		if err != nil {
			return
		}
	}
}

// A capturer that is cut off from both databases, which do not hear of it, loses its
// place; when the lines are whole again it stands by, and nothing is doubled.
func TestCapturerIsCutOff(t *testing.T) {
	t.Parallel()
	r := newShared(t)
	source, state := r.env["SENTRA_DATABASE_URL"], r.env["STATE_URL"]
	toSource, sourceURL := through(t, source)
	toState, stateURL := through(t, state)
	r.set("SENTRA_DATABASE_URL="+sourceURL, "STATE_URL="+stateURL)
	r.launch()
	r.set("SENTRA_DATABASE_URL="+source, "STATE_URL="+state)
	r.until("the first captures", r.captures)
	lonely := r.capturer()
	_, standby := r.joins()
	load := r.play(17)
	r.until("there is load", func() bool { return r.ghl.Stats().Requests > 100 })
	since := time.Now()
	mendSource, mendState := toSource.cut(t), toState.cut(t)
	t.Logf("took over after %s", r.takesOver(standby, since))
	mendSource()
	mendState()
	r.until("the one that was cut off stands by", func() bool { return r.phase(lonely.HTTPAddr) == "standby" })
	load.end(t)
	r.caughtUp()
	r.same()
	if s := r.ghl.Stats(); s.Doubles != 0 {
		t.Errorf("%d appointments were booked twice", s.Doubles)
	}
}

// A capturer that does not get at the source any more, and lives otherwise, gives way
// to one that does.
func TestCapturerLosesTheSource(t *testing.T) {
	t.Parallel()
	r := newShared(t)
	source := r.env["SENTRA_DATABASE_URL"]
	toSource, sourceURL := through(t, source)
	r.set("SENTRA_DATABASE_URL=" + sourceURL)
	r.launch()
	r.set("SENTRA_DATABASE_URL=" + source)
	r.until("the first captures", r.captures)
	_, standby := r.joins()
	since := time.Now()
	toSource.end()
	t.Logf("took over after %s", r.takesOver(standby, since))
	r.insert("event-1", "onboarding", "Seen by the other")
	r.caughtUp()
	r.same()
}
