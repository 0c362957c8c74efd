package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// pagePace is the least time between two frames of one reader: what happens
// meanwhile comes in one.
const pagePace = 200 * time.Millisecond

// pageRegions are the parts of the page that change.
var pageRegions = []string{"counts", "book", "violations", "log", "in-force"}

// serveLive streams the page's regions as server-sent events: all at first, then
// those that changed, as a JSON list of HTML. It ends with its reader or with
// the sandbox.
func (s *Sandbox) serveLive(w http.ResponseWriter, r *http.Request) {
	pageHeaders(w.Header(), "text/event-stream")
	connection := http.NewResponseController(w)
	sent := make(map[string]string)
	for {
		changed := s.nextChange() // before the look, so that no change in between is missed
		frame, err := s.frame(readSpan(r, s.opts.Now()), sent)
		if err != nil {
			return // the templates are part of the program: the page itself tells
		}
		if _, err := w.Write(frame); err != nil || connection.Flush() != nil {
			return // the reader has left
		}
		if !s.pause(r.Context(), pagePace) {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		case <-s.ending:
			return
		}
	}
}

// nextChange closes with the next wake.
func (s *Sandbox) nextChange() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	return s.changed
}

// frame is an event with the regions that are not as they were sent, or nothing
// where all are.
func (s *Sandbox) frame(weeks span, sent map[string]string) ([]byte, error) {
	view := s.view(weeks)
	var changed []string
	for _, region := range pageRegions {
		var html bytes.Buffer
		if err := pageTemplate.ExecuteTemplate(&html, region, view); err != nil {
			return nil, fmt.Errorf("write region %s: %w", region, err)
		}
		if sent[region] != html.String() {
			sent[region] = html.String()
			changed = append(changed, html.String())
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	var event bytes.Buffer
	_, _ = io.WriteString(&event, "data: ")
	enc := json.NewEncoder(&event)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(changed); err != nil { // one line, as an event needs it
		return nil, err
	}
	event.WriteByte('\n')
	return event.Bytes(), nil
}
