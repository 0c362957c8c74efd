package chaos

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// way is a network that can be strained: a proxy on a port of loopback that stays
// the same.
type way struct {
	addr, upstream string
	one            sync.Mutex // one fault at a time
	proxy          *toxiproxy.Proxy
}

func newWay(upstream string) (*way, error) {
	w := &way{addr: "127.0.0.1:0", upstream: upstream}
	return w, w.start()
}

// start begins with a proxy that knows no toxics.
func (w *way) start() error {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	w.proxy = toxiproxy.NewProxy(server, "way", w.addr, w.upstream)
	if err := w.proxy.Start(); err != nil {
		return fmt.Errorf("start the proxy before %s: %w", w.upstream, err)
	}
	w.addr = w.proxy.Listen
	return nil
}

// straining is how long the proxy may take to do as it is told. A link that can
// neither read nor write keeps it for ever; then what it has begun is left to it,
// and a new proxy takes its place.
const straining = 2 * time.Second

func bounded(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	timer := time.NewTimer(straining)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	}
}

func (w *way) stop() { bounded(w.proxy.Stop) }

// heal cuts what there is, and lets new connections pass.
func (w *way) heal(ctx context.Context) error {
	w.stop()
	var err error
	for range 100 {
		if err = w.start(); err == nil {
			return nil
		}
		sleep(context.WithoutCancel(ctx), 20*time.Millisecond) // the port may be the old one's still
	}
	return err
}

// strain strikes for the fault's time.
func (w *way) strain(ctx context.Context, f Fault) error {
	w.one.Lock()
	defer w.one.Unlock()
	if f.Kind == NetCut {
		w.stop()
	}
	for _, toxic := range f.toxics() {
		proxy := w.proxy
		bounded(func() { _, _ = proxy.Toxics.AddToxicJson(strings.NewReader(toxic)) }) // they are all valid
	}
	sleep(ctx, f.For)
	return w.heal(ctx)
}

// toxics are what the fault does to one direction or to both.
func (f Fault) toxics() (all []string) {
	kind, attributes := "", ""
	switch f.Kind {
	case NetSlow:
		kind, attributes = "latency", fmt.Sprintf(`{"latency": %d, "jitter": %d}`, (f.Pick>>8)%250, (f.Pick>>16)%250)
	case NetHalfOpen:
		kind, attributes = "timeout", `{"timeout": 0}`
	case NetNarrow:
		kind, attributes = "bandwidth", fmt.Sprintf(`{"rate": %d}`, 4+(f.Pick>>8)%20)
	case NetTorn:
		kind, attributes = "limit_data", fmt.Sprintf(`{"bytes": %d}`, 500+(f.Pick>>8)%5000)
	default:
		return nil
	}
	for _, stream := range [][]string{{"upstream"}, {"downstream"}, {"upstream", "downstream"}}[(f.Pick>>1)%3] {
		all = append(all, fmt.Sprintf(`{"name": "%s-%s", "type": "%s", "stream": "%s", "toxicity": 1, "attributes": %s}`, kind, stream, kind, stream, attributes))
	}
	return all
}
