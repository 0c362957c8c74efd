package pipeline

import (
	"math"
	"testing"
	"time"

	"github.com/jackc/pglogrepl"

	"ghlsync/cdc"
)

func at(seconds int) time.Time { return time.Unix(int64(seconds), 0) }

func facts(end pglogrepl.LSN, restart pglogrepl.LSN, safe *int64) cdc.Facts {
	return cdc.Facts{WALEnd: end, Slot: &cdc.SlotFacts{Restart: restart, SafeWALSize: safe}}
}

func TestMeter(t *testing.T) {
	t.Parallel()
	safe := int64(6000)
	m := meter{}
	if b := m.left(); b.Left != nil || b.Time != 0 || b.BytesPerSecond != 0 {
		t.Errorf("before the first look: %+v", b)
	}
	m.read(at(0), facts(1000, 900, &safe))
	if b := m.left(); *b.Left != 6000 || b.Time != 0 {
		t.Errorf("after one look: %+v", b)
	}
	m.read(at(10), facts(2000, 900, &safe))
	if b := m.left(); math.Abs(b.BytesPerSecond-100) > 1e-9 || b.Time != time.Minute {
		t.Errorf("after two looks: %+v", b)
	}
	// The rate follows within about a minute, and not at once.
	m.read(at(11), facts(3000, 900, &safe))
	if b := m.left(); b.BytesPerSecond < 101 || b.BytesPerSecond > 200 {
		t.Errorf("after a burst: %+v", b)
	}
	for s := 12; s < 400; s++ {
		m.read(at(s), facts(3000, 900, &safe))
	}
	if b := m.left(); b.BytesPerSecond > 1 {
		t.Errorf("after a long silence: %+v", b)
	}
}

func TestMeterTakesTheOperatorsBudget(t *testing.T) {
	t.Parallel()
	m := meter{budget: 5000}
	m.read(at(0), facts(10_000, 9000, nil))
	if b := m.left(); *b.Left != 4000 {
		t.Errorf("%+v", b)
	}
	m.read(at(1), facts(20_000, 9000, nil))
	if b := m.left(); *b.Left != 0 {
		t.Errorf("spent: %+v", b)
	}
	safe := int64(77)
	m.read(at(2), facts(20_000, 9000, &safe))
	if b := m.left(); *b.Left != 77 {
		t.Errorf("the server's limit counts first: %+v", b)
	}
	// A restored server begins anew at a lower position.
	m.read(at(3), facts(500, 400, nil))
	if b := m.left(); b.BytesPerSecond < 0 || *b.Left != 4900 {
		t.Errorf("behind: %+v", b)
	}
}

func TestMeterTellsWhatIsBehind(t *testing.T) {
	t.Parallel()
	m := meter{}
	for confirmed, want := range map[pglogrepl.LSN]int64{400: 600, 1000: 0, 1200: 0} {
		m.read(at(0), cdc.Facts{WALEnd: 1000, Slot: &cdc.SlotFacts{ConfirmedFlush: confirmed}})
		if b := m.left(); *b.Behind != want {
			t.Errorf("confirmed at %s: %d, want %d", confirmed, *b.Behind, want)
		}
	}
	m.read(at(1), cdc.Facts{WALEnd: 1000})
	if b := m.left(); b.Behind != nil {
		t.Errorf("without a slot: %d", *b.Behind)
	}
}
