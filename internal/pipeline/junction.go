package pipeline

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
)

// reachTimeout is how long a reconcile waits for the stream to reach its
// consistent point. It holds a snapshot meanwhile, and with it the source's old
// row versions.
const reachTimeout = time.Minute

// junction is where the stream and a reconcile beside it meet. It belongs to one
// session: the stream's applier writes it, the reconcile reads it. The zero value
// is that of a stream that has reached nothing.
type junction struct {
	// remember makes retractions of unknown events leave a tombstone. It is set
	// before the reconcile's slot is created, so that it is in force for every
	// transaction that commits at or behind the consistent point.
	remember atomic.Bool

	mu      sync.Mutex
	reached pglogrepl.LSN // an end LSN: all that ended below it is in the state
	floor   pglogrepl.LSN // commit LSN of the latest TRUNCATE
	moved   chan struct{} // closed when reached rises; nil while nobody waits
}

// reach is called by the stream, once all before the boundary is in the state.
func (j *junction) reach(end pglogrepl.LSN) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if end <= j.reached {
		return
	}
	j.reached = end
	if j.moved != nil {
		close(j.moved)
		j.moved = nil
	}
}

// truncated is called by the stream, within the store transaction that retracts
// everything. Should that one be rolled back the floor is too high for a while,
// which at worst makes a reconcile start over.
func (j *junction) truncated(commit pglogrepl.LSN) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.floor = max(j.floor, commit)
}

// await waits until the stream has brought everything that committed below lsn.
func (j *junction) await(ctx context.Context, lsn pglogrepl.LSN) error {
	if j == nil {
		return nil
	}
	limit := time.NewTimer(reachTimeout)
	defer limit.Stop()
	for {
		at, moved := j.position(lsn)
		if moved == nil {
			return nil
		}
		select {
		case <-moved:
		case <-limit.C:
			return fmt.Errorf("the stream is at %s and did not reach %s within %s, so what it has yet to bring cannot be told from what it missed: see 'ghlsync status', and ask again when it has caught up", at, lsn, reachTimeout)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// position is how far the stream is, and, unless that is as far as lsn, a channel
// that is closed when it is further.
func (j *junction) position(lsn pglogrepl.LSN) (pglogrepl.LSN, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.reached >= lsn {
		return j.reached, nil
	}
	if j.moved == nil {
		j.moved = make(chan struct{})
	}
	return j.reached, j.moved
}

// passable says whether rows of a snapshot with this consistent point may still
// become wanted: the table must not have been truncated behind it. It is asked
// within a store transaction, which waits for that of a TRUNCATE.
func (j *junction) passable(point pglogrepl.LSN) error {
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.floor >= point {
		return fmt.Errorf("%w: it was truncated at %s", cdc.ErrTableChanged, j.floor)
	}
	return nil
}
