package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"ghlsync/internal/calendars"
	"ghlsync/internal/mappingtest"
	"ghlsync/internal/pipeline"
	"ghlsync/state"
	"ghlsync/state/sqlite"
	"ghlsync/translator"
)

// webhookWorks are those of a daemon whose GHL has no calendar API.
type webhookWorks struct{ *pipeline.Capture }

func (webhookWorks) Compare(context.Context, calendars.Options) (*calendars.Report, error) {
	return nil, nil
}

// working is a rig whose capture does not stream: the state can be worked on.
func working(t *testing.T, rows ...*state.Mapping) (*rig, *sqlite.Store) {
	t.Helper()
	r := &rig{t: t, path: mappingtest.Path(t), live: &live{}}
	store := mappingtest.Store(t, r.path, rows...)
	capture := pipeline.New(pipeline.Options{
		Store: store, Rules: translator.New([]string{"onboarding"}, regexp.MustCompile("x"), time.UTC), Zone: time.UTC,
		Changed: func() {}, Log: slog.New(slog.DiscardHandler),
	})
	r.Server = New(Options{
		Addr: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
		Service: &Service{State: store, SlotName: mappingtest.Slot, Live: r.live, Works: webhookWorks{capture}},
	})
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return r, store
}

func TestBackfillOverHTTP(t *testing.T) {
	t.Parallel()
	r, store := working(t, mappingtest.Assumed("a"), mappingtest.Assumed("b"), mappingtest.Synced("c"))
	var seen []int64
	got, err := r.client("").Backfill(t.Context(), pipeline.BackfillOptions{
		Which: pipeline.BackfillAll, DryRun: true, Progress: func(done, total int64) { seen = append(seen, done, total) },
	})
	if want := (pipeline.BackfillReport{DryRun: true, Which: pipeline.BackfillAll, Pushed: 2, Known: 1}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if len(seen) != 2 || seen[0] != 3 || seen[1] != 3 {
		t.Errorf("progress %d", seen)
	}
	if got, err = r.client("").Backfill(t.Context(), pipeline.BackfillOptions{Which: pipeline.BackfillAll}); err != nil || got.Pushed != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	if m, err := store.Get(t.Context(), "a"); err != nil || m.Assumed {
		t.Errorf("%+v, %v", m, err)
	}
	r.answers(200, `{"report":{"dry_run":false,"which":"all","pushed":0,"parked":0,"left":0,"known":3}}`, "POST", "/api/v1/backfill", `{"which":"all"}`)
}

func TestWorksRefuse(t *testing.T) {
	t.Parallel()
	r, store := working(t, mappingtest.Assumed("a"))
	r.answers(503, "capture does not stream: it is starting", "POST", "/api/v1/reconcile", `{"dry_run":true}`)
	if _, err := r.client("").Reconcile(t.Context(), Reconcile{}, nil); err == nil || !strings.Contains(err.Error(), "it is starting; see 'ghlsync status'") {
		t.Errorf("not streaming: %v", err)
	}
	for _, body := range []string{"", "{", `{"dry":true}`, `{} {}`, `[]`} {
		r.answers(400, "dry_run", "POST", "/api/v1/reconcile", body)
		r.answers(400, "which", "POST", "/api/v1/backfill", body)
	}
	r.answers(400, `not of \"none\"`, "POST", "/api/v1/backfill", `{"which":"none"}`)
	r.answers(403, "names of this machine", "POST", "/api/v1/reconcile", `{}`, "Host: example.com")
	r.answers(403, "", "POST", "/api/v1/backfill", `{"which":"all"}`, "Sec-Fetch-Site: cross-site")

	// One that waits for its turn to write keeps the next one away.
	tx, err := store.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	begun, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := r.client("").Backfill(ctx, pipeline.BackfillOptions{
			Which: pipeline.BackfillAll, Progress: func(int64, int64) { close(begun) },
		})
		ended <- err
	}()
	<-begun
	r.answers(409, "a reconcile or a backfill is running already", "POST", "/api/v1/reconcile", `{}`)
	// It ends with who asked for it, having done nothing.
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		code, text, _ := r.ask(http.MethodPost, "/api/v1/backfill", `{"which":"all","dry_run":true}`)
		if code == http.StatusOK && strings.Contains(text, `"pushed":1`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d %s", code, text)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}
