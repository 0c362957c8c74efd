// Command bench measures what docs/PERFORMANCE.md reports, on a Postgres, a state
// file and a GHL sandbox of its own:
//
//	go run ./internal/bench            # everything, about ten minutes
//	go run ./internal/bench capture    # backlog into the state, beside pg_recvlogical
//	go run ./internal/bench onetx      # one transaction of all rows: time and memory
//	go run ./internal/bench latency    # commit to request
//	go run ./internal/bench deliver    # deliveries a second, beside a bare HTTP loop
//
// Captures run the built binary as a process, since its memory is measured.
// Figures that are compared are taken in turns within one run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

// settings are the sizes of a run.
type settings struct {
	rows, transactions int
	runs               int
	seconds            time.Duration
	deliveries         int
}

func main() {
	var s settings
	flag.IntVar(&s.rows, "rows", 1_000_000, "rows of a backlog")
	flag.IntVar(&s.transactions, "transactions", 100_000, "transactions that the backlog comes in")
	flag.IntVar(&s.runs, "runs", 3, "runs of each thing that is compared; medians are reported")
	flag.DurationVar(&s.seconds, "for", 10*time.Second, "how long latency is measured at each rate")
	flag.IntVar(&s.deliveries, "deliveries", 20_000, "events of a delivery run")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

var benchmarks = []struct {
	name string
	run  func(context.Context, *stage, settings) error
}{
	{"capture", benchCapture},
	{"onetx", benchOneTransaction},
	{"latency", benchLatency},
	{"deliver", benchDeliver},
}

func run(ctx context.Context, s settings, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(benchmarks, func(b struct {
			name string
			run  func(context.Context, *stage, settings) error
		},
		) bool {
			return b.name == name
		}) {
			return fmt.Errorf("unknown benchmark %q: use capture, onetx, latency or deliver", name)
		}
	}
	for _, b := range benchmarks {
		if len(names) > 0 && !slices.Contains(names, b.name) {
			continue
		}
		fmt.Printf("## %s\n", b.name)
		if err := alone(ctx, s, b.run); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
	}
	return nil
}

// alone runs one benchmark on a stage of its own.
func alone(ctx context.Context, s settings, bench func(context.Context, *stage, settings) error) (err error) {
	st, err := newStage(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.close(context.WithoutCancel(ctx))) }()
	return bench(ctx, st, s)
}

// median of a few figures.
func median[T float64 | time.Duration](v []T) T {
	sorted := slices.Clone(v)
	slices.Sort(sorted)
	return sorted[len(sorted)/2]
}
