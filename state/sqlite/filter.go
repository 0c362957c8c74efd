package sqlite

import (
	"context"
	"strings"

	"ghlsync/state"
)

// list pages through the mappings that f selects, in the order of their ids.
// Words are written into the query, not bound: only so does SQLite see that a
// partial index serves it.
func list(ctx context.Context, q queryer, f state.Filter, after state.EventID, limit int) ([]*state.Mapping, error) {
	return listUpTo(ctx, q, f, after, "", limit)
}

// listUpTo is list among ids up to a given one; "" for all.
func listUpTo(ctx context.Context, q queryer, f state.Filter, after, upTo state.EventID, limit int) ([]*state.Mapping, error) {
	where := []string{"sentra_event_id > ?"}
	args := []any{string(after)}
	and := func(cond string, a ...any) {
		where = append(where, cond)
		args = append(args, a...)
	}
	if upTo != "" {
		and("sentra_event_id <= ?", string(upTo))
	}
	if f.Listed {
		and("assumed = 0 AND NOT (wanted = 'absent' AND sync_status = 'synced')")
	}
	if f.Status != "" {
		and("sync_status = " + quoted(string(f.Status)))
	}
	if f.Held {
		and("hold = 'held'")
	}
	if f.Drifted {
		and("drift IS NOT NULL")
	}
	if f.Query != "" {
		and("(instr(sentra_event_id, ?) > 0 OR instr(ghl_appointment_id, ?) > 0)", f.Query, f.Query)
	}
	if v := f.WantedBefore; v != nil {
		and("wanted = 'present' AND (epoch, commit_lsn) < (?, ?)", v.Epoch, fromLSN(v.LSN))
	}
	if f.Wanted != "" {
		and("wanted = " + quoted(string(f.Wanted)))
	}
	if !f.Fusible.IsZero() {
		// The sign keeps the planner on the index that has the rows in order.
		and("retracted = 1 AND +committed_at >= ? AND "+countsForFuse, fromTime(f.Fusible))
	}
	query := "SELECT " + columnList + " FROM ghl_sync_mappings WHERE " + strings.Join(where, " AND ") +
		" ORDER BY sentra_event_id LIMIT ?"
	return mappings(ctx, q, query, append(args, limit)...)
}

const countsForFuse = "(hold IS NULL OR hold = 'held')"

// quoted is a text literal. NUL, which none can hold, does not occur in words
// that callers choose from.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
