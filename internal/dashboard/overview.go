package dashboard

import (
	"context"
	"net/http"
	"time"

	"ghlsync/internal/admin"
	"ghlsync/internal/trend"
)

// view is what the parts of a frame are made of.
type view struct {
	admin.Status
	Latest  trend.Point
	Reasons []string // as sentences
	WAL     *wal
}

// wal is how much of its budget the slot keeps.
type wal struct {
	Retained, Budget, Left int64
	Percent                int
}

func newView(s admin.Status, t *trend.Recorder) view {
	v := view{Status: s, Latest: latest(t), WAL: newWAL(s.Slot)}
	for _, r := range s.Reasons {
		v.Reasons = append(v.Reasons, sentence(r))
	}
	return v
}

// newWAL is nil where there is no budget, or nothing is known of it.
func newWAL(s *admin.Slot) *wal {
	if s == nil || s.RetainedWALBytes == nil || s.WALLeftBytes == nil {
		return nil
	}
	w := &wal{Retained: *s.RetainedWALBytes, Left: *s.WALLeftBytes}
	if w.Budget = w.Retained + w.Left; w.Budget > 0 {
		w.Percent = int(w.Retained * 100 / w.Budget)
	}
	return w
}

// latest is the last closed point; zero but for its queue, which is not known, before
// there is one.
func latest(t *trend.Recorder) trend.Point {
	if points, _ := t.Since(0); len(points) > 0 {
		return points[len(points)-1]
	}
	return trend.Point{Queue: -1}
}

// PausedByOperator tells whether it is the operator's word that delivery waits for.
func (v view) PausedByOperator() bool { return v.Delivery.PauseReason == admin.PausedByOperator }

// WALTime is how long what is left of the budget lasts; "" if that is not known.
func (v view) WALTime() string {
	if v.Slot == nil || v.Slot.WALLeftSeconds == nil {
		return ""
	}
	return took(time.Duration(*v.Slot.WALLeftSeconds) * time.Second)
}

// RoundTrip is that of the last canary; "" if none came through.
func (v view) RoundTrip() string {
	if v.Canary == nil || v.Canary.RoundTripMS == nil {
		return ""
	}
	return took(time.Duration(*v.Canary.RoundTripMS * float64(time.Millisecond)))
}

// Sampler tells a trend of the events that wait and the WAL that does.
func Sampler(service *admin.Service) trend.Sampler {
	return func(ctx context.Context) (queue int64, lag *int64) {
		queue = -1
		if service.State != nil {
			if c, err := service.State.Counts(ctx); err == nil {
				queue = c.Pending
			}
		}
		return queue, service.Live.Capture().Watch.WALBehind
	}
}

func (s *site) overview(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, "overview", "Overview", nil)
}

// series is points as the charts take them: a column each. Nil is a gap.
type series struct {
	At        []int64    `json:"at"` // seconds since 1970
	P50       []*float64 `json:"p50"`
	P99       []*float64 `json:"p99"` // seconds, as p50
	Delivered []float64  `json:"delivered"`
	Failed    []float64  `json:"failed"`
	Queue     []*int64   `json:"queue"`
	Lag       []*int64   `json:"lag"`
}

func newSeries(points []trend.Point) *series {
	s := new(series)
	for _, p := range points {
		s.At = append(s.At, p.At.Unix())
		s.P50 = append(s.P50, seconds(p.P50))
		s.P99 = append(s.P99, seconds(p.P99))
		s.Delivered = append(s.Delivered, p.Delivered)
		s.Failed = append(s.Failed, p.Failed)
		s.Queue = append(s.Queue, atLeastZero(p.Queue))
		s.Lag = append(s.Lag, p.Lag)
	}
	return s
}

func seconds(d time.Duration) *float64 {
	if d == 0 {
		return nil
	}
	v := d.Seconds()
	return &v
}

func atLeastZero(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}
