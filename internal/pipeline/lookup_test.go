package pipeline

import (
	"context"
	"testing"
	"time"

	"ghlsync/cdc"
)

// TestWriterIsFreeDuringALookUp: a look-up may wait for long, for a standby under
// synchronous replication or for a lock on the clients table. Delivery writes
// meanwhile.
func TestWriterIsFreeDuringALookUp(t *testing.T) {
	t.Parallel()
	r := newApplierRig(t)
	r.source.hold = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		tx, err := r.store.Begin(ctx)
		if err != nil {
			return err
		}
		return tx.Rollback()
	}
	first := r.committed(time.Second, inserts("a"))
	empties := r.committed(time.Second, truncates())
	r.chunk(first, empties, r.committed(time.Second, inserts("b")))
	if r.get("a").Payload != nil || r.get("b").Payload == nil {
		t.Errorf("got %+v, %+v", r.get("a"), r.get("b"))
	}
	if r.source.asked != 1 {
		t.Errorf("%d questions for the clients of one chunk", r.source.asked)
	}
}

// TestNothingIsStoredIfALookUpFails: the chunk comes again.
func TestNothingIsStoredIfALookUpFails(t *testing.T) {
	t.Parallel()
	r := newApplierRig(t)
	r.source.hold = func(context.Context) error { return cdc.ErrConnectionLost }
	durable, err := r.a.Handle(t.Context(), cdc.Chunk{
		Changes: r.committed(time.Second, deletes("x"), inserts("a")), Last: cdc.Boundary{End: r.lsn, CommitTime: r.now},
	})
	if err == nil || durable != originLSN || r.get("a") != nil || r.stored().LSN != originLSN {
		t.Errorf("%v; durable is %s, checkpoint %+v", err, durable, r.stored())
	}
}
