package operate

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/internal/mappingtest"
)

func TestPauseIsDurableAndObeyed(t *testing.T) {
	t.Parallel()
	r := newRig(t, mappingtest.Pending("a"))
	for i, c := range []struct {
		pause bool
		want  Pause
	}{
		{false, Pause{}},
		{true, Pause{Paused: true, Since: &now, Changed: true}},
		{true, Pause{Paused: true, Since: &now}},
		{false, Pause{Changed: true}},
		{false, Pause{}},
	} {
		got, err := r.SetPaused(t.Context(), c.pause)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("step %d (-want +got)\n%s", i, diff)
		}
		since, err := r.store.PausedAt(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := time.Time{}
		if c.pause {
			want = now
		}
		if !since.Equal(want) {
			t.Errorf("step %d: the state says %s", i, since)
		}
	}
	if diff := cmp.Diff([]bool{false, true, true, false, false}, r.holds); diff != "" {
		t.Errorf("delivery was told (-want +got)\n%s", diff)
	}
}
