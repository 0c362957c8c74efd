package sandbox

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"ghlsync/ghl"
)

// Defaults of Options.
const (
	DefaultLogEntries = 100_000
	DefaultLogBytes   = 256 << 20
)

// Options sets up a Sandbox; the zero value is a well-behaved GHL.
type Options struct {
	LogEntries int // requests the log keeps, and delivery ids remembered; 0: DefaultLogEntries
	LogBytes   int // bytes of bodies the log keeps; 0: DefaultLogBytes

	// EventTypes are the values that event_data.event_type may have; none:
	// onboarding and handover.
	EventTypes []string

	IgnoreIdempotencyKeys bool // act on a repeated key again, as a receiver may
	Lenient               bool // record violations, but act on the body as far as it can be read

	API API // of the calendar API

	// OnRequest, where set, is called for each request of GHL's before any
	// fault, on the request's goroutine: it must be quick and safe for
	// concurrent use.
	OnRequest func(Arrival)

	Callbacks Callbacks // how it calls back; see also Sandbox.CallBack

	Now func() time.Time // nil: time.Now
}

// Arrival is what OnRequest learns about a request.
type Arrival struct {
	Number     int64
	Time       time.Time // when the handler got it, the body still to be read
	Call       Call
	Operation  ghl.Operation
	EventID    string
	DeliveryID string
}

// Sandbox is the double of GHL.
type Sandbox struct {
	opts   Options
	mux    *http.ServeMux
	ending chan struct{} // closed by Close: what hangs or waits gives up

	handlers sync.WaitGroup // of ServeHTTP

	mu         sync.Mutex
	closed     bool
	run        *run // the server of Start, nil when stopped
	generation int  // rises with Reset: what began before does not act after
	changed    chan struct{}
	book       book
	log        requestLog
	keys       keyring
	api        API
	contacts   contacts
	quota      quota
	violations ring[Violation]
	stats      Stats
	flights    map[string][]*flight // by event id
	airborne   int                  // number of them
	rules      []activeRule
	seed       uint64
	dice       *rand.Rand
	caller     caller
}

// New makes a sandbox with an empty book.
func New(o Options) *Sandbox {
	if o.LogEntries <= 0 {
		o.LogEntries = DefaultLogEntries
	}
	if o.LogBytes <= 0 {
		o.LogBytes = DefaultLogBytes
	}
	if len(o.EventTypes) == 0 {
		o.EventTypes = []string{"onboarding", "handover"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.API = o.API.normal()
	s := &Sandbox{opts: o, ending: make(chan struct{}), flights: make(map[string][]*flight)}
	s.clear()
	s.CallBack(o.Callbacks)
	s.mux = s.routes()
	return s
}

// clear empties everything that Reset empties. The caller holds the lock, or
// is New.
func (s *Sandbox) clear() {
	s.generation++
	s.book = newBook()
	s.log = newRequestLog(s.opts.LogEntries, s.opts.LogBytes)
	s.keys = newKeyring(s.opts.LogEntries)
	s.violations = newRing[Violation](maxViolations)
	s.stats = Stats{}
	s.rules, s.dice = nil, nil
	s.api, s.quota = s.opts.API, quota{}
	s.contacts = newContacts(s.api.Contacts)
}

// Reset empties book, log, counts and faults. Requests in flight are answered
// but change nothing any more.
func (s *Sandbox) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clear()
	s.wake()
}

// errClosed is the answer to whatever comes after Close.
var errClosed = errors.New("sandbox is closed")

// ServeHTTP serves the webhook, the calendar API and the sandbox's own endpoints.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		http.Error(w, errClosed.Error(), http.StatusServiceUnavailable)
		return
	}
	s.handlers.Add(1) // under the lock, so that Close waits for this one
	s.mu.Unlock()
	defer s.handlers.Done()
	if err := foreign(r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	s.mux.ServeHTTP(w, r)
}
