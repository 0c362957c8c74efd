package deliver_test

import (
	"context"
	"sync"
	"sync/atomic"

	"ghlsync/ghl"
	"ghlsync/ghl/deliver"
)

// heldSender is the real client. It can hold calls up before the request leaves,
// which then never does, or after its answer is there.
type heldSender struct {
	deliver.Sender
	held atomic.Int64 // calls that are, or were, held up

	mu     sync.Mutex
	hold   chan struct{} // nil: calls pass
	before bool
}

func (s *heldSender) into(r *rig) {
	r.wrapSender = func(inner deliver.Sender) deliver.Sender { s.Sender = inner; return s }
}

// stop holds up all calls from now on.
func (s *heldSender) stop(before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold, s.before = make(chan struct{}), before
	s.held.Store(0)
}

// release lets the held calls and all others pass.
func (s *heldSender) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.hold)
	s.hold = nil
}

func (s *heldSender) Send(ctx context.Context, q ghl.Request) ghl.Result {
	s.mu.Lock()
	hold, before := s.hold, s.before
	s.mu.Unlock()
	if hold != nil && before {
		s.held.Add(1)
		<-hold
		return ghl.Result{Outcome: ghl.Retry, Code: ghl.CodeConnectionFailed}
	}
	res := s.Sender.Send(ctx, q)
	if hold != nil {
		s.held.Add(1)
		<-hold
	}
	return res
}
