package postgres

import (
	"strconv"
	"strings"

	"ghlsync/state"
)

// listSQL pages through the mappings that f selects, in the order of their ids,
// above after, and up to upTo if that is not "".
// Words are written into the query, not bound: only so does the server see, in a
// plan that it keeps, that a partial index serves it.
func listSQL(f state.Filter, after, upTo state.EventID, limit int) (query string, args []any) {
	bind := func(v any) string {
		args = append(args, v)
		return "$" + strconv.Itoa(len(args))
	}
	where := []string{"sentra_event_id > " + bind(storable(string(after)))}
	and := func(cond string) { where = append(where, cond) }
	if upTo != "" {
		and("sentra_event_id <= " + bind(storable(string(upTo))))
	}
	if f.Listed {
		and("NOT assumed AND NOT (wanted = 'absent' AND sync_status = 'synced')")
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
		q := bind(storable(f.Query))
		and("(strpos(sentra_event_id, " + q + ") > 0 OR strpos(ghl_appointment_id, " + q + ") > 0)")
	}
	if v := f.WantedBefore; v != nil {
		and("wanted = 'present' AND (epoch, commit_lsn) < (" + bind(v.Epoch) + ", " + bind(int64(v.LSN)) + ")")
	}
	if f.Wanted != "" {
		and("wanted = " + quoted(string(f.Wanted)))
	}
	if !f.Fusible.IsZero() {
		and("retracted AND committed_at >= " + bind(f.Fusible) + " AND " + countsForFuse)
	}
	return "SELECT " + columnList + " FROM ghl_sync_mappings WHERE " + strings.Join(where, " AND ") +
		" ORDER BY sentra_event_id LIMIT " + bind(limit), args
}

const countsForFuse = "(hold IS NULL OR hold = 'held')"

// quoted is a text literal.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
