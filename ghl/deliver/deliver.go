package deliver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mrand "math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"ghlsync/ghl"
	"ghlsync/state"
)

// Store opens the transactions in which delivery claims and records.
type Store interface {
	// Begin waits for its turn where the store has one writer. What the
	// transaction commits survives a crash.
	Begin(ctx context.Context) (state.Tx, error)
	// PausedAt is when an operator paused delivery; zero while it is not paused.
	PausedAt(ctx context.Context) (time.Time, error)
}

// Sender makes one call to GHL.
type Sender interface {
	// Send makes the call once and returns soon after ctx ended. Every ending is
	// a result; GHL may have acted unless the result says otherwise.
	Send(ctx context.Context, r ghl.Request) ghl.Result
}

// Defaults of Options, and the margins that are no options.
const (
	DefaultTimeout     = 15 * time.Second
	DefaultConcurrency = 8
	DefaultRate        = rate.Limit(8)
	DefaultBurst       = 20
	DefaultRetryBase   = time.Second
	DefaultRetryCap    = 5 * time.Minute
	DefaultSettle      = time.Minute

	// leaseMargin is how much longer its lease lasts than a call, and one that its
	// worker ends before, can take: the time in which its end gets recorded.
	leaseMargin = 15 * time.Second
	// recordGrace is how long Stop waits for the store after it cut the calls.
	recordGrace = 5 * time.Second
)

// Options set up a Deliverer. Store is required, and Sender unless Disabled; the
// zero value of everything else is its default.
type Options struct {
	Store  Store
	Sender Sender
	Logger *slog.Logger     // nil: logs nothing
	Now    func() time.Time // nil: time.Now

	// Disabled keeps what is wanted and sends nothing (GHL_WEBHOOK_ENABLED=false).
	Disabled bool
	// Encode builds the body of a call; nil: ghl.Envelope.
	Encode func(op ghl.Operation, eventID, appointmentID string, eventData []byte) []byte
	// LooksUp tells that the Sender looks for the appointment before it repeats a
	// create: then one that was refused and may have been acted on all the same (5xx)
	// waits for Settle, too. A look-up that comes too early finds nothing.
	LooksUp bool
	// Zone is where a day begins, for what is urgent today; nil: UTC.
	Zone *time.Location
	// Owner names this process in leases; "": a random name.
	Owner string
	// Living tells which owners may still be at the calls that they leased, this one
	// among them. known is false while nobody can tell. nil: nobody else works on
	// the store, so that every lease that is there at a Start is a dead process's.
	Living func(ctx context.Context) (owners []string, known bool, err error)

	Concurrency int           // GHL_CONCURRENCY: calls in flight at most
	Timeout     time.Duration // GHL_TIMEOUT: of one call, its connection included
	Rate        rate.Limit    // GHL_RATE: calls a second; rate.Inf: no limit
	Burst       int           // GHL_BURST: calls that may leave at once after a pause
	Budget      Budget        // where Rate and Burst are those of several together; nil: this one's
	RetryBase   time.Duration // GHL_RETRY_BASE: bound of the first wait, and the first probe
	RetryCap    time.Duration // GHL_RETRY_CAP: no wait is longer
	Settle      time.Duration // GHL_SETTLE: from the end of an unknown call to its repetition; negative: none
	Seed        uint64        // of the jitter; 0: a random one

	// Hook, if set, is called after each call that ended and is recorded. It runs
	// on the book-keeping goroutine: it must be quick and must not call back.
	Hook func(Event)
}

// Event is the end of one call, recorded.
type Event struct {
	ID          state.EventID
	Type        string // the event's type, such as onboarding
	Operation   state.Operation
	DeliveryID  string
	Result      ghl.Result
	Started     time.Time // the request left
	Ended       time.Time // its answer was complete
	CommittedAt time.Time // commit time in Sentra of what the row wanted when it was claimed
}

// Deliverer makes GHL equal to what is wanted. Its methods are safe for
// concurrent use.
type Deliverer struct {
	o       Options
	log     *slog.Logger
	now     func() time.Time // UTC, whole microseconds, as stores keep it
	limiter *rate.Limiter
	books   *books
	status  board
	quota   quota
	tempo   tempo
	grace   time.Duration // recordGrace, but in tests

	wake     chan struct{} // holds one: more mean the same
	pings    chan chan<- struct{}
	holds    chan decision
	stopping chan struct{}
	done     chan struct{} // closed when all goroutines are gone

	mu      sync.Mutex
	started bool
	stopped bool
	err     error // of the loop, valid after done

	calls     chan *call // to the workers
	ended     chan ended // from them; both hold all that may be claimed, so neither blocks
	callCtx   context.Context
	cutCalls  context.CancelFunc
	storeCtx  context.Context
	cutStore  context.CancelFunc
	closeOnce sync.Once
}

// New checks the options and prepares a Deliverer. It starts nothing. Every
// problem is in the error.
func New(o Options) (*Deliverer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	o.fill()
	now := o.Now
	d := &Deliverer{
		o:        o,
		log:      o.Logger,
		now:      func() time.Time { return now().UTC().Truncate(time.Microsecond) },
		limiter:  rate.NewLimiter(o.Rate, o.Burst),
		grace:    recordGrace,
		wake:     make(chan struct{}, 1),
		pings:    make(chan chan<- struct{}),
		holds:    make(chan decision),
		stopping: make(chan struct{}),
		done:     make(chan struct{}),
		calls:    make(chan *call, aheadFactor*o.Concurrency),
		ended:    make(chan ended, aheadFactor*o.Concurrency),
	}
	d.books = newBooks(d)
	d.status.init(d.books.gate.status(!o.Disabled))
	return d, nil
}

