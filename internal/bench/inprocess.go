package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/ghl/sandbox"
	"ghlsync/internal/config"
	"ghlsync/internal/daemon"
)

const concurrency = 8

// inProcess runs the daemon's wiring in this process against a sandbox.
func (st *stage) inProcess(ctx context.Context, sb *sandbox.Sandbox, enabled bool, hooks daemon.Hooks) (*daemon.Daemon, error) {
	if sb.Addr() == "" {
		if err := sb.Start(ctx, "127.0.0.1:0"); err != nil {
			return nil, err
		}
	}
	cfg, _, err := config.Load(ctx, config.FromMap(map[string]string{
		"SENTRA_DATABASE_URL": st.pg.URL("postgres"), "STATE_URL": "sqlite:" + filepath.Join(st.dir, "inprocess.db"),
		"CDC_SLOT": slot, "GHL_WEBHOOK_URL": sb.WebhookURL(), "GHL_WEBHOOK_ENABLED": strconv.FormatBool(enabled),
		"GHL_RATE": "100000/s", "GHL_BURST": "100000", "GHL_CONCURRENCY": strconv.Itoa(concurrency), "HTTP_ADDR": "127.0.0.1:0",
	}), config.All()...)
	if err != nil {
		return nil, err
	}
	d := daemon.New(cfg, slog.New(slog.DiscardHandler), hooks)
	return d, d.Start(ctx)
}

// benchLatency measures, at fixed rates, the time from the commit in Sentra (its
// commit record's time) to the arrival of the request at GHL.
func benchLatency(ctx context.Context, st *stage, s settings) error {
	for _, rate := range []int{40, 400} {
		if err := st.latency(ctx, rate, s.seconds); err != nil {
			return err
		}
	}
	return nil
}

// watch joins the two ends of a delivery: arrivals from the sandbox, commit times
// from the daemon.
type watch struct {
	mu       sync.Mutex
	arrived  map[string]time.Time // by delivery id
	commits  map[string]time.Time
	finished chan struct{}
	want     int
}

func (w *watch) arrival(a sandbox.Arrival) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arrived[a.DeliveryID] = a.Time
}

func (w *watch) delivered(e deliver.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.commits[e.DeliveryID] = e.CommittedAt
	if len(w.commits) == w.want {
		close(w.finished)
	}
}

func (w *watch) latencies() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []time.Duration
	for id, committed := range w.commits {
		all = append(all, w.arrived[id].Sub(committed))
	}
	slices.Sort(all)
	return all
}

func (st *stage) latency(ctx context.Context, rate int, length time.Duration) (err error) {
	total := int(length.Seconds() * float64(rate))
	w := &watch{arrived: make(map[string]time.Time), commits: make(map[string]time.Time), finished: make(chan struct{}), want: total}
	sb := sandbox.New(sandbox.Options{OnRequest: w.arrival})
	defer sb.Close()
	d, err := st.inProcess(ctx, sb, true, daemon.Hooks{Delivered: w.delivered})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Stop(context.WithoutCancel(ctx))) }()
	// An event from before the baseline would be assumed to be in GHL already.
	if err := reaches(ctx, filepath.Join(st.dir, "inprocess.db"), 1); err != nil {
		return err
	}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := range total {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if err := st.exec(ctx, `INSERT INTO calendar_events (id, client_id, title, start_date, end_date, start_time, end_time, type)
			VALUES ($1, 1, 'Onboarding', '2030-01-15', '2030-01-15', '10:00', '11:00', 'onboarding')`, fmt.Sprintf("latency-%d-%d", rate, i)); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.finished:
	}
	all := w.latencies()
	fmt.Printf("%d/s for %s: commit to request p50 %s, p99 %s, max %s (%d calls)\n", rate, length,
		at(all, 0.5), at(all, 0.99), all[len(all)-1].Round(10*time.Microsecond), len(all))
	return nil
}

func at(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))].Round(10 * time.Microsecond)
}

// benchDeliver empties a backlog of creates against the sandbox, beside a loop of
// bare requests with the same bodies and concurrency.
func benchDeliver(ctx context.Context, st *stage, s settings) error {
	sb := sandbox.New(sandbox.Options{})
	defer sb.Close()
	if err := st.gather(ctx, sb, s.deliveries); err != nil {
		return err
	}
	var raw, ours []float64
	for range s.runs {
		rate, err := rawLoop(ctx, s.deliveries/2)
		if err != nil {
			return err
		}
		raw = append(raw, rate)
	}
	began := time.Now()
	d, err := st.inProcess(ctx, sb, true, daemon.Hooks{})
	if err != nil {
		return err
	}
	err = sb.WaitFor(ctx, func(n sandbox.Snapshot) bool { return n.Live >= s.deliveries })
	ours = append(ours, float64(s.deliveries)/time.Since(began).Seconds())
	if err := errors.Join(err, d.Stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	fmt.Printf("%d creates, %d at once: bare loop %.0f/s, ghlsync %.0f/s, ratio %.2f\n", s.deliveries, concurrency, median(raw), ours[0], ours[0]/median(raw))
	return nil
}

// gather captures a backlog with delivery switched off.
func (st *stage) gather(ctx context.Context, sb *sandbox.Sandbox, events int) error {
	d, err := st.inProcess(ctx, sb, false, daemon.Hooks{})
	if err != nil {
		return err
	}
	path := filepath.Join(st.dir, "inprocess.db")
	if err := reaches(ctx, path, 1); err != nil {
		return err
	}
	if err := st.exec(ctx, fmt.Sprintf(load, events, max(events/10, 1))); err != nil {
		return err
	}
	end, err := st.walEnd(ctx)
	if err != nil {
		return err
	}
	return errors.Join(reaches(ctx, path, end), d.Stop(context.WithoutCancel(ctx)))
}

// rawLoop posts creates from as many goroutines as the daemon has calls in flight.
func rawLoop(ctx context.Context, n int) (perSecond float64, err error) {
	sb := sandbox.New(sandbox.Options{})
	if err := sb.Start(ctx, "127.0.0.1:0"); err != nil {
		return 0, err
	}
	defer sb.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: concurrency}}
	defer client.CloseIdleConnections()
	work := make(chan int)
	failed := make(chan error, concurrency)
	var posts sync.WaitGroup
	began := time.Now()
	for range concurrency {
		posts.Go(func() {
			for i := range work {
				if err := post(ctx, client, sb.WebhookURL(), i); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	for i := range n {
		select {
		case work <- i:
		case err := <-failed:
			return 0, err
		}
	}
	close(work)
	posts.Wait()
	return float64(n) / time.Since(began).Seconds(), nil
}

func post(ctx context.Context, client *http.Client, url string, i int) error {
	id := fmt.Sprintf("raw-%d", i)
	data := fmt.Appendf(nil, `{"sentra_event_id":%q,"client_id":1,"client_email":"client1@example.com","client_phone":"","client_name":"Business 1",`+
		`"event_title":"Onboarding","event_type":"onboarding","start_date":"2030-01-15","end_date":"2030-01-15","start_time":"10:00","end_time":"11:00",`+
		`"description":"Initial client onboarding with a description of usual length, some hundred characters of it or so.",`+
		`"created_at":"2024-01-15T09:00:00Z","updated_at":"2024-01-15T09:00:00Z"}`, id)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(ghl.Envelope(ghl.Created, id, "", data)))
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
	_, err = io.Copy(io.Discard, resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the sandbox answers HTTP %d", resp.StatusCode)
	}
	return nil
}
