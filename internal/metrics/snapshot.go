package metrics

import (
	"slices"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/prometheus/client_golang/prometheus"

	"ghlsync/internal/admin"
)

// snapshot is what was known when somebody asked.
type snapshot struct {
	facts  admin.Facts
	canary time.Duration
}

// family is a metric that a snapshot tells. It sends a value where there is one.
type family struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	tell func(s *snapshot, send send)
}

// send gives a family a value, with those of its labels.
type send func(value float64, labels ...string)

// families are all that a snapshot can tell.
var families = slices.Concat(statusFamilies, slotFamilies, deliveryFamilies)

// Describe is prometheus.Collector's.
func (s snapshot) Describe(to chan<- *prometheus.Desc) {
	for _, f := range families {
		to <- f.desc
	}
}

// Collect is prometheus.Collector's.
func (s snapshot) Collect(to chan<- prometheus.Metric) {
	for _, f := range families {
		f.tell(&s, func(value float64, labels ...string) {
			to <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
		})
	}
}

// gauge is a family with one value, or none where value returns nil.
func gauge(name, help string, value func(s *snapshot) *float64) family {
	return single(prometheus.GaugeValue, name, help, value)
}

// counter is a gauge that only grows, until the daemon ends.
func counter(name, help string, value func(s *snapshot) *float64) family {
	return single(prometheus.CounterValue, name, help, value)
}

func single(kind prometheus.ValueType, name, help string, value func(s *snapshot) *float64) family {
	return labelled(kind, name, help, "", func(s *snapshot, send send) {
		if v := value(s); v != nil {
			send(*v)
		}
	})
}

// oneOf is a family with a value for each word: 1 for the one that holds, 0 for
// the others. Nothing is told where none holds.
func oneOf(name, help, label string, words []string, word func(s *snapshot) string) family {
	return labelled(prometheus.GaugeValue, name, help, label, func(s *snapshot, send send) {
		holds := word(s)
		if !slices.Contains(words, holds) {
			return
		}
		for _, w := range words {
			send(*truth(w == holds), w)
		}
	})
}

// labelled is a family with at most one label, which may be "" for none.
func labelled(kind prometheus.ValueType, name, help, label string, tell func(s *snapshot, send send)) family {
	var labels []string
	if label != "" {
		labels = []string{label}
	}
	return family{desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil), kind: kind, tell: tell}
}

// The values. Each is nil where there is none.

func number[T int | int64 | float64](v T) *float64 {
	f := float64(v)
	return &f
}

func maybe[T int64 | float64](v *T) *float64 {
	if v == nil {
		return nil
	}
	return number(*v)
}

func truth(v bool) *float64 {
	if v {
		return number(1)
	}
	return number(0)
}

func seconds(d time.Duration) *float64 { return number(d.Seconds()) }

// unix is a time as Prometheus has it.
func unix(t *time.Time) *float64 {
	if t == nil || t.IsZero() {
		return nil
	}
	return number(float64(t.UnixMicro()) / 1e6)
}

// position is an LSN as a count of bytes of WAL since the server was made.
func position(text *string) *float64 {
	if text == nil {
		return nil
	}
	lsn, err := pglogrepl.ParseLSN(*text)
	if err != nil {
		return nil
	}
	return number(float64(lsn))
}
