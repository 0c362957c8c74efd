package metrics_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
	"ghlsync/internal/admin"
	"ghlsync/internal/inbound"
	"ghlsync/internal/mappingtest"
	"ghlsync/internal/metrics"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience bounds every wait; nothing waits for it when all is well.
const patience = 60 * time.Second

// exposition is what a scrape said.
type exposition struct {
	text     string
	families map[string]*dto.MetricFamily
}

// parse reads the text format as Prometheus does.
func parse(t *testing.T, text string) exposition {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("a scrape is not in the text format: %v", err)
	}
	return exposition{text: text, families: families}
}

// scrape asks a handler.
func scrape(t *testing.T, h http.Handler) exposition {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("scrape: %d %v %s", w.Code, err, text)
	}
	return parse(t, string(text))
}

// series are the values by name and labels, in the way of Prometheus. Histograms
// give _count and _sum.
func (e exposition) series() map[string]float64 {
	all := make(map[string]float64)
	for name, f := range e.families {
		for _, m := range f.GetMetric() {
			labels := model.LabelSet{}
			for _, l := range m.GetLabel() {
				labels[model.LabelName(l.GetName())] = model.LabelValue(l.GetValue())
			}
			key := func(suffix string) string {
				if len(labels) == 0 {
					return name + suffix
				}
				return name + suffix + labels.String()
			}
			switch {
			case m.GetHistogram() != nil:
				all[key("_count")] = float64(m.GetHistogram().GetSampleCount())
				all[key("_sum")] = m.GetHistogram().GetSampleSum()
			case m.GetCounter() != nil:
				all[key("")] = m.GetCounter().GetValue()
			default:
				all[key("")] = m.GetGauge().GetValue()
			}
		}
	}
	return all
}

// known is an admin.Live, and an admin.SlotSource.
type known struct {
	capture  admin.Capture
	delivery admin.Delivery
	slot     func(ctx context.Context) (*admin.Slot, error)
}

func (k known) Capture() admin.Capture   { return k.capture }
func (k known) Delivery() admin.Delivery { return k.delivery }

func (k known) Slot(ctx context.Context) (*admin.Slot, error) { return k.slot(ctx) }

// now is the time of services in tests.
var now = mappingtest.At.Add(time.Hour)

func ptr[T any](v T) *T { return &v }

// everything knows a value for all that can be told.
func everything() known {
	at := now.Add(-time.Minute)
	return known{
		capture: admin.Capture{
			Phase: admin.Streaming, Since: at, LastError: "at bait.example.com",
			Watch: admin.Watch{
				CanarySentAt: at, CanaryRoundTrip: 250 * time.Millisecond, CanaryWaiting: true,
				WALBytesPerSecond: 7000, WALLeft: ptr(int64(8000)), WALTime: 9 * time.Second,
			},
			Streamed: admin.Streamed{Transactions: 21, Rows: 22, Commits: 23},
		},
		delivery: admin.Delivery{
			Enabled: true, Breaker: deliver.BreakerClosed, NextProbe: ptr(at.Add(time.Hour)), ThrottledUntil: ptr(at.Add(time.Hour)),
			InFlight: 11, RateTokens: ptr(12.5), Detail: "bait", PerSecond: 2.5,
			Quota: &admin.Quota{At: at, Max: 100, Remaining: 70, IntervalMS: 10_000, DailyMax: 200_000, DailyRemaining: 150_000},
		},
		slot: func(context.Context) (*admin.Slot, error) {
			return &admin.Slot{
				Name: "ghlsync", Active: true, WALStatus: ptr("extended"), ConfirmedFlushLSN: ptr("0/10"), RestartLSN: ptr("1/8"),
				RetainedWALBytes: ptr(int64(4000)), SafeWALSize: ptr(int64(5000)), LagBytes: ptr(int64(6000)),
			}, nil
		},
	}
}

// service answers from a state with rows of every status.
func (k known) service(t *testing.T) *admin.Service {
	t.Helper()
	store := mappingtest.Store(t, mappingtest.Path(t), mappingtest.Pending("event-p"), mappingtest.Synced("event-s"), mappingtest.Synced("event-t"),
		mappingtest.Failed("event-f"), mappingtest.Held("event-h"), mappingtest.Assumed("event-a"))
	return &admin.Service{
		State: store, SlotName: mappingtest.Slot, Slots: k, Live: k, Version: "v1",
		Now: func() time.Time { return now },
	}
}

// outcomes are all ways in which a call can end.
var outcomes = []ghl.Outcome{ghl.Unknown, ghl.Delivered, ghl.NotFound, ghl.Retry, ghl.Permanent, ghl.Paused}

// call is one that took 2 seconds, 30 after the commit.
func call(outcome ghl.Outcome, code string) deliver.Event {
	return deliver.Event{
		ID: "event-1", Type: "onboarding", Operation: state.Create, DeliveryID: "delivery-1",
		Result:      ghl.Result{Outcome: outcome, Code: code, AppointmentID: "ghl-1", Duration: 2 * time.Second},
		CommittedAt: now.Add(-30 * time.Second), Started: now.Add(-2 * time.Second), Ended: now,
	}
}

// scraped is a scrape in which every metric has a value.
func scraped(t *testing.T) exposition {
	t.Helper()
	m := metrics.New(30 * time.Second)
	for _, o := range outcomes {
		m.Delivered(call(o, ""))
	}
	m.CalledBack("POST /callbacks/ghl", inbound.Learned)
	return scrape(t, m.Handler(everything().service(t)))
}

// full is scraped without what Go and the process tell.
func full(t *testing.T) exposition {
	t.Helper()
	e := scraped(t)
	maps.DeleteFunc(e.families, func(name string, _ *dto.MetricFamily) bool { return !strings.HasPrefix(name, "ghlsync_") })
	return e
}
