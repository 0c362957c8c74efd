package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/state"
)

// The labels of calls.
const (
	labelOperation = "operation"
	labelOutcome   = "outcome"
	labelCode      = "code"
)

// noCode is the code of a call that ended well.
const noCode = "none"

// Buckets, in seconds. A call takes up to GHL_TIMEOUT; an event may wait for hours
// where GHL is away.
var (
	durationBuckets = []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10, 15, 30, 60}
	latencyBuckets  = []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600}
)

// calls counts what became of calls to GHL.
type calls struct {
	attempts *prometheus.CounterVec
	duration *prometheus.HistogramVec
	latency  *prometheus.HistogramVec
}

// newCalls makes them, with a first value for each operation: a rate has to start
// from something.
func newCalls() calls {
	c := calls{
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Subsystem: "delivery", Name: "attempts_total",
			Help: "Calls to GHL that ended and are recorded.",
		}, []string{labelOperation, labelOutcome, labelCode}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "delivery", Name: "call_duration_seconds",
			Help: "How long calls to GHL took, however they ended.", Buckets: durationBuckets,
		}, []string{labelOperation}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Subsystem: "delivery", Name: "latency_seconds",
			Help: "From the commit in Sentra to GHL's answer that its calendar shows it.", Buckets: latencyBuckets,
		}, []string{labelOperation}),
	}
	for _, op := range []state.Operation{state.Create, state.Update, state.Delete} {
		c.attempts.WithLabelValues(string(op), ghl.Delivered.String(), noCode)
		c.duration.WithLabelValues(string(op))
		c.latency.WithLabelValues(string(op))
	}
	return c
}

func (c *calls) count(e deliver.Event) {
	op, code := string(e.Operation), ghl.CodeClass(e.Result.Code)
	if code == "" {
		code = noCode
	}
	c.attempts.WithLabelValues(op, e.Result.Outcome.String(), code).Inc()
	c.duration.WithLabelValues(op).Observe(e.Result.Duration.Seconds())
	// A delete of what is not there has done what it was for.
	done := e.Result.Outcome == ghl.Delivered || e.Result.Outcome == ghl.NotFound && e.Operation == state.Delete
	if done && !e.CommittedAt.IsZero() {
		// The two are clocks of two machines.
		c.latency.WithLabelValues(op).Observe(max(e.Ended.Sub(e.CommittedAt).Seconds(), 0))
	}
}
