package cdc

import (
	"context"
	"fmt"
)

// canaryPrefix tells our logical messages from those of others.
const canaryPrefix = "ghlsync"

// EmitCanary commits a logical message, which the stream brings back as
// [Boundary.Canary] of the boundary that ends its transaction. It writes some 100
// bytes of WAL and touches no table, so that on an idle database, too, it can be
// told whether what is committed arrives. token comes back as it is; it is
// readable by every consumer of the server's logical stream.
//
// The message is transactional (pg_logical_emit_message's first argument), so it
// takes the way of a change: decoded at its commit, in commit order.
func (s *Source) EmitCanary(ctx context.Context, token string) error {
	if _, err := s.look.query(ctx, `SELECT pg_logical_emit_message(true, $1, $2)`, canaryPrefix, token); err != nil {
		return fmt.Errorf("emit canary: %w", err)
	}
	return nil
}
