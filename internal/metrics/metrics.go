package metrics

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ghlsync/ghl/deliver"
	"ghlsync/internal/admin"
	"ghlsync/internal/inbound"
	"ghlsync/internal/version"
)

// Timeout bounds how long a scrape waits for the state and the source; Prometheus
// gives up after 10 seconds unless told otherwise.
const Timeout = 5 * time.Second

const namespace = "ghlsync"

// Metrics counts what happens to one daemon.
type Metrics struct {
	registry *prometheus.Registry
	calls    calls
	back     *prometheus.CounterVec // callbacks
	canary   time.Duration
}

// New makes the Metrics of a daemon that sends a canary so often; 0: never.
func New(canary time.Duration) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), calls: newCalls(), canary: canary}
	m.back = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "callbacks_total", Help: "Callbacks of GHL, by route and what came of them; 'refused': a wrong secret or signature.",
	}, []string{"route", "result"})
	m.registry.MustRegister(
		m.back, m.calls.attempts, m.calls.duration, m.calls.latency,
		buildInfo(version.Read()),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Delivered counts a call that ended. It is for deliver.Options.Hook.
func (m *Metrics) Delivered(e deliver.Event) { m.calls.count(e) }

// CalledBack counts a callback. It is for inbound.Options.Hook.
func (m *Metrics) CalledBack(route string, r inbound.Result) {
	m.back.WithLabelValues(strings.TrimPrefix(route, "POST "), string(r)).Inc()
}

// Handler answers scrapes with what has been counted, and with what the service
// knows at that moment.
func (m *Metrics) Handler(service *admin.Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), Timeout)
		defer cancel()
		// The error is that of ctx, and the facts are those that were known by then.
		facts, _ := service.Facts(ctx)
		now := prometheus.NewRegistry()
		now.MustRegister(snapshot{facts: facts, canary: m.canary})
		w.Header().Set("Cache-Control", "no-store")
		promhttp.HandlerFor(prometheus.Gatherers{m.registry, now}, promhttp.HandlerOpts{
			ErrorHandling: promhttp.ContinueOnError,
		}).ServeHTTP(w, r)
	})
}

func buildInfo(v version.Info) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with the build in its labels.",
		ConstLabels: prometheus.Labels{"version": v.Version, "revision": v.Commit, "goversion": v.Go},
	})
	g.Set(1)
	return g
}
