package metrics_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// catalogue is what a Prometheus that scrapes a daemon knows: series names, and
// for each what values its labels have.
type catalogue map[string]map[string][]string

// target are the labels that Prometheus itself adds.
var target = []string{"job", "instance"}

// catalogueOf lists the series of a scrape, in the names that they are asked for.
func catalogueOf(t *testing.T) catalogue {
	t.Helper()
	c := catalogue{"up": {}} // Prometheus's own
	for name, f := range full(t).families {
		for _, m := range f.GetMetric() {
			names := []string{name}
			if m.GetHistogram() != nil {
				names = []string{name + "_bucket", name + "_sum", name + "_count"}
				c.add(names[0], "le", "+Inf")
			}
			for _, n := range names {
				c.add(n, "", "")
				for _, l := range m.GetLabel() {
					c.add(n, l.GetName(), l.GetValue())
				}
			}
		}
	}
	return c
}

func (c catalogue) add(name, label, value string) {
	if c[name] == nil {
		c[name] = make(map[string][]string)
	}
	if label != "" {
		c[name][label] = append(c[name][label], value)
	}
}

// variables of Grafana that stand where PromQL wants a duration.
var intervals = strings.NewReplacer("$__rate_interval", "5m", "$__interval", "1m", "$__range", "1h")

// check parses an expression and looks up all that it asks for.
func (c catalogue) check(t *testing.T, where, expr string) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(intervals.Replace(expr))
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	selectors := 0
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			selectors++
			c.selector(t, where, n)
		case *parser.AggregateExpr:
			c.labels(t, where, n.Grouping)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				c.labels(t, where, n.VectorMatching.MatchingLabels)
			}
		}
		return nil
	})
	if selectors == 0 {
		t.Errorf("%s: %s asks for no metric", where, expr)
	}
}

// selector checks name, labels, and that each matcher can match something.
func (c catalogue) selector(t *testing.T, where string, n *parser.VectorSelector) {
	t.Helper()
	known, ok := c[n.Name]
	if !ok {
		t.Errorf("%s: there is no metric %s", where, n.Name)
		return
	}
	for _, m := range n.LabelMatchers {
		if m.Name == model.MetricNameLabel || slices.Contains(target, m.Name) {
			continue
		}
		if !slices.ContainsFunc(known[m.Name], m.Matches) {
			t.Errorf("%s: nothing of %s matches %s", where, n.Name, m)
		}
		if words, _, _ := strings.Cut(m.Value, "|"); m.Type == labels.MatchRegexp && words != m.Value {
			for _, word := range strings.Split(m.Value, "|") {
				if !slices.Contains(known[m.Name], word) {
					t.Errorf("%s: %s has no %s %q", where, n.Name, m.Name, word)
				}
			}
		}
	}
}

// labels checks that some metric has each.
func (c catalogue) labels(t *testing.T, where string, names []string) {
	t.Helper()
	for _, name := range names {
		has := slices.Contains(target, name)
		for _, known := range c {
			has = has || known[name] != nil
		}
		if !has {
			t.Errorf("%s: no metric has a label %s", where, name)
		}
	}
}
