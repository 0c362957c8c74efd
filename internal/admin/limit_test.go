package admin

import (
	"errors"
	"net"
	"testing"
)

// Of three connections two are accepted; the third one is when one of them has ended,
// and nobody waits for a listener that is closed.
func TestConnectionsAreLimited(t *testing.T) {
	t.Parallel()
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 2)
	accepted, ended := make(chan net.Conn, 3), make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- conn
		}
	}()
	for range 3 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	first, second := <-accepted, <-accepted
	if len(l.places) != 2 || len(accepted) != 0 {
		t.Errorf("%d places are taken, %d more connections accepted", len(l.places), len(accepted))
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	_ = first.Close() // twice gives one place back
	third := <-accepted
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept ended with %v", err)
	}
	if err := errors.Join(second.Close(), third.Close()); err != nil {
		t.Error(err)
	}
}
