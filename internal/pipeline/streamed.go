package pipeline

import (
	"sync/atomic"

	"ghlsync/cdc"
)

// Streamed counts what came through the stream since Capture was made. What a
// session took and did not store comes again, and counts again.
type Streamed struct {
	Transactions int64 // that committed in the source, ours and others
	Rows         int64 // changed rows of the events table
	Commits      int64 // durable ones of the checkpoint here
}

// streamed is the Streamed that an applier adds to.
type streamed struct {
	transactions, rows, commits atomic.Int64
}

func (s *streamed) took(ch cdc.Chunk) {
	s.transactions.Add(int64(ch.Transactions))
	s.rows.Add(int64(len(ch.Changes)))
}

func (s *streamed) read() Streamed {
	return Streamed{Transactions: s.transactions.Load(), Rows: s.rows.Load(), Commits: s.commits.Load()}
}
