// Command cmd plays chaos against the daemon for as long as it is told to:
//
//	go run ./internal/chaos/cmd -minutes 60 -mode webhook
//	go run ./internal/chaos/cmd -seed 42 -mode api
//
// It prints the seed and every round's faults, keeps the plan and the daemon's log
// in a folder, and ends with 1 as soon as a round has left anything wrong.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"ghlsync/internal/chaos"
)

func main() {
	o := chaos.Options{Out: os.Stdout}
	var mode, kinds string
	var minutes float64
	flag.Uint64Var(&o.Seed, "seed", 0, "what the plan comes from; 0: any")
	flag.StringVar(&mode, "mode", string(chaos.Webhook), "webhook or api")
	flag.Float64Var(&minutes, "minutes", 10, "no round begins later")
	flag.IntVar(&o.Rounds, "rounds", 0, "no more rounds than these; 0: as many as there is time for")
	flag.DurationVar(&o.Round, "round", 12*time.Second, "load and faults of a round")
	flag.IntVar(&o.Faults, "faults", 6, "faults in a round, at most")
	flag.StringVar(&kinds, "kinds", "", "kinds of faults, with commas between them; empty: all")
	flag.StringVar(&o.Dir, "dir", "", "where to keep plan and logs; empty: a new folder")
	flag.Parse()
	o.Mode, o.For = chaos.Mode(mode), time.Duration(minutes*float64(time.Minute))
	if kinds != "" {
		for _, k := range strings.Split(kinds, ",") {
			o.Kinds = append(o.Kinds, chaos.Kind(k))
		}
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	wrong, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
	}
	if wrong || err != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, o chaos.Options) (wrong bool, err error) {
	if o.Mode != chaos.Webhook && o.Mode != chaos.API {
		return false, fmt.Errorf("mode %q is unknown: use webhook or api", o.Mode)
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "ghlsync-chaos-"); err != nil {
			return false, err
		}
	}
	fmt.Printf("seed %d, mode %s, in %s\n", o.Seed, o.Mode, o.Dir)
	if o.Binary, err = chaos.Build(ctx, o.Dir, true); err != nil {
		return false, err
	}
	report, err := chaos.Run(ctx, o)
	text, encodeErr := json.MarshalIndent(report, "", "  ")
	if encodeErr != nil {
		return false, encodeErr
	}
	fmt.Printf("seed %d, mode %s\n%s\n", o.Seed, o.Mode, text)
	return len(report.Failures) > 0, err
}
