package cdc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgproto3"
)

// status sends what is durable, on a timer and when the server asks, until the
// applier has ended. It waits for neither the store nor the reader. A connection
// that cannot be written to ends the stream.
func (st *stream) status(applied <-chan error, end context.CancelCauseFunc) (writeErr, applyErr error) {
	ticker := time.NewTicker(statusInterval)
	defer ticker.Stop()
	silence, ask := silenceWatch{now: time.Now}, false
	for {
		select {
		case applyErr = <-applied:
			return writeErr, applyErr
		case <-ticker.C:
			quiet := silence.lasts(st.messages.Load(), st.reading.Load())
			ask = quiet >= silenceAsk
			if quiet >= silenceLimit && writeErr == nil {
				writeErr = fmt.Errorf("stream: %w: the server has been silent for %s", ErrConnectionLost, silenceLimit)
				end(writeErr)
			}
		case <-st.reply:
		}
		if writeErr != nil {
			continue
		}
		if err := st.sendStatus(ask); err != nil {
			writeErr = fmt.Errorf("send status: %w", st.source.serverError(err))
			end(writeErr)
		}
	}
}

// silenceWatch measures for how long no message came, although somebody
// waited for one.
type silenceWatch struct {
	now      func() time.Time
	messages uint64
	since    time.Time
}

func (w *silenceWatch) lasts(messages uint64, reading bool) time.Duration {
	now := w.now()
	if messages != w.messages || !reading || w.since.IsZero() {
		w.messages, w.since = messages, now
		return 0
	}
	return now.Sub(w.since)
}

// sendStatus sets all three positions: the server releases WAL by the flush
// position, and shows the others to those who look at pg_stat_replication.
// With ask the server has to answer.
func (st *stream) sendStatus(ask bool) error {
	durable := pglogrepl.LSN(st.durable.Load())
	if err := st.conn.Conn().SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return pglogrepl.SendStandbyStatusUpdate(context.Background(), st.conn, pglogrepl.StandbyStatusUpdate{
		WALWritePosition: durable, WALFlushPosition: durable, WALApplyPosition: durable, ReplyRequested: ask,
	})
}

// leave tells the server how far we are and ends the stream, so that the slot is
// free for the next at once. The reader has ended. If anything of this fails the
// server finds the connection closed, and the status is older than it could be:
// the next start gets something twice, which it skips.
func (st *stream) leave() {
	if st.conn.IsClosed() {
		return
	}
	net := st.conn.Conn()
	if err := errors.Join(net.SetDeadline(time.Now().Add(goodbye)), st.sendStatus(false)); err != nil {
		return
	}
	st.conn.Frontend().Send(&pgproto3.CopyDone{})
	if err := st.conn.Frontend().Flush(); err != nil {
		return
	}
	for {
		// What still comes was not confirmed, and comes again.
		msg, err := st.conn.ReceiveMessage(context.Background())
		if err != nil {
			return
		}
		if _, ok := msg.(*pgproto3.ReadyForQuery); ok {
			return
		}
	}
}
