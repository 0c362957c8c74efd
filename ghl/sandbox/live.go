package sandbox

import (
	"net/http"
	"time"
)

// pagePace is the least time between two frames of one reader: what happens
// meanwhile comes in one.
const pagePace = 200 * time.Millisecond

// serveLive keeps a page live until its reader leaves or the sandbox ends.
func (s *Sandbox) serveLive(w http.ResponseWriter, r *http.Request) {
	var changed <-chan struct{}
	look := func() (any, error) {
		changed = s.nextChange() // before the look, so that no change in between is missed
		return s.view(readSpan(r, s.opts.Now())), nil
	}
	wait := func() bool {
		return s.pause(r.Context(), pagePace) && await(r.Context(), s.ending, changed)
	}
	page.Stream(w, look, wait)
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
