package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ghlsync/internal/mappingtest"
	"ghlsync/state"
)

var errFull = errors.New("disk is full")

// listener reads a stream.
type listener struct {
	t     *testing.T
	resp  *http.Response
	lines *bufio.Scanner
}

func (v *visitor) listen(path string) *listener {
	v.r.t.Helper()
	t, ok := v.r.t.(*testing.T)
	if !ok {
		v.r.t.Fatal("no test")
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.r.url(path), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	return &listener{t, resp, lines}
}

// next is the next event's name and data; "" at the end of the stream.
func (l *listener) next() (event, data string) {
	l.t.Helper()
	for l.lines.Scan() {
		switch line := l.lines.Text(); {
		case strings.HasPrefix(line, "event: "):
			event = strings.TrimPrefix(line, "event: ")
		case strings.HasPrefix(line, "data: "):
			data = strings.TrimPrefix(line, "data: ")
		case line == "" && event != "":
			return event, data
		}
	}
	return "", ""
}

// end waits for the end of the stream, and tells whether that is a good one.
func (l *listener) end() error {
	for {
		if event, _ := l.next(); event == "" {
			return l.lines.Err()
		}
	}
}

// frame is the next frame.
func (l *listener) frame() (m message) {
	l.t.Helper()
	event, data := l.next()
	if event != "frame" {
		l.t.Fatalf("the stream brings %q %q, %v", event, data, l.lines.Err())
	}
	if err := json.Unmarshal([]byte(data), &m); err != nil {
		l.t.Fatal(err)
	}
	return m
}

func TestStreamTellsWhatChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	l := r.visitor().listen("/live")
	if got := l.resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	if m := l.frame(); len(m.Parts) != len(parts) || m.Title != "✓ ok" || m.Points != nil {
		t.Errorf("the first frame: %d parts, title %q", len(m.Parts), m.Title)
	}
	r.refused("unlucky")
	m := l.frame()
	for !strings.Contains(m.Title, "degraded") {
		m = l.frame() // one of the time before it had failed
	}
	if _, ok := m.Parts["capture"]; ok || !strings.Contains(string(m.Parts["figures"]), "Failed") {
		t.Errorf("what changed is told as %v", m.Parts)
	}
	lag := int64(5)
	r.trend.Close(17, &lag)
	for m.Points == nil {
		m = l.frame()
	}
	if p := m.Points; len(p.At) != 1 || *p.Queue[0] != 17 || *p.Lag[0] != 5 || p.P50[0] != nil && *p.P50[0] <= 0 {
		t.Errorf("points %+v", p)
	}
}

func TestStreamsEndWithTheServer(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	l := r.visitor().listen("/live")
	l.frame()
	if err := r.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A stream that is cut at the end of the stop's patience ends in the middle.
	if err := l.end(); err != nil {
		t.Errorf("the stream was cut: %v", err)
	}
}

func TestStreamsEndWithTheSession(t *testing.T) {
	t.Parallel()
	r := newRig(t, "a-token")
	v := r.visitor()
	v.post("/login", "token", "a-token").has(t, http.StatusOK)
	l := v.listen("/live")
	l.frame()
	v.post("/logout").has(t, http.StatusOK, "Log in")
	if err := l.end(); err != nil {
		t.Error(err)
	}
}

func TestStreamsAreLimited(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	v := r.visitor()
	var first *listener
	for i := range maxStreams {
		l := v.listen("/live")
		l.frame()
		if i == 0 {
			first = l
		}
	}
	a := v.get("/live")
	if a.has(t, http.StatusServiceUnavailable, "32 pages are open"); a.Header.Get("Retry-After") == "" {
		t.Error("the refusal does not say when to come again")
	}
	if err := first.resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	r.until("a place is free", func() bool { return len(r.dash.live.streams) == maxStreams-1 })
	v.listen("/live").frame()
}

// However many look, the status is made once.
func TestFramesAreShared(t *testing.T) {
	t.Parallel()
	made, now := 0, time.Now()
	l := newLive(func(context.Context) (*frame, error) {
		made++
		return &frame{Title: "same"}, nil
	})
	l.now = func() time.Time { return now }
	frames := make([]*frame, 20)
	var group sync.WaitGroup
	for i := range frames {
		group.Go(func() { frames[i], _ = l.current(context.Background()) })
	}
	group.Wait()
	if made != 1 {
		t.Errorf("20 pages at once made %d frames", made)
	}
	now = now.Add(keep)
	if f, err := l.current(t.Context()); err != nil || made != 2 || f != frames[0] {
		t.Errorf("later: %d frames made, another one %v, %v", made, f != frames[0], err)
	}
}

// written is how many times a stream has sent something.
func written(w *httptest.ResponseRecorder) int { return strings.Count(w.Body.String(), "event: ") }

func TestNothingIsSentWithoutNews(t *testing.T) {
	t.Parallel()
	r := newRig(t, "", mappingtest.Synced("1"))
	s := &site{Dashboard: r.dash}
	w := httptest.NewRecorder()
	out := newEvents(w)
	update := func(want int) {
		t.Helper()
		if err := s.update(t.Context(), out); err != nil && !errors.Is(err, http.ErrNotSupported) {
			t.Fatal(err)
		}
		if n := written(w); n != want {
			t.Errorf("%d events were sent, want %d:\n%s", n, want, w.Body)
		}
	}
	update(1)
	update(1)
	out.last = out.last.Add(-beat)
	update(2) // a sign of life
	if !strings.Contains(w.Body.String(), "event: beat\ndata: 1\n\n") {
		t.Errorf("no sign of life in %s", w.Body)
	}
	r.trend.Close(1, nil)
	update(3)
	update(3)
}

// A page that has been made just now needs no frame.
func TestStreamGoesOnFromThePage(t *testing.T) {
	t.Parallel()
	r := newRig(t, "")
	f, err := r.dash.live.current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := r.visitor().listen("/live?frame=" + f.Name)
	r.want("event-1")
	r.is("event-1", state.Synced)
	m := l.frame()
	if _, ok := m.Parts["capture"]; ok || len(m.Parts) == len(parts) {
		t.Errorf("what the page has is sent again: %v", m.Parts)
	}
}

func TestFramesDiffer(t *testing.T) {
	t.Parallel()
	a := &frame{Title: "a", Parts: map[string]template.HTML{"x": "1"}}
	if !a.same(&frame{Title: "a", Parts: map[string]template.HTML{"x": "1"}}) || a.same(nil) ||
		a.same(&frame{Title: "b", Parts: a.Parts}) || a.same(&frame{Title: "a", Parts: map[string]template.HTML{"x": "2"}}) {
		t.Error("frames are the same where they are not")
	}
}

// deadlines is a writer that takes note of its deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error { d.read = append(d.read, at); return nil }

func (d *deadlines) SetWriteDeadline(at time.Time) error { d.write = append(d.write, at); return nil }

// The server's deadlines are for answers that end.
func TestStreamsHaveTheirOwnDeadlines(t *testing.T) {
	t.Parallel()
	d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	out := newEvents(d)
	began := time.Now()
	if err := errors.Join(out.begin(), out.send("beat", []byte("1")), out.send("beat", []byte("1"))); err != nil {
		t.Fatal(err)
	}
	if len(d.read) != 1 || !d.read[0].IsZero() {
		t.Errorf("deadlines for reading: %v", d.read)
	}
	if len(d.write) != 3 || d.write[2].Sub(began) < writeTimeout || d.write[2].Before(d.write[1]) {
		t.Errorf("deadlines for writing: %v", d.write)
	}
	if !d.Flushed {
		t.Error("what is sent stays in a buffer")
	}
}
