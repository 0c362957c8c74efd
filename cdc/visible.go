package cdc

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// view is what pg_current_snapshot() says: transactions below xmin have ended,
// those at or above xmax have not begun, and between the two the listed ones are
// running. The ids are 64 bits wide: 32 of epoch and 32 of what the stream calls
// the xid.
type view struct {
	xmin, xmax uint64
	running    []uint64
}

// parseView reads 'xmin:xmax:xid,xid,…'.
func parseView(text string) (view, error) {
	var v view
	var err error
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return v, fmt.Errorf("parse snapshot %q", text)
	}
	if v.xmin, err = strconv.ParseUint(parts[0], 10, 64); err != nil {
		return v, fmt.Errorf("parse snapshot %q: %w", text, err)
	}
	if v.xmax, err = strconv.ParseUint(parts[1], 10, 64); err != nil {
		return v, fmt.Errorf("parse snapshot %q: %w", text, err)
	}
	for part := range strings.SplitSeq(parts[2], ",") {
		if part == "" {
			continue
		}
		xid, err := strconv.ParseUint(part, 10, 64)
		if err != nil {
			return v, fmt.Errorf("parse snapshot %q: %w", text, err)
		}
		v.running = append(v.running, xid)
	}
	return v, nil
}

// widen finds the epoch of an xid: of all ids with these lower 32 bits it is the
// one nearest to xmax. The server keeps living ids within 2^31 of each other.
func (v view) widen(xid uint32) uint64 {
	const epoch, half = uint64(1) << 32, uint64(1) << 31
	full := v.xmax&^(epoch-1) | uint64(xid)
	switch {
	case full > v.xmax && full-v.xmax > half && full >= epoch:
		return full - epoch
	case full < v.xmax && v.xmax-full > half:
		return full + epoch
	}
	return full
}

func (v view) seesAll(xids []uint32) bool {
	for _, xid := range xids {
		full := v.widen(xid)
		if full >= v.xmax || full >= v.xmin && slices.Contains(v.running, full) {
			return false
		}
	}
	return true
}
