package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"ghlsync/cdc"
)

const (
	// watchInterval is how often the source is looked at beside the stream: a hole
	// is to show in health within ten seconds.
	watchInterval = 4 * time.Second
	// watchTimeout bounds one look.
	watchTimeout = 5 * time.Second
)

// errDrift ends a session whose source is no more what the checkpoint says. The
// next session judges anew, and heals.
var errDrift = errors.New("the source has changed under the stream")

// Watch is what was seen of the source beside the stream.
type Watch struct {
	At       time.Time // of the last look; zero before the first
	Warnings []string  // what a person should know, although the stream goes on
	WAL      Budget
	Canary   Canary
}

// watcher looks at the source while one session streams from it. Its methods run
// on one goroutine.
type watcher struct {
	c        *Capture
	src      *cdc.Source
	returned chan string // canaries that arrived; see [Applier]
	meter    meter
	canary   canary
}

// watch makes a watcher for a session. It looks only once run is called.
func (c *Capture) watch(src *cdc.Source, returned chan string) *watcher {
	return &watcher{c: c, src: src, returned: returned, meter: meter{budget: c.opts.WALBudget}}
}

// run watches until ctx is done, and returns nil then, or until the stream must
// not go on, and returns why.
func (w *watcher) run(ctx context.Context) error {
	look := time.NewTicker(watchInterval)
	defer look.Stop()
	emit := w.emitter()
	defer emit.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if err := w.look(ctx); err != nil {
				return err
			}
		case <-emit.C:
			w.emit(ctx)
		case token := <-w.returned:
			w.arrived(ctx, token)
		}
	}
}

// look compares the source with the checkpoint once. That it cannot be looked at
// is a warning: the stream is a connection of its own, and may be well.
func (w *watcher) look(ctx context.Context) error {
	if !w.c.may() {
		return errNotOurTurn
	}
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	facts, err := w.src.Inspect(ctx)
	if err != nil {
		w.publish([]string{"the source cannot be watched: " + err.Error()})
		return nil
	}
	cp, err := w.c.opts.Store.Checkpoint(ctx, w.c.opts.Source.Slot)
	if err != nil || cp == nil {
		w.publish([]string{"the checkpoint cannot be read"})
		return nil //nolint:nilerr // the applier meets the same trouble, and says so
	}
	switch v := cdc.JudgePoll(*PriorOf(cp), facts, w.c.opts.Source); v.Action {
	case cdc.Refuse:
		return v.Err
	case cdc.Heal:
		return fmt.Errorf("%w: %s", errDrift, v.Reason)
	}
	w.meter.read(w.c.opts.Now(), facts)
	w.publish(warnings(facts, w.c.opts.Source))
	return nil
}

// warnings are what does not end the stream, yet.
func warnings(f cdc.Facts, cfg cdc.Config) []string {
	var all []string
	if len(f.MissingColumns) > 0 {
		all = append(all, fmt.Sprintf("the events table has lost its column %s: events that change are parked until it is back",
			strings.Join(f.MissingColumns, ", ")))
	}
	if f.Slot != nil && f.Slot.WALStatus == "extended" {
		all = append(all, fmt.Sprintf("slot %s keeps more WAL than max_wal_size (wal_status extended)", cfg.Slot))
	}
	return all
}

func (w *watcher) publish(warnings []string) {
	w.c.see(Watch{At: w.c.opts.Now(), Warnings: warnings, WAL: w.meter.left(), Canary: w.canary.Canary})
}

// see keeps what a watcher saw for Status.
func (c *Capture) see(s Watch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, text := range s.Warnings {
		if !slices.Contains(c.status.Watch.Warnings, text) {
			c.log.Warn("the source needs a look", slog.String("reason", text))
		}
	}
	c.status.Watch = s
}
