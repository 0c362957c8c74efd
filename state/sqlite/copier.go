package sqlite

import (
	"context"
	"database/sql"
)

// copyBytes is how much is saved before the copier is woken.
const copyBytes = 8 << 20

// copier moves committed pages from the WAL into the file, on a connection and a
// goroutine of its own, while the writer goes on: copying takes about as long as
// writing does. The writer copies by itself what is left at walPages, which is
// also the only time at which the WAL starts over.
//
// A failed copy loses nothing: the pages stay in the WAL, and the writer's own
// copying meets the same trouble.
type copier struct {
	db      *sql.DB
	wake    chan struct{} // holds one: more mean the same
	done    chan struct{}
	cut     context.CancelFunc
	written int64 // since the last wake; only who has the writer uses it
}

func startCopier(path string, opts Options) *copier {
	ctx, cut := context.WithCancel(context.Background())
	c := &copier{
		db: openDB(writerDSN(path, opts), 1), cut: cut,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go c.run(ctx)
	return c
}

func (c *copier) run(ctx context.Context) {
	defer close(c.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
			_, _ = c.db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)") // see above
		}
	}
}

// wrote is called behind a commit.
func (c *copier) wrote(bytes int64) {
	if c.written += bytes; c.written < copyBytes {
		return
	}
	c.written = 0
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close waits for a copy that is under way.
func (c *copier) close() error {
	c.cut()
	<-c.done
	return c.db.Close()
}
