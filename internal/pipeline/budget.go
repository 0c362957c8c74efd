package pipeline

import (
	"math"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
)

// Budget is how much WAL the source may still write before the slot is lost, or
// the disk is full, if nothing were confirmed from now on.
type Budget struct {
	BytesPerSecond float64 // of late; 0 is also 'not known yet'
	Left           *int64  // bytes; nil: there is no limit that anybody named
	Behind         *int64  // bytes behind what is confirmed; nil: not known
	// Time is Left at the present rate; zero: not known, or longer than anybody
	// plans for.
	Time time.Duration
}

const (
	// rateMemory is over which time the rate of WAL is averaged.
	rateMemory = time.Minute
	// farAhead is the longest time that is told.
	farAhead = 10 * 365 * 24 * time.Hour
)

// meter averages the rate at which WAL is written. It is pure.
type meter struct {
	budget int64 // bytes that the operator grants to the slot; 0: none named
	at     time.Time
	end    pglogrepl.LSN
	rate   float64
	known  bool
	now    *int64
	behind *int64
}

// read takes one look at the server.
func (m *meter) read(at time.Time, f cdc.Facts) {
	if took := at.Sub(m.at); !m.at.IsZero() && took > 0 && f.WALEnd >= m.end {
		rate := float64(f.WALEnd-m.end) / took.Seconds()
		if !m.known {
			m.rate, m.known = rate, true
		}
		m.rate += (rate - m.rate) * (1 - math.Exp(-took.Seconds()/rateMemory.Seconds()))
	}
	m.at, m.end, m.now, m.behind = at, f.WALEnd, m.bytesLeft(f), bytesBehind(f)
}

func bytesBehind(f cdc.Facts) *int64 {
	if f.Slot == nil {
		return nil
	}
	behind := int64(f.WALEnd - min(f.Slot.ConfirmedFlush, f.WALEnd))
	return &behind
}

// bytesLeft is the server's own limit (safe_wal_size, where
// max_slot_wal_keep_size is set), or what is left of the operator's.
func (m *meter) bytesLeft(f cdc.Facts) *int64 {
	switch {
	case f.Slot == nil:
		return nil
	case f.Slot.SafeWALSize != nil:
		left := max(*f.Slot.SafeWALSize, 0)
		return &left
	case m.budget > 0:
		left := max(m.budget-int64(f.WALEnd-min(f.Slot.Restart, f.WALEnd)), 0)
		return &left
	default:
		return nil
	}
}

func (m *meter) left() Budget {
	b := Budget{BytesPerSecond: m.rate, Left: m.now, Behind: m.behind}
	if m.now != nil && m.rate > 0 {
		if seconds := float64(*m.now) / m.rate; seconds < farAhead.Seconds() {
			b.Time = time.Duration(seconds * float64(time.Second))
		}
	}
	return b
}
