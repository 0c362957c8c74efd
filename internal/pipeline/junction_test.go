package pipeline

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ghlsync/cdc"
)

// TestAwait: the wait ends with the stream's arrival, with the context, or after
// a time in which the stream did not arrive.
func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var j junction
		j.reach(10)
		began := time.Now()
		time.AfterFunc(time.Second, func() { j.reach(15) })
		time.AfterFunc(2*time.Second, func() { j.reach(20) })
		if err := j.await(t.Context(), 20); err != nil || time.Since(began) != 2*time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errSessionEnded) })
		if err := j.await(ctx, 30); !errors.Is(err, errSessionEnded) {
			t.Errorf("its end: %v", err)
		}
		began = time.Now()
		if err := j.await(t.Context(), 30); err == nil || time.Since(began) != reachTimeout || !strings.Contains(err.Error(), "the stream is at 0/14 and did not reach 0/1E") {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		if err := (*junction)(nil).await(t.Context(), 30); err != nil {
			t.Errorf("without a stream: %v", err)
		}
	})
}

func TestPassable(t *testing.T) {
	t.Parallel()
	var j junction
	j.truncated(20)
	j.truncated(10)
	if err := j.passable(21); err != nil {
		t.Errorf("truncated before it: %v", err)
	}
	if err := j.passable(20); !errors.Is(err, cdc.ErrTableChanged) {
		t.Errorf("truncated behind it: %v", err)
	}
}
