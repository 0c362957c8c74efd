package deliver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/state"
	"ghlsync/state/sqlite"
)

// BenchmarkDeliver delivers a backlog of creates, one each event, to the sandbox
// through the whole of it: the state file, the books, the client.
func BenchmarkDeliver(b *testing.B) {
	for _, concurrency := range []int{8, 32} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) { benchDeliver(b, concurrency) })
	}
}

// BenchmarkRawHTTP is what a bare loop of net/http makes of the same calls.
func BenchmarkRawHTTP(b *testing.B) {
	for _, concurrency := range []int{8, 32} {
		b.Run(fmt.Sprintf("concurrency=%d", concurrency), func(b *testing.B) { benchRaw(b, concurrency) })
	}
}

func benchSandbox(b *testing.B) *sandbox.Sandbox {
	b.Helper()
	box := sandbox.New(sandbox.Options{LogEntries: 1000})
	if err := box.Start(b.Context(), "127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(box.Close)
	return box
}

func benchDeliver(b *testing.B, concurrency int) {
	b.Helper()
	box := benchSandbox(b)
	store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "state.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	benchBacklog(b, store)
	client, err := ghl.NewWebhook(ghl.WebhookOptions{URL: box.WebhookURL(), Concurrency: concurrency})
	if err != nil {
		b.Fatal(err)
	}
	done, left := make(chan struct{}), b.N
	counting := &flakyStore{Store: store}
	d, err := deliver.New(deliver.Options{
		Store: counting, Sender: client, Concurrency: concurrency, Rate: rate.Inf,
		Hook: func(deliver.Event) {
			if left--; left == 0 {
				close(done)
			}
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	if err := d.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	<-done
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(b.N)/float64(counting.commits.Load()), "calls/commit")
	if err := d.Stop(context.WithoutCancel(b.Context())); err != nil {
		b.Error(err)
	}
	client.Close()
	if err := store.Close(); err != nil {
		b.Error(err)
	}
	if live := box.Stats().Live; live != b.N {
		b.Errorf("%d appointments, want %d", live, b.N)
	}
}

// benchBacklog makes one due event for each iteration.
func benchBacklog(b *testing.B, store *sqlite.Store) {
	b.Helper()
	now := time.Now().UTC().Truncate(time.Microsecond)
	for from := 0; from < b.N; from += 1000 {
		tx, err := store.Begin(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		var rows []*state.Mapping
		for i := from; i < min(from+1000, b.N); i++ {
			id := fmt.Sprintf("event-%07d", i)
			m, _ := state.Merge(nil, state.Change{
				ID: state.EventID(id), Version: state.Version{Epoch: 1, LSN: 1}, CommittedAt: now,
				Wanted: state.Present, EventType: "onboarding", Payload: payloadOf(id, "Session A"), Hash: id, Inserted: true,
			}, now)
			rows = append(rows, m)
		}
		if err := tx.Save(b.Context(), rows...); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func benchRaw(b *testing.B, concurrency int) {
	b.Helper()
	url := benchSandbox(b).WebhookURL()
	transport := &http.Transport{MaxIdleConnsPerHost: concurrency, MaxIdleConns: concurrency}
	b.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	var next atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	var workers sync.WaitGroup
	for range concurrency {
		workers.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := rawCall(b.Context(), client, url, fmt.Sprintf("event-%07d", i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	workers.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

func rawCall(ctx context.Context, client *http.Client, url, id string) error {
	body := ghl.Envelope(ghl.Created, id, "", payloadOf(id, "Session A"))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", id)
	req.Header.Set("X-Sentra-Delivery", id)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return resp.Body.Close()
}
