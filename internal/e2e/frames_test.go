package e2e

import (
	"bufio"
	"bytes"
	big "encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"ghlsync/cdc"
)

// meddler is a proxy before Postgres that spoils rows of the stream.
type meddler struct {
	listener net.Listener
	server   string
	conns    sync.WaitGroup
	spoil    atomic.Pointer[func(message []byte) []byte] // nil: passes all on as it is
	spoiled  atomic.Int64
}

// meddle lets the daemon reach its database through a meddler.
func (r *rig) meddle() *meddler {
	r.t.Helper()
	u, err := url.Parse(r.env["SENTRA_DATABASE_URL"])
	if err != nil {
		r.t.Fatal(err)
	}
	m := &meddler{server: u.Host}
	if m.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		r.t.Fatal(err)
	}
	m.conns.Go(m.accept)
	r.t.Cleanup(func() {
		r.proc.kill() // its connections end with it
		if err := m.listener.Close(); err != nil {
			r.t.Error(err)
		}
		m.conns.Wait()
	})
	u.Host = m.listener.Addr().String()
	r.set("SENTRA_DATABASE_URL=" + u.String())
	return m
}

func (m *meddler) accept() {
	for {
		client, err := m.listener.Accept()
		if err != nil {
			return // closed
		}
		m.conns.Go(func() { m.serve(client) })
	}
}

// serve joins one connection to the server until either end leaves.
func (m *meddler) serve(client net.Conn) {
	defer client.Close() //nolint:errcheck // whoever left knows
	server, err := net.Dial("tcp", m.server)
	if err != nil {
		return
	}
	defer server.Close() //nolint:errcheck // likewise
	m.conns.Go(func() {
		_, _ = io.Copy(server, client) // ends with either connection
		_ = server.Close()
	})
	_ = m.answers(client, bufio.NewReader(server)) // likewise
}

// answers passes the server's messages on: a type, a length that counts itself, and
// the rest (PostgreSQL manual, 'Message Formats').
func (m *meddler) answers(client io.Writer, server io.Reader) error {
	for {
		var head [5]byte
		if _, err := io.ReadFull(server, head[:]); err != nil {
			return err
		}
		size := big.BigEndian.Uint32(head[1:])
		if size < 4 {
			return errors.New("length is impossible")
		}
		body := make([]byte, size-4)
		if _, err := io.ReadFull(server, body); err != nil {
			return err
		}
		if head[0] == 'd' {
			body = m.row(body)
		}
		big.BigEndian.PutUint32(head[1:], uint32(len(body)+4))
		if _, err := client.Write(append(head[:], body...)); err != nil {
			return err
		}
	}
}

// xlogHeader is what stands before a pgoutput message: 'w', start, end, clock.
const xlogHeader = 1 + 8 + 8 + 8

// row spoils a copied message if it is an INSERT of pgoutput's.
func (m *meddler) row(body []byte) []byte {
	spoil := m.spoil.Load()
	if spoil == nil || len(body) <= xlogHeader || body[0] != 'w' || body[xlogHeader] != 'I' {
		return body
	}
	m.spoiled.Add(1)
	return append(bytes.Clone(body[:xlogHeader]), (*spoil)(body[xlogHeader:])...)
}

// TestMessagesThatCannotBeRead: such a one is an error that says where, again and
// again: the daemon lives on, passes nothing over and confirms nothing behind it.
func TestMessagesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(message []byte) []byte{
		"cut":          func(message []byte) []byte { return message[:len(message)-3] },
		"cut to type":  func(message []byte) []byte { return message[:1] },
		"nothing left": func([]byte) []byte { return nil },
		"unknown":      func(message []byte) []byte { return append([]byte{'?'}, message[1:]...) },
		"too long":     func(message []byte) []byte { return append(bytes.Clone(message), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.meddle()
			r.start()
			r.caughtUp()
			m.spoil.Store(&spoil)
			r.insert("event-1", "onboarding", "Bait title")
			r.insert("event-2", "onboarding", "Bait title")
			behind := r.db.QueryString(t, "SELECT pg_current_wal_insert_lsn()")
			r.until("it was tried again", func() bool { return m.spoiled.Load() >= 3 })
			r.until("the log tells", func() bool {
				return strings.Contains(r.proc.stderr.String(), cdc.ErrBadMessage.Error())
			})
			if r.mapping("event-1") != nil || r.mapping("event-2") != nil || r.confirmedPast(behind) {
				t.Errorf("something was passed over, or confirmed behind %s", behind)
			}
			m.spoil.Store(nil)
			r.caughtUp()
			r.same()
			if said := r.proc.stderr.String(); strings.Contains(said, "Bait") || strings.Contains(said, "panic") {
				t.Errorf("it said:\n%s", tail(said, 4000))
			}
		})
	}
}