func (o *Options) check() error {
	var problems []error
	bad := func(name string, value any, want string) {
		problems = append(problems, fmt.Errorf("%s is %v: use %s", name, value, want))
	}
	if o.Store == nil {
		bad("Store", "missing", "the state's store")
	}
	if o.Sender == nil && !o.Disabled {
		bad("Sender", "missing", "a GHL client")
	}
	if o.Concurrency < 0 {
		bad("Concurrency", o.Concurrency, "1 or more")
	}
	if o.Rate < 0 {
		bad("Rate", o.Rate, "a number of calls a second above 0")
	}
	if o.Burst < 0 {
		bad("Burst", o.Burst, "1 or more")
	}
	for _, t := range []struct {
		name  string
		value time.Duration
	}{{"Timeout", o.Timeout}, {"RetryBase", o.RetryBase}, {"RetryCap", o.RetryCap}} {
		if t.value < 0 {
			bad(t.name, t.value, "a duration above 0")
		}
	}
	if o.RetryCap > 0 && o.RetryBase > o.RetryCap {
		bad("RetryBase", o.RetryBase, fmt.Sprintf("at most RetryCap (%s)", o.RetryCap))
	}
	return errors.Join(problems...)
}

func (o *Options) fill() {
	orDefault(&o.Concurrency, DefaultConcurrency)
	orDefault(&o.Timeout, DefaultTimeout)
	orDefault(&o.Rate, DefaultRate)
	orDefault(&o.Burst, DefaultBurst)
	orDefault(&o.RetryBase, DefaultRetryBase)
	orDefault(&o.RetryCap, max(DefaultRetryCap, o.RetryBase))
	orDefault(&o.Settle, DefaultSettle)
	orDefault(&o.Owner, rand.Text())
	orDefault(&o.Seed, mrand.Uint64())
	o.Settle = max(o.Settle, 0)
	if o.Encode == nil {
		o.Encode = ghl.Envelope
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Start ends the calls that a dead process left, as of unknown outcome, and
// starts delivering. Where others work on the store, such calls are looked for
// from time to time, too. ctx bounds the start alone; [Deliverer.Stop] ends the rest.
// After an error nothing runs.
func (d *Deliverer) Start(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.started || d.stopped {
		return errors.New("deliverer was started before: make a new one")
	}
	if err := d.books.abandon(ctx); err != nil {
		return fmt.Errorf("take over calls of an earlier run: %w", err)
	}
	paused, err := d.o.Store.PausedAt(ctx)
	if err != nil {
		return fmt.Errorf("find out whether delivery is paused: %w", err)
	}
	d.books.gate.held = !paused.IsZero()
	d.books.publish()
	d.started = true
	d.callCtx, d.cutCalls = context.WithCancel(context.Background())
	d.storeCtx, d.cutStore = context.WithCancel(context.Background())
	d.logStart()
	var workers sync.WaitGroup
	for range d.o.Concurrency {
		workers.Go(d.work)
	}
	go func() {
		d.err = d.books.run(d.storeCtx)
		close(d.calls)
		workers.Wait()
		d.cutCalls()
		d.cutStore()
		close(d.done)
	}()
	return nil
}

// Stop lets no call begin any more and waits for those in flight. When ctx ends it
// cuts them; their outcome is then unknown and recorded as such. It returns when
// every result is recorded and all goroutines are gone, with an error if a
// result could not be recorded: the next Start finds that call's lease. Further
// Stops wait for the same end; ctx of any of them cuts.
func (d *Deliverer) Stop(ctx context.Context) error {
	d.mu.Lock()
	d.stopped = true
	started := d.started
	d.mu.Unlock()
	if !started {
		return nil
	}
	d.closeOnce.Do(func() { close(d.stopping) })
	select {
	case <-d.done:
		return d.err
	case <-ctx.Done():
	}
	d.cutCalls()
	grace := time.AfterFunc(d.grace, d.cutStore)
	defer grace.Stop()
	<-d.done
	return d.err
}

// Wake says that something may have become due. It never blocks.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default: // a wake-up that nobody has taken yet covers this one
	}
}

// Hold lets no further call leave, or lets calls leave again: what an operator
// decided, and what the caller has made durable with [state.DeliveryTx.SetPaused]
// before. It returns once it holds; calls in flight go on. A Deliverer that has
// stopped, or is disabled, leaves nothing to do.
func (d *Deliverer) Hold(ctx context.Context, hold bool) error {
	told := decision{hold: hold, done: make(chan struct{})}
	select {
	case d.holds <- told:
		<-told.done
		return nil
	case <-d.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// decision is what an operator decided; done is closed once it holds.
type decision struct {
	hold bool
	done chan struct{}
}

// Ping returns once the book-keeping has come around, with all that had ended
// before recorded or tried, or with the cause of ctx. It does nothing else: it is
// how somebody finds out that delivery is alive although it has nothing to do.
func (d *Deliverer) Ping(ctx context.Context) error {
	answer := make(chan struct{})
	select {
	case d.pings <- answer:
		<-answer
		return nil
	case <-d.done:
		return errors.New("delivery has stopped")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (d *Deliverer) isStopping() bool {
	select {
	case <-d.stopping:
		return true
	default:
		return false
	}
}
