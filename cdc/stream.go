package cdc

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	// statusInterval is well below senderTimeout: the server hears of us even if
	// the store stands still.
	statusInterval = time.Second
	writeTimeout   = 5 * time.Second
	// handleGrace is what a Handle in progress gets when the stream ends.
	handleGrace = 5 * time.Second
	// goodbye bounds the wait for the server to end the stream on its side.
	goodbye = time.Second
	// silenceAsk is after what silence the server is asked for an answer: an idle one
	// to which all is confirmed has nothing to say of its own.
	silenceAsk = 30 * time.Second
	// silenceLimit: a server that says nothing for so long is gone, behind a proxy
	// that is not. An idle one answers when it is asked.
	silenceLimit = 5 * time.Minute
)

// Handler takes what the stream brings, chunk by chunk, from one goroutine.
type Handler interface {
	// Handle takes a chunk and returns the end LSN up to which everything is
	// durable; that is confirmed to the server. It may be lower than the chunk's
	// boundary, and is not taken for more than what was handed over. After an
	// error the stream ends. The chunk's slice is the handler's until Handle
	// returns; strings and Tx may be kept. When the stream ends, ctx still has
	// some seconds.
	Handle(ctx context.Context, c Chunk) (durable pglogrepl.LSN, err error)
}

// Stream streams from the slot until ctx is done, and returns its cause then, or
// until something fails. from is an end LSN, the checkpoint: what committed below
// it is skipped. It may be called once.
//
// Three loops live as long as Stream: one reads and decodes, one hands over what
// has arrived, one tells the server how far the handler is. What was handed over
// with Open set and not ended by a chunk without it has to be thrown away when
// Stream returns.
func (s *Source) Stream(ctx context.Context, from pglogrepl.LSN, h Handler) error {
	if s.streaming.Swap(true) {
		return errors.New("stream: this source has streamed already")
	}
	if err := s.startReplication(ctx, from); err != nil {
		return err
	}
	st := &stream{
		source: s, conn: s.repl, handler: h,
		decoder: newDecoder(s.events, from),
		box:     newMailbox(from, maxRows, maxBytes),
		handed:  from,
		reply:   make(chan struct{}, 1),
	}
	st.durable.Store(uint64(from))
	st.decoder.onRelation = func() { s.shape.Store(nil) }
	return st.run(ctx)
}

// startReplication asks for protocol version 1: transactions arrive whole, after
// their commit, and prepared ones not before it. The server moves a position
// older than the slot's confirmed one forward without a word; Judge has looked
// at that.
func (s *Source) startReplication(ctx context.Context, from pglogrepl.LSN) error {
	err := pglogrepl.StartReplication(ctx, s.repl, quoteIdent(s.slot()), from, pglogrepl.StartReplicationOptions{
		Mode: pglogrepl.LogicalReplication,
		PluginArgs: []string{
			"proto_version '1'",
			"publication_names " + quoteLiteral(quoteIdent(s.cfg.Publication)),
			"messages 'true'", // for the canary
		},
	})
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	said := s.serverError(err)
	switch stateOf(err) {
	case stateObjectInUse:
		said = fmt.Errorf("%w: %w", ErrSlotActive, said)
	case stateUndefinedObject:
		said = fmt.Errorf("%w: %w", ErrSlotMissing, said)
	case stateNotInPrerequisite, stateUndefinedFile:
		said = fmt.Errorf("%w: %w", ErrSlotLost, said)
	}
	return fmt.Errorf("start replication from slot %s: %w", s.slot(), said)
}

// stream is one run of Stream.
type stream struct {
	source  *Source
	conn    *pgconn.PgConn
	handler Handler
	decoder *decoder
	box     *mailbox

	handed  pglogrepl.LSN // the latest boundary handed over; the applier's
	durable atomic.Uint64 // what the server may be told
	reply   chan struct{} // send a status at once

	messages atomic.Uint64
	reading  atomic.Bool // waiting for the server, not for the mailbox
}

// run owns the three loops. The status loop is the calling goroutine, so that
// it is the only one that writes to the connection: pgconn allows one writer
// beside one reader, as long as the writer leaves out its buffer.
func (st *stream) run(ctx context.Context) error {
	life, end := context.WithCancelCause(ctx)
	defer end(nil)
	// A Handle in progress outlives life by handleGrace.
	handling, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	woken := make(chan *time.Timer, 1)
	context.AfterFunc(life, func() {
		st.box.close()
		// Wakes the reader; nothing else sets read deadlines while it runs. It
		// fails on a closed connection, which wakes the reader too.
		_ = st.conn.Conn().SetReadDeadline(time.Unix(1, 0))
		woken <- time.AfterFunc(handleGrace, cut)
	})

	read, applied := make(chan error, 1), make(chan error, 1)
	readEnded := make(chan struct{})
	go func() {
		err := st.read()
		close(readEnded)
		read <- err
	}()
	go func() { applied <- st.apply(life, handling, readEnded) }()

	writeErr, applyErr := st.status(applied, end)
	end(nil) // the applier has ended; now the reader does
	readErr := <-read
	(<-woken).Stop()
	stopped := ctx.Err() != nil
	if stopped || writeErr == nil && (applyErr != nil || !errors.Is(readErr, ErrConnectionLost)) {
		st.leave()
	}
	switch {
	case stopped:
		return errors.Join(context.Cause(ctx), applyErr)
	case applyErr != nil:
		return applyErr
	case writeErr != nil:
		return writeErr
	}
	return readErr
}

