package desk

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Link leads to a page that stands beside this one.
type Link struct{ Name, URL string }

// Desk is the page and its server.
type Desk struct {
	connection string
	beside     []Link
	server     *http.Server
	addr       string
	close      func()        // once
	served     chan struct{} // closed when the server takes no more
	work       sync.WaitGroup
}

// Open starts the page on Sentra's database, to which each request connects anew.
// ctx bounds the start only.
func Open(ctx context.Context, connection string, beside ...Link) (*Desk, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for Sentra's page: %w", err)
	}
	d := &Desk{
		connection: connection, beside: beside, addr: listener.Addr().String(), served: make(chan struct{}),
	}
	d.close = sync.OnceFunc(d.end)
	d.server = &http.Server{Handler: d.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(d.served)
		_ = d.server.Serve(listener) // ends by Close, or with a listener that nobody can mend
	}()
	return d, nil
}

// URL is the page's address.
func (d *Desk) URL() string { return "http://" + d.addr + "/" }

// Close ends the page and returns when nothing of it is left.
func (d *Desk) Close() { d.close() }

func (d *Desk) end() {
	// It ends the requests' contexts, and streams with them. An error is the
	// listener's, which is gone either way.
	_ = d.server.Close()
	<-d.served
	d.work.Wait()
}

// tracked lets end wait for a handler.
func (d *Desk) tracked(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.work.Add(1)
		defer d.work.Done()
		h.ServeHTTP(w, r)
	})
}
