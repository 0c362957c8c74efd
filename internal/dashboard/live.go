package dashboard

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"sync"
	"time"

	"ghlsync/internal/admin"
)

// How pages are kept up to date.
const (
	// pace is how often a stream looks for something new, and keep a little less
	// than that: how long a frame serves all streams and pages.
	pace = time.Second
	keep = 900 * time.Millisecond
	// beat is how long a stream is silent at most: the page, which takes three times
	// that for the end of the connection, and proxies in between.
	beat = 10 * time.Second
	// writeTimeout bounds one message.
	writeTimeout = 10 * time.Second
	// maxStreams is how many pages are kept up to date.
	maxStreams = 32
)

// frame is what pages show of a moment.
type frame struct {
	Name   string // of this frame and no other
	Status admin.Status
	Title  string
	Parts  map[string]template.HTML
}

func (f *frame) same(o *frame) bool {
	return o != nil && f.Title == o.Title && maps.Equal(f.Parts, o.Parts)
}

// live makes frames for all who look, one at a time.
type live struct {
	sample  func(context.Context) (*frame, error)
	now     func() time.Time
	streams chan struct{} // a place for each stream
	stopped context.Context
	stop    context.CancelFunc

	mu    sync.Mutex // held while sampling: those who come meanwhile share the frame
	at    time.Time
	frame *frame
}

func newLive(sample func(context.Context) (*frame, error)) *live {
	l := &live{sample: sample, now: time.Now, streams: make(chan struct{}, maxStreams)}
	l.stopped, l.stop = context.WithCancel(context.Background())
	return l
}

// current is a frame that is fresh enough. While nothing changes it is the same one.
func (l *live) current(ctx context.Context) (*frame, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.frame != nil && l.now().Sub(l.at) < keep {
		return l.frame, nil
	}
	f, err := l.sample(ctx)
	if err != nil {
		return nil, err
	}
	l.at = l.now()
	if !f.same(l.frame) {
		f.Name = rand.Text()
		l.frame = f
	}
	return l.frame, nil
}

// parts are the templates that make up a frame.
var parts = []string{"pill", "health", "figures", "actions", "capture", "delivery", "latency", "throughput", "queue", "lag"}

// sample makes a frame.
func (d *Dashboard) sample(ctx context.Context) (*frame, error) {
	status, err := d.service.Status(ctx)
	if err != nil {
		return nil, err
	}
	v := newView(status, d.trend)
	f := &frame{Status: status, Title: icon(string(status.Health)) + " " + string(status.Health), Parts: make(map[string]template.HTML, len(parts))}
	for _, name := range parts {
		var out bytes.Buffer
		if err := pages["overview"].ExecuteTemplate(&out, name, v); err != nil {
			return nil, fmt.Errorf("make the part %s: %w", name, err)
		}
		f.Parts[name] = template.HTML(out.String()) // what html/template has made
	}
	return f, nil
}

// message is what a stream sends: what has changed since its last one.
type message struct {
	Name   string                   `json:"name"` // the frame's
	Title  string                   `json:"title"`
	Parts  map[string]template.HTML `json:"parts"`
	Points *series                  `json:"points,omitempty"`
}

// stream keeps one page up to date until it leaves, its session ends, or the server
// stops.
func (s *site) stream(w http.ResponseWriter, r *http.Request) {
	if err := s.guard.Check(r); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	select {
	case s.live.streams <- struct{}{}:
		defer func() { <-s.live.streams }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, fmt.Sprintf("%d pages are open already", maxStreams), http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.live.stopped, cancel)()
	out := newEvents(w)
	// What the page was made with needs no sending.
	if f, err := s.live.current(ctx); err == nil && f.Name == r.URL.Query().Get("frame") {
		out.seen = f
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for err := out.begin(); err == nil && s.guard.Check(r) == nil; {
		if err = s.update(ctx, out); err != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// update sends what is new to one stream, or a sign of life when that is due.
func (s *site) update(ctx context.Context, out *events) error {
	f, err := s.live.current(ctx)
	if err != nil {
		return err
	}
	points, next := s.trend.Since(out.points)
	if f == out.seen && len(points) == 0 {
		if time.Since(out.last) < beat {
			return nil
		}
		return out.send("beat", []byte("1")) // without data browsers tell nobody
	}
	m := message{Name: f.Name, Title: f.Title, Parts: make(map[string]template.HTML)}
	for name, html := range f.Parts {
		if out.seen == nil || out.seen.Parts[name] != html {
			m.Parts[name] = html
		}
	}
	if len(points) > 0 {
		m.Points = newSeries(points)
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode a message: %w", err)
	}
	out.seen, out.points = f, next
	return out.send("frame", data)
}

// events writes server-sent events.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    time.Time
	seen    *frame // what the page shows
	points  int    // the next one that it does not have
}

func newEvents(w http.ResponseWriter) *events {
	return &events{w: w, control: http.NewResponseController(w)}
}

func (e *events) begin() error {
	// There is no body; from here on reading only notices that the page is gone.
	_ = e.control.SetReadDeadline(time.Time{})
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx keeps answers back otherwise
	return e.write("retry: 2000\n\n")
}

func (e *events) send(event string, data []byte) error {
	return e.write("event: " + event + "\ndata: " + string(data) + "\n\n")
}

func (e *events) write(text string) error {
	e.last = time.Now()
	_ = e.control.SetWriteDeadline(e.last.Add(writeTimeout)) // anew for each message
	_, err := e.w.Write([]byte(text))
	return errors.Join(err, e.control.Flush())
}
