package metrics_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the table of metrics in docs/OPERATIONS.md")

const operations = "../../docs/OPERATIONS.md"

// table lists every metric of ours, with type, labels and help.
func table(e exposition) string {
	var b strings.Builder
	b.WriteString("| metric | type | labels | |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(e.families)) {
		f := e.families[name]
		labels := make(map[string]bool)
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels["`"+l.GetName()+"`"] = true
			}
		}
		kind := strings.ToLower(f.GetType().String())
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, kind, strings.Join(slices.Sorted(maps.Keys(labels)), ", "), f.GetHelp())
	}
	return b.String()
}

func TestOperationsHasEveryMetric(t *testing.T) {
	t.Parallel()
	const opening, closing = "<!-- metrics: kept equal to the code by a test -->\n", "<!-- /metrics -->"
	text, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), opening)
	got, after, closed := strings.Cut(rest, closing)
	if !found || !closed {
		t.Fatalf("%s has no table of metrics", operations)
	}
	want := table(full(t))
	if *update {
		if err := os.WriteFile(operations, []byte(before+opening+want+closing+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got; rewrite with -update)\n%s", operations, diff)
	}
}
