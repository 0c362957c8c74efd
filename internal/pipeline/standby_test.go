package pipeline

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/cenkalti/backoff/v5"

	"ghlsync/state"
)

// A capturer that finds the checkpoint moved by another one stands by where the
// state is shared; on a state of its own somebody has to look.
func TestFencedCapturer(t *testing.T) {
	t.Parallel()
	fenced := fmt.Errorf("write the checkpoint: %w", state.ErrFenced)
	alone := New(Options{Log: slog.New(slog.DiscardHandler)})
	if _, err := alone.judgeEnd(fenced, backoff.NewExponentialBackOff()); !errors.Is(err, state.ErrFenced) || alone.Status().Phase != Stopped {
		t.Errorf("alone: %v, %s", err, alone.Status().Phase)
	}
	shared := New(Options{Log: slog.New(slog.DiscardHandler), May: func() bool { return true }})
	wait, err := shared.judgeEnd(fenced, backoff.NewExponentialBackOff())
	if err != nil || wait != standbyPoll || shared.Status().Phase != Standby {
		t.Errorf("shared: %v, %s, %s", err, wait, shared.Status().Phase)
	}
}

// Without the word of the state no session begins.
func TestNoSessionWithoutTheWord(t *testing.T) {
	t.Parallel()
	c := New(Options{Log: slog.New(slog.DiscardHandler), May: func() bool { return false }})
	if err := c.session(t.Context()); !errors.Is(err, errNotOurTurn) {
		t.Errorf("%v", err)
	}
}
