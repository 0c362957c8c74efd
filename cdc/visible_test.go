package cdc

import (
	"testing"
	"time"
)

func TestViewSees(t *testing.T) {
	t.Parallel()
	const epoch = uint64(1) << 32
	for name, tc := range map[string]struct {
		text string
		xid  uint32
		want bool
	}{
		"ended":                         {"100:200:150,160", 99, true},
		"at xmin":                       {"100:200:150,160", 100, true},
		"between, ended":                {"100:200:150,160", 155, true},
		"running":                       {"100:200:150,160", 160, false},
		"at xmax":                       {"100:200:150,160", 200, false},
		"not begun":                     {"100:200:", 5000, false},
		"epoch 1, old":                  {"4294967396:4294967496:", 50, true},
		"epoch 1, of epoch 0":           {"4294967396:4294967496:", 4294967290, true},
		"epoch 1, running":              {"4294967396:4294967496:4294967400", 104, false},
		"epoch 1, not begun":            {"4294967396:4294967496:", 250, false},
		"epoch 0, of epoch 1":           {"4294967000:4294967290:", 5, false},
		"epoch 0, half a circle behind": {"10:20:", 4294967295, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, err := parseView(tc.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := v.seesAll([]uint32{tc.xid}); got != tc.want {
				t.Errorf("sees %d: %v", tc.xid, got)
			}
			if v.seesAll([]uint32{uint32(v.xmax), 3}) {
				t.Error("all were seen though one was not")
			}
		})
	}
	if got := (view{xmax: 3*epoch + 7}).widen(4294967290); got != 2*epoch+4294967290 {
		t.Errorf("widened to %d", got)
	}
	for _, bad := range []string{"", "1:2", "a:2:", "1:b:", "1:2:c"} {
		if _, err := parseView(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestSilenceWatch(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w := silenceWatch{now: func() time.Time { return now }}
	step := func(messages uint64, reading bool, after time.Duration) time.Duration {
		now = now.Add(after)
		return w.lasts(messages, reading)
	}
	if quiet := step(0, true, 0) + step(0, true, time.Minute); quiet != time.Minute {
		t.Errorf("%s of silence, want a minute", quiet)
	}
	if quiet := step(0, true, time.Second); quiet != time.Minute+time.Second {
		t.Errorf("%s of silence, want a second more", quiet)
	}
	if step(1, true, time.Hour) != 0 || step(1, false, time.Hour) != 0 {
		t.Error("silent although something came, or nobody read")
	}
}