// read receives and decodes until the connection, or the stream, ends.
func (st *stream) read() error {
	for {
		st.reading.Store(true)
		// Without a context: it would cost more than the message. The read deadline
		// ends the wait.
		msg, err := st.conn.ReceiveMessage(context.Background())
		st.reading.Store(false)
		if err != nil {
			return st.streamError(err)
		}
		st.messages.Add(1)
		switch m := msg.(type) {
		case *pgproto3.CopyData:
			if err := st.copyData(m.Data); err != nil {
				return err
			}
		case *pgproto3.ErrorResponse:
			return st.streamError(pgconn.ErrorResponseToPgError(m))
		case *pgproto3.NoticeResponse:
			// Postgres 18 warns about a publication that is missing where it decodes,
			// and goes on without the changes.
			if m.Code == stateNotInPrerequisite {
				return fmt.Errorf("stream: %w", ErrPublicationMissing)
			}
		case *pgproto3.ParameterStatus:
		case *pgproto3.CopyDone, *pgproto3.CommandComplete:
			return fmt.Errorf("stream: %w: the server ended the stream", ErrConnectionLost)
		default:
			return &DecodeError{LSN: st.box.reached(), Problem: fmt.Sprintf("unexpected %T", msg)}
		}
	}
}

// streamError says what ended the stream.
func (st *stream) streamError(err error) error {
	said := st.source.serverError(err)
	switch stateOf(err) {
	case stateUndefinedObject:
		said = fmt.Errorf("%w: %w", ErrPublicationMissing, said)
	case stateNotInPrerequisite, stateUndefinedFile:
		said = fmt.Errorf("%w: %w", ErrSlotLost, said)
	}
	return fmt.Errorf("stream: %w", said)
}

// copyData handles XLogData ('w': start, end, clock, message) and keepalives
// ('k'); PostgreSQL manual, 'Streaming Replication Protocol'.
func (st *stream) copyData(data []byte) error {
	r := reader{data: data}
	switch kind := r.u8(); {
	case kind == 'w' && !r.short:
		start := pglogrepl.LSN(r.u64())
		r.take(16)
		if r.short {
			return &DecodeError{Type: kind, LSN: start, Problem: truncated}
		}
		return st.decoder.decode(r.data, start, st.box)
	case kind == 'k':
		alive, err := pglogrepl.ParsePrimaryKeepaliveMessage(r.data)
		if err != nil {
			return &DecodeError{Type: kind, LSN: st.box.reached(), Problem: truncated}
		}
		// Between transactions nothing below the server's position is outstanding;
		// within one, its position says nothing.
		if !st.decoder.open {
			st.box.idle(alive.ServerWALEnd, alive.ReplyRequested)
		}
		if alive.ReplyRequested {
			notify(st.reply)
		}
		return nil
	default:
		return &DecodeError{Type: kind, LSN: st.box.reached(), Problem: "replication message is unknown"}
	}
}

// apply hands over what has arrived. When life ends it stops after the Handle in
// progress; when only the reader has ended, it first hands over the transactions
// that are complete.
func (st *stream) apply(life, handling context.Context, readEnded <-chan struct{}) error {
	ended := false
	for life.Err() == nil {
		c, ok := st.box.take()
		switch {
		case ok && !(ended && c.Open):
			if err := st.handle(handling, c); err != nil {
				return err
			}
			continue
		case ended:
			return nil
		}
		select {
		case <-st.box.arrived:
		case <-readEnded:
			ended = true
		case <-life.Done():
		}
	}
	return nil
}

func (st *stream) handle(ctx context.Context, c Chunk) error {
	if !c.Open && len(c.Changes) == 0 && uint64(c.Last.End) <= st.durable.Load() {
		return nil // confirmed already; who asks gets his status from the reader
	}
	if !c.Open {
		// Before Handle, so that its answer may be this boundary.
		st.handed = c.Last.End
	}
	durable, err := st.handler.Handle(ctx, c)
	// An error may come after a part was made durable.
	if now := min(durable, st.handed); uint64(now) > st.durable.Load() {
		st.durable.Store(uint64(now))
	}
	if err != nil {
		return err
	}
	if !c.Open && c.Last.Now {
		notify(st.reply)
	}
	return nil
}
