// Package shadow shows what a daemon would send, without sending or keeping
// anything.
//
// It is the daemon's own capture and delivery, with three parts replaced: the slot
// is temporary and goes with its connection, the state is a throw-away file, and in
// place of the client for GHL stands one that tells of each call and takes it as
// delivered. So what it tells is what 'run' would do on a first start, coalescing,
// baseline and delete fuse included.
//
// What the package promises:
//
//  1. Nothing is sent to GHL, and nothing is made or changed in the source: where
//     the publication is missing it ends with the SQL for it.
//  2. No slot and no file is left behind, unless the process is killed: then the
//     server drops the slot with the connection, and a private folder in the
//     system's place for temporary files stays.
//  3. Payloads, which are client data, are told only to who asks for them.
//
// [Run] owns every goroutine and waits for them.
package shadow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
	"ghlsync/internal/pipeline"
	"ghlsync/state/sqlite"
)

// Call is a call that would be made.
type Call struct {
	At        time.Time `json:"at"`
	Operation string    `json:"operation"` // the guide's event_type: calendar_event_created, …
	EventID   string    `json:"sentra_event_id"`
	// Body is the exact one, with GHL_MODE=api that from which the requests are
	// made; only on request, since it holds client data.
	Body json.RawMessage `json:"body,omitempty"`
}

// Run captures until ctx is done, and returns nil then, and calls tell for each
// call that would be made, one at a time.
func Run(ctx context.Context, cfg config.Config, log *slog.Logger, tell func(Call)) (err error) {
	dir, err := os.MkdirTemp("", "ghlsync-shadow-")
	if err != nil {
		return fmt.Errorf("make a place for a throw-away state: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store, err := sqlite.Open(ctx, filepath.Join(dir, "state.db"), sqlite.Options{})
	if err != nil {
		return fmt.Errorf("open a throw-away state: %w", err)
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	deliverer, err := deliver.New(deliver.Options{
		Store: store, Sender: teller(tell), Encode: daemon.Encoder(cfg), Concurrency: 1, Rate: rate.Inf, // the books would tell what is not true: that something was sent
	})
	if err != nil {
		return fmt.Errorf("set up delivery: %w", err)
	}
	if err := deliverer.Start(ctx); err != nil {
		return fmt.Errorf("start delivery: %w", err)
	}
	options := daemon.CaptureOptions(cfg, log, store, "shadow", deliverer.Wake)
	options.Source.Create, options.Source.ApplicationName = false, "ghlsync shadow"
	captured := pipeline.New(options).Shadow(ctx)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(captured, deliverer.Stop(stop))
}

// teller stands where the client for GHL stands in a daemon.
type teller func(Call)

// Send tells of the call and takes it as delivered.
func (t teller) Send(_ context.Context, r ghl.Request) ghl.Result {
	t(Call{At: time.Now().UTC(), Operation: string(r.Operation), EventID: r.EventID, Body: r.Body})
	return ghl.Result{Outcome: ghl.Delivered, HTTPStatus: http.StatusOK}
}
