package state

import (
	"context"
	"fmt"
	"time"
)

// FuseWindow is the time of commits over which retractions are counted.
const FuseWindow = time.Minute

const fusePage = 500

// BlowFuse holds retractions if, within [FuseWindow] up to the commit time at,
// more than limit events that GHL has or may have were retracted, net. It is
// called once for everything that one Tx retracts, before its commit, and covers
// a single transaction and a snapshot too: all of those share one commit time.
// Retractions that already went out count, but cannot be held. Released and kept
// ones do not count. It returns how many are newly held. A limit of 0 is off.
//
// Counting what is stored, not what passes by, makes the fuse survive a restart.
func BlowFuse(ctx context.Context, tx Tx, at time.Time, limit int, now time.Time) (held int, err error) {
	if limit <= 0 {
		return 0, nil
	}
	since := at.Add(-FuseWindow)
	n, err := tx.CountFusible(ctx, since)
	if err != nil {
		return 0, fmt.Errorf("count retractions: %w", err)
	}
	if n <= limit {
		return 0, nil
	}
	var after EventID
	for {
		rows, err := tx.Page(ctx, Filter{Wanted: Absent, Fusible: since}, after, fusePage)
		if err != nil {
			return held, fmt.Errorf("page retractions: %w", err)
		}
		if len(rows) == 0 {
			return held, nil
		}
		after = rows[len(rows)-1].ID
		var changed []*Mapping
		for _, m := range rows {
			if m.holdable() {
				m.hold(now)
				changed = append(changed, m)
			}
		}
		if err := tx.Save(ctx, changed...); err != nil {
			return held, fmt.Errorf("hold retractions: %w", err)
		}
		held += len(changed)
	}
}
