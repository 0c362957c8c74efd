package cdc

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgproto3"
)

// scripted is a server that plays frames to whoever starts replication, and then
// waits for the client to leave. It stands in for what a real server does not do
// on request.
func scripted(t *testing.T, frames ...pgproto3.BackendMessage) *Source {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close() //nolint:errcheck // the client has gone
		serve(pgproto3.NewBackend(conn, conn), frames)
	}()
	cfg := goodConfig()
	cfg.URL = "postgres://u:s3cret-pass@" + listener.Addr().String() + "/d?sslmode=disable"
	s, err := newSource(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if s.repl, err = s.connect(t.Context(), replication, " stream"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(context.Background()), listener.Close()); err != nil {
			t.Error(err)
		}
		<-ended
	})
	return s
}

func serve(b *pgproto3.Backend, frames []pgproto3.BackendMessage) {
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "15.4 (Debian)"})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if b.Flush() != nil {
		return
	}
	for {
		msg, err := b.Receive()
		if err != nil {
			return
		}
		switch m := msg.(type) {
		case *pgproto3.Query:
			if strings.HasPrefix(m.String, "START_REPLICATION") {
				b.Send(&pgproto3.CopyBothResponse{})
				for _, f := range frames {
					b.Send(f)
				}
			}
		case *pgproto3.CopyDone:
			b.Send(&pgproto3.CopyDone{})
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("COPY 0")})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		}
		if b.Flush() != nil {
			return
		}
	}
}

func walFrame(at pglogrepl.LSN, m message) *pgproto3.CopyData {
	return &pgproto3.CopyData{Data: append(message{'w'}.u64(uint64(at)).u64(uint64(at)).u64(0), m...)}
}

func aliveFrame(end pglogrepl.LSN, reply byte) *pgproto3.CopyData {
	return &pgproto3.CopyData{Data: message{'k'}.u64(uint64(end)).u64(0).u8(reply)}
}

// What cannot be read ends the stream at a named place; everything before it is
// handed over, nothing after it.
func TestUnreadableFrames(t *testing.T) {
	t.Parallel()
	before := []pgproto3.BackendMessage{
		walFrame(1000, beginMessage(1000, 1)), walFrame(1000, sentraRelation()),
		walFrame(1000, rowMessage('I').part('N').sentraTuple("secret-id", "secret")), walFrame(1000, commitMessage(1000, 1100)),
	}
	for name, tc := range map[string]struct {
		frame pgproto3.BackendMessage
		is    error
		says  string
	}{
		"cut message":       {walFrame(0x1200, rowMessage('I').part('N')), ErrBadMessage, `'I' at 0/1200`},
		"unknown message":   {walFrame(0x1200, message{'?'}), ErrBadMessage, `'?' at 0/1200`},
		"cut header":        {&pgproto3.CopyData{Data: []byte{'w', 0, 0}}, ErrBadMessage, `'w'`},
		"cut keepalive":     {&pgproto3.CopyData{Data: []byte{'k', 0, 0}}, ErrBadMessage, `'k' at 0/44C`},
		"unknown frame":     {&pgproto3.CopyData{Data: []byte{'?'}}, ErrBadMessage, `'?'`},
		"empty frame":       {&pgproto3.CopyData{}, ErrBadMessage, "unknown"},
		"foreign message":   {&pgproto3.DataRow{}, ErrBadMessage, "DataRow"},
		"end of stream":     {&pgproto3.CopyDone{}, ErrConnectionLost, "ended"},
		"publication, 14":   {&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "42704", Message: `publication "p" does not exist`}, ErrPublicationMissing, "p"},
		"publication, 18":   {&pgproto3.NoticeResponse{Severity: "WARNING", Code: "55000", Message: `skipped loading publication "p"`}, ErrPublicationMissing, ""},
		"WAL removed":       {&pgproto3.ErrorResponse{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: "58P01", Message: "requested WAL segment has already been removed"}, ErrSlotLost, "removed"},
		"fatal, translated": {&pgproto3.ErrorResponse{Severity: "SCHWERWIEGEND", SeverityUnlocalized: "FATAL", Code: "XX000", Message: "s3cret-pass"}, ErrConnectionLost, "***"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := walFrame(5000, beginMessage(5000, 2))
			s := scripted(t, append(append([]pgproto3.BackendMessage{}, before...), tc.frame, after, walFrame(5000, commitMessage(5000, 5100)))...)
			rec := newRecorder(0)
			err := start(t, s, 0, rec).wait(t)
			if !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "secret-id") {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff([]string{"insert secret-id"}, rec.brief()); diff != "" {
				t.Error(diff)
			}
			if rec.at() != 1100 {
				t.Errorf("durable is %s", rec.at())
			}
		})
	}
}

// A keepalive within a transaction says nothing of how far it is complete.
func TestKeepaliveWithinATransaction(t *testing.T) {
	t.Parallel()
	s := scripted(t,
		aliveFrame(0x100, 0), // below where we start
		walFrame(0x1000, beginMessage(0x1000, 1)), aliveFrame(0x2000, 1), aliveFrame(0x2000, 0),
		walFrame(0x1000, commitMessage(0x1000, 0x1100)),
	)
	rec := newRecorder(0x800)
	run := start(t, s, 0x800, rec)
	rec.await(t, "the commit", func() bool { return rec.at() > 0x800 })
	run.stop(t)
	last := rec.chunks[len(rec.chunks)-1]
	if last.Last.End != 0x1100 || last.Last.Now || last.Transactions != 1 {
		t.Errorf("got %+v", last)
	}
}
