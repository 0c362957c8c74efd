package daemon

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"ghlsync/internal/config"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// GHL_SETTLE=0 is no settling time, not the default one: a call whose answer was
// lost is repeated at once.
func TestNoSettlingTime(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	called := make(chan struct{}, 2)
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		called <- struct{}{}
		if calls.Add(1) == 1 {
			panic(http.ErrAbortHandler) // the answer is lost
		}
	}))
	t.Cleanup(receiver.Close)
	d := delivering(t, map[string]string{"GHL_WEBHOOK_URL": receiver.URL, "GHL_SETTLE": "0s"})
	want(t, d, "event-1")
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for range 2 {
		select {
		case <-called:
		case <-deadline.C:
			t.Fatalf("the call was not repeated: %+v", d.deliverer.Status())
		}
	}
}

// delivering is a daemon of which delivery alone runs.
func delivering(t *testing.T, env map[string]string) *Daemon {
	t.Helper()
	cfg, _, err := config.Load(t.Context(), config.FromMap(env), config.NeedGHL)
	if err != nil {
		t.Fatal(err)
	}
	d := New(cfg, slog.New(slog.DiscardHandler), Hooks{})
	if d.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "state.db"), sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	err = d.startDelivery(t.Context(), "owner")
	t.Cleanup(func() {
		if err := d.undo(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// want makes the event wanted, as capture does.
func want(t *testing.T, d *Daemon, id state.EventID) {
	t.Helper()
	tx, err := d.store.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	m, _ := state.Merge(nil, state.Change{
		ID: id, Version: state.Version{Epoch: 1, LSN: 1}, Wanted: state.Present, Payload: []byte(`{}`), Hash: "h",
	}, time.Now().UTC())
	if err := errors.Join(tx.Save(t.Context(), m), tx.Commit(t.Context())); err != nil {
		t.Fatal(err)
	}
	d.deliverer.Wake()
}
