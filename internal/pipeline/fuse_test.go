package pipeline

import (
	"context"
	"testing"
	"time"

	"ghlsync/cdc"
	"ghlsync/state"
)

// TestFuseDoesNotDependOnChunks: what arrives in one chunk, after an outage, is
// held as it would have been had it arrived as it was committed.
func TestFuseDoesNotDependOnChunks(t *testing.T) {
	t.Parallel()
	const closeTogether = "a long row of them, close together"
	for name, c := range map[string]struct {
		history func(r *applierRig) [][]cdc.Change
		held    int64
	}{
		"few in a minute": {func(r *applierRig) [][]cdc.Change {
			return [][]cdc.Change{r.committed(time.Second, deletedIDs(0, 5)...)}
		}, 0},
		"one transaction": {func(r *applierRig) [][]cdc.Change {
			return [][]cdc.Change{r.committed(time.Second, deletedIDs(0, 6)...)}
		}, 6},
		"a minute of them": {func(r *applierRig) [][]cdc.Change { return r.spread(0, 8, 5*time.Second) }, 8},
		"more than a minute apart": {func(r *applierRig) [][]cdc.Change {
			return append(r.spread(0, 4, time.Second), r.spread(4, 8, 62*time.Second)...)
		}, 0},
		"deleted and inserted again": {func(r *applierRig) [][]cdc.Change {
			all := deletedIDs(0, 6)
			for _, c := range deletedIDs(0, 6) {
				all = append(all, inserts(c.Key))
			}
			return [][]cdc.Change{r.committed(time.Second, all...)}
		}, 0},
		"a few behind many": {func(r *applierRig) [][]cdc.Change {
			return append([][]cdc.Change{r.committed(time.Second, deletedIDs(0, 6)...)}, r.spread(6, 8, 2*time.Minute)...)
		}, 6},
		"an emptied table behind many": {func(r *applierRig) [][]cdc.Change {
			first := r.committed(time.Second, deletedIDs(0, 8)...)
			return [][]cdc.Change{first, r.committed(2*time.Minute, truncates())}
		}, 8},
		closeTogether: {func(r *applierRig) [][]cdc.Change {
			return append(r.spread(0, 10, 900*time.Millisecond), r.busy(100, 900*time.Millisecond)...)
		}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apart, together := newApplierRig(t), newApplierRig(t)
			for _, r := range []*applierRig{apart, together} {
				r.synced(numbered("e", 10)...)
				if name == closeTogether {
					r.synced(numbered("busy", 100)...)
				}
				history := c.history(r)
				if r == together {
					r.chunk(history...)
					continue
				}
				for _, tx := range history {
					r.handle(cdc.Chunk{Changes: tx, Last: cdc.Boundary{End: tx[0].Tx.CommitLSN + 0x20, CommitTime: tx[0].Tx.CommitTime}})
				}
			}
			if got := apart.held(); got != c.held {
				t.Errorf("one by one, %d are held, want %d", got, c.held)
			}
			if got := together.held(); got != c.held {
				t.Errorf("in one chunk, %d are held, want %d", got, c.held)
			}
		})
	}
}

func deletedIDs(from, to int) []cdc.Change {
	var all []cdc.Change
	for _, id := range numbered("e", to)[from:] {
		all = append(all, deletes(id))
	}
	return all
}

// spread deletes events one by one.
func (r *applierRig) spread(from, to int, every time.Duration) [][]cdc.Change {
	var all [][]cdc.Change
	for _, c := range deletedIDs(from, to) {
		all = append(all, r.committed(every, c))
	}
	return all
}

// busy deletes events and inserts each again at once, so that none is gone at the
// end, but one retraction follows the other.
func (r *applierRig) busy(n int, every time.Duration) [][]cdc.Change {
	var all [][]cdc.Change
	for _, id := range numbered("busy", n) {
		all = append(all, r.committed(every, deletes(id)), r.committed(0, inserts(id)))
	}
	return all
}

// TestFuseLooksWithoutLoadingAnew: what the fuse leaves alone is as it was loaded.
func TestFuseLooksWithoutLoadingAnew(t *testing.T) {
	t.Parallel()
	for fuse, held := range map[int]int64{0: 0, 5: 0, 2: 40} {
		r := newApplierRig(t)
		ids := numbered("e", 40)
		r.synced(ids...)
		r.a.fuse = fuse
		store := &loads{Store: r.store}
		r.a.store = store
		r.chunk(r.spread(0, len(ids), 15*time.Second)...)
		if r.held() != held {
			t.Errorf("fuse %d: %d are held, want %d", fuse, r.held(), held)
		}
		if held == 0 && store.rows != len(ids) {
			t.Errorf("fuse %d: %d rows were loaded for %d", fuse, store.rows, len(ids))
		}
	}
}

// loads is a store that counts the rows that are asked for.
type loads struct {
	Store
	rows int
}

func (s *loads) Begin(ctx context.Context) (state.Tx, error) {
	tx, err := s.Store.Begin(ctx)
	return &loadsTx{Tx: tx, s: s}, err
}

type loadsTx struct {
	state.Tx
	s *loads
}

func (t *loadsTx) Load(ctx context.Context, ids []state.EventID) (map[state.EventID]*state.Mapping, error) {
	t.s.rows += len(ids)
	return t.Tx.Load(ctx, ids)
}
