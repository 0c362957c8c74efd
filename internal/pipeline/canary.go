package pipeline

import (
	"context"
	"crypto/rand"
	"log/slog"
	"time"
)

// Canary is the last logical message that was sent through the whole of the way a
// change takes: committed in the source, streamed, handled beside the store, and
// once around delivery's loop. It tells an idle stream from one that is stuck.
type Canary struct {
	SentAt time.Time // zero: none was sent
	// RoundTrip is that of the last one that came through, the commit included;
	// zero if none has. Waiting: the one of SentAt has not yet.
	RoundTrip time.Duration
	Waiting   bool
}

// canary is the Canary under way.
type canary struct {
	Canary
	token  string
	back   bool // it came through the stream
	failed bool // the last could not be sent, and that was told
}

// emitter ticks when a canary is due; never if they are switched off.
func (w *watcher) emitter() *time.Ticker {
	if w.c.opts.Canary <= 0 {
		t := time.NewTicker(time.Hour)
		t.Stop()
		return t
	}
	return time.NewTicker(w.c.opts.Canary)
}

// emit sends a canary, unless one is under way: its age is what tells how far
// behind the stream is.
func (w *watcher) emit(ctx context.Context) {
	if w.canary.Waiting {
		w.home(ctx)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	token, at := rand.Text(), w.c.opts.Now()
	if err := w.src.EmitCanary(ctx, token); err != nil {
		// A role that may not write, or a connection that look tells of.
		if !w.canary.failed {
			w.c.log.Warn("no canary can be sent through the stream", slog.Any("error", err))
		}
		w.canary.failed = true
		return
	}
	w.canary.token, w.canary.back, w.canary.failed = token, false, false
	w.canary.SentAt, w.canary.Waiting = at, true
	w.republish()
}

// arrived takes a canary from the stream.
func (w *watcher) arrived(ctx context.Context, token string) {
	if w.canary.Waiting && token == w.canary.token {
		w.canary.back = true
		w.home(ctx)
	}
}

// home ends the way of a canary that came through the stream: what is left is
// the loop of delivery. If that does not come around, it is tried again when the
// next canary would be due.
func (w *watcher) home(ctx context.Context) {
	if !w.canary.back {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	if err := w.c.opts.Ping(ctx); err != nil {
		return
	}
	w.canary.Waiting = false
	w.canary.RoundTrip = w.c.opts.Now().Sub(w.canary.SentAt)
	w.republish()
}

// republish changes the canary in what was seen.
func (w *watcher) republish() {
	w.c.mu.Lock()
	defer w.c.mu.Unlock()
	w.c.status.Watch.Canary = w.canary.Canary
}
