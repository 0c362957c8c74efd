package admin

import (
	"testing"
	"time"

	"ghlsync/internal/mappingtest"
	"ghlsync/state"
)

// When a backlog will be done is told where something can be said of it.
func TestForesee(t *testing.T) {
	t.Parallel()
	backlog := state.Counts{Pending: 610, Held: 10}
	flowing := Delivery{Enabled: true, PerSecond: 5}
	for name, c := range map[string]struct {
		d      Delivery
		counts state.Counts
		in     time.Duration // 0: nothing is told
	}{
		"flows":           {flowing, backlog, 2 * time.Minute},
		"no backlog":      {flowing, state.Counts{Pending: 10, Held: 10}, 0},
		"stands":          {Delivery{Enabled: true}, backlog, 0},
		"paused":          {Delivery{Enabled: true, PerSecond: 5, Paused: true}, backlog, 0},
		"switched off":    {Delivery{PerSecond: 5}, backlog, 0},
		"nearly for ever": {Delivery{Enabled: true, PerSecond: 1e-12}, backlog, 36500 * 24 * time.Hour},
	} {
		d := c.d
		d.foresee(mappingtest.At, c.counts)
		switch {
		case c.in == 0 && d.BacklogDoneAt != nil:
			t.Errorf("%s: done at %s", name, d.BacklogDoneAt)
		case c.in != 0 && (d.BacklogDoneAt == nil || !d.BacklogDoneAt.Equal(mappingtest.At.Add(c.in).Truncate(time.Second))):
			t.Errorf("%s: done at %v, want in %s", name, d.BacklogDoneAt, c.in)
		}
	}
}
