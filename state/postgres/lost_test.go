package postgres_test

import (
	"errors"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	pgserver "ghlsync/internal/postgres"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// What a line does with the next bytes.
const (
	passing = iota
	unsent  // cut before the server gets what the client says
	unheard // cut when the server has answered, and the client has not heard it
)

// line is a connection to a server that can be cut.
type line struct {
	listener net.Listener
	server   string
	mode     atomic.Int32
	all      sync.WaitGroup
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
	t.Cleanup(func() {
		_ = l.listener.Close()
		l.all.Wait()
	})
	return l, u.String()
}

func (l *line) carry(client net.Conn) {
	defer client.Close() //nolint:errcheck // it is cut
	server, err := net.Dial("tcp", l.server)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // it is cut
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() { l.copy(client, server, unheard) })
	l.copy(server, client, unsent)
}

// copy ends both directions when it ends.
func (l *line) copy(to, from net.Conn, cut int32) {
	defer to.Close()   //nolint:errcheck // it is cut
	defer from.Close() //nolint:errcheck // it is cut
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || l.mode.CompareAndSwap(cut, passing) {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// A connection that is lost in a commit leaves it open whether that took effect.
// Either way it is an error, all of the Tx is there or nothing, and the store goes
// on.
func TestConnectionLostInCommit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mode   int32
		stored bool
	}{"before the server hears of it": {unsent, false}, "before we hear of it": {unheard, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.DatabaseWithoutSchema(t)
			l, address := through(t, db.URL)
			s := openAt(t, address, postgres.Options{Connections: 1})
			fill(t, s, 1) // so that the commit is one round trip
			tx := begin(t, s)
			next := state.Checkpoint{Slot: "slot", LSN: 7, Capturer: "me"}
			if err := errors.Join(tx.Save(t.Context(), due("new")), tx.SetCheckpoint(t.Context(), nil, next)); err != nil {
				t.Fatal(err)
			}
			l.mode.Store(c.mode)
			if err := tx.Commit(t.Context()); err == nil {
				t.Error("the commit is taken for known")
			}
			if err := tx.Rollback(); err != nil {
				t.Errorf("roll back: %v", err)
			}
			// Begin waits until the server has ended the lost one.
			must(t, s, func(tx state.Tx) error { return tx.Save(t.Context(), due("later")) })
			cp, err := s.Checkpoint(t.Context(), "slot")
			if err != nil || (cp != nil) != c.stored {
				t.Errorf("the checkpoint is %+v, %v", cp, err)
			}
			if _, err := s.Get(t.Context(), "new"); errors.Is(err, state.ErrNotFound) == c.stored {
				t.Errorf("the row: %v", err)
			}
			want := state.Counts{Total: 2, Pending: 2}
			if c.stored {
				want = state.Counts{Total: 3, Pending: 3}
			}
			if got, err := s.Counts(t.Context()); err != nil || got != want {
				t.Errorf("counts %+v, %v", got, err)
			}
		})
	}
}

// A server that was restarted is found again, by the next Tx and the next read.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t, pgserver.Options{})
	s := openAt(t, server.URL("postgres"), postgres.Options{})
	fill(t, s, 1)
	if _, err := s.Counts(t.Context()); err != nil {
		t.Fatal(err)
	}
	open := begin(t, s)
	if err := open.Save(t.Context(), due("lost")); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := open.Commit(t.Context()); err == nil {
		t.Error("a Tx outlives the server")
	}
	if got, err := s.Counts(t.Context()); err != nil || got.Total != 1 {
		t.Errorf("counts %+v, %v", got, err)
	}
	must(t, s, func(tx state.Tx) error { return tx.Save(t.Context(), due("next")) })
	if _, err := s.Get(t.Context(), "lost"); !errors.Is(err, state.ErrNotFound) {
		t.Errorf("it is stored: %v", err)
	}
}
