package admin

import (
	"net"
	"sync"
)

// limited is a listener with so many connections at once. Others wait to be accepted,
// as long as the kernel lets them; the deadlines of a connection free its place.
type limited struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	close  func()
}

func limit(l net.Listener, most int) *limited {
	closed := make(chan struct{})
	return &limited{Listener: l, places: make(chan struct{}, most), closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

// Accept waits for a place and then for a connection.
func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &placed{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// Close ends an Accept that waits for a place as well.
func (l *limited) Close() error {
	l.close()
	return l.Listener.Close()
}

// placed gives its place back when it is closed.
type placed struct {
	net.Conn
	leave func()
}

func (p *placed) Close() error {
	err := p.Conn.Close()
	p.leave()
	return err
}
