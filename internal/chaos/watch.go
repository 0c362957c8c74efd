package chaos

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the state's file, read as anybody may
)

// position is a checkpoint.
type position struct {
	epoch int64
	lsn   pglogrepl.LSN
}

// watch samples the slot and, behind it, the checkpoint.
type watch struct {
	url, state string
	daemon     *process

	mu      sync.Mutex
	samples int
	last    position
	epoch   int64 // at the last quiet point
	wrong   []string
	// ahead are samples with a slot that is confirmed beyond the checkpoint. They are
	// wrong unless the slot had just been made anew, for which the epoch rises.
	ahead []sample
}

type sample struct {
	position
	confirmed pglogrepl.LSN
}

func (w *watch) run(ctx context.Context) {
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx)) // nothing is under way on it
		}
	}()
	for sleep(ctx, 40*time.Millisecond) {
		if conn == nil || conn.IsClosed() {
			var err error
			if conn, err = pgx.Connect(ctx, w.url); err != nil {
				conn = nil
				continue // the server is away: so is the slot
			}
		}
		var text string
		if err := conn.QueryRow(ctx, "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1", slotName).Scan(&text); err != nil {
			continue
		}
		confirmed, err := pglogrepl.ParseLSN(text)
		if err != nil {
			continue
		}
		if p, err := checkpoint(ctx, w.state); err == nil {
			w.judge(sample{p, confirmed})
		}
	}
}

// judge takes the confirmation first and the checkpoint behind it, so that the
// checkpoint is the newer of the two.
func (w *watch) judge(s sample) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.samples++
	if s.epoch < w.last.epoch || s.epoch == w.last.epoch && s.lsn < w.last.lsn {
		w.wrong = append(w.wrong, fmt.Sprintf("the checkpoint went back from %s of epoch %d to %s of epoch %d", w.last.lsn, w.last.epoch, s.lsn, s.epoch))
	}
	w.last = s.position
	if s.confirmed > s.lsn {
		w.ahead = append(w.ahead, s)
	}
}

// settled gives what has turned out wrong, once everything is quiet. An epoch may
// begin only where the stream had a hole.
func (w *watch) settled(hole bool) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	wrong := w.wrong
	if w.epoch != 0 && w.last.epoch != w.epoch && !hole {
		wrong = append(wrong, fmt.Sprintf("epoch %d became %d, and nothing had made a hole", w.epoch, w.last.epoch))
	}
	w.epoch = w.last.epoch
	for _, s := range w.ahead {
		if s.epoch == w.last.epoch {
			wrong = append(wrong, fmt.Sprintf("the slot was confirmed up to %s while the state had %s of epoch %d", s.confirmed, s.lsn, s.epoch))
			break // one tells
		}
	}
	w.wrong, w.ahead = nil, nil
	return wrong
}

// openState reads the state's file as an operator may, beside whoever writes it.
func openState(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro&_pragma=busy_timeout(2000)")
}

func checkpoint(ctx context.Context, path string) (p position, err error) {
	db, err := openState(path)
	if err != nil {
		return p, err
	}
	defer func() { _ = db.Close() }() // only read from
	var lsn int64
	err = db.QueryRowContext(ctx, "select epoch, end_lsn from replication_checkpoints").Scan(&p.epoch, &lsn)
	p.lsn = pglogrepl.LSN(lsn)
	return p, err
}
