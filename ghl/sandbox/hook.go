package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"ghlsync/ghl"
)

// maxBodyBytes bounds a request's body; descriptions of megabytes fit.
const maxBodyBytes = 32 << 20

// call is one request while it is handled, to the webhook or to the calendar
// API.
type call struct {
	*flight
	payload
	entry      *Request
	delivery   *delivery // of the webhook
	api        *apiCall  // of the calendar API; nil for the webhook
	fault      Rule
	early      *reply // the answer without fault or action, where there is one
	generation int
	concluded  bool
}

// reply is an answer with a body.
type reply struct {
	status int
	body   string
}

func newCall(r *http.Request, p payload, entry *Request) *call {
	entry.Operation, entry.EventID, entry.AppointmentID = p.operation, p.eventID, p.appointmentID
	return &call{payload: p, entry: entry, flight: &flight{client: r.Context(), ended: make(chan struct{})}}
}

// serveHook is the webhook: read, log, check, then whatever the fault rules
// make of it.
func (s *Sandbox) serveHook(w http.ResponseWriter, r *http.Request) {
	arrived := s.opts.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	if err != nil {
		http.Error(w, "request body was cut or is too large", http.StatusBadRequest)
		return
	}
	p, wrong := parsePayload(body, s.opts.EventTypes)
	wrong = errors.Join(wrong, checkHeaders(r.Header))
	key := r.Header.Get("Idempotency-Key")
	c := newCall(r, p, &Request{Time: arrived, Call: CallWebhook, DeliveryID: key, Body: string(body)})
	s.handle(w, r, c, func() {
		delivery, same := s.keys.use(key, body)
		c.delivery = delivery
		if !same {
			wrong = errors.Join(wrong, errors.New("delivery id was used before with another body"))
		}
		if wrong == nil {
			return
		}
		s.violate(c, wrong)
		if !s.opts.Lenient {
			c.early = &reply{http.StatusUnprocessableEntity, failureBody("INVALID_PAYLOAD", wrong.Error())}
		}
	})
}

// handle takes a request that was read through arrival, fault, action and
// answer. check, which holds the lock, may record violations and answer early.
func (s *Sandbox) handle(w http.ResponseWriter, r *http.Request, c *call, check func()) {
	others := s.arrive(c, check)
	defer s.conclude(c, 0, "") // where no answer was given
	if s.opts.OnRequest != nil {
		s.opts.OnRequest(Arrival{
			Number: c.entry.Number, Time: c.entry.Time, Call: c.entry.Call,
			Operation: c.operation, EventID: c.eventID, DeliveryID: c.entry.DeliveryID,
		})
	}
	s.countOverlap(others)
	if c.api != nil {
		c.api.quota.setHeaders(w.Header())
	}
	if c.early != nil {
		s.answer(w, c, c.early.status, c.early.body)
		return
	}
	s.play(w, r, c)
}

// arrive logs and checks a request and decides its fault, all in one step, so
// that numbers, counts and rules agree on the order of requests.
func (s *Sandbox) arrive(c *call, check func()) []*flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Requests++
	s.stats.count(c.operation)
	c.generation = s.generation
	c.entry.Number = s.stats.Requests
	s.log.add(c.entry)
	check()
	if c.early == nil {
		fault, fired := s.pick(c)
		c.fault, c.entry.Effect = fault, fault.Effect
		if fired {
			s.stats.Faults++
		}
	}
	others := s.takeOff(c.eventID, c.flight)
	s.wake()
	return others
}

// violate records a violation. The caller holds the lock.
func (s *Sandbox) violate(c *call, wrong error) {
	s.stats.Violations++
	s.violations.push(Violation{
		Number: c.entry.Number, Time: c.entry.Time, EventID: c.eventID,
		Text: strings.ReplaceAll(wrong.Error(), "\n", "; "),
	})
}

// checkHeaders lets a person's curl pass without a delivery id; one that is
// given must be given the same twice.
func checkHeaders(h http.Header) error {
	var wrong []error
	if mime, _, _ := strings.Cut(h.Get("Content-Type"), ";"); strings.TrimSpace(mime) != "application/json" {
		wrong = append(wrong, errors.New("Content-Type is not application/json"))
	}
	if h.Get("Idempotency-Key") != h.Get("X-Sentra-Delivery") {
		wrong = append(wrong, errors.New("headers Idempotency-Key and X-Sentra-Delivery differ"))
	}
	return errors.Join(wrong...)
}

// play acts and answers as the fault says.
func (s *Sandbox) play(w http.ResponseWriter, r *http.Request, c *call) {
	if !s.before(r.Context(), c) {
		s.drop(w, c)
		return
	}
	var v verdict
	if c.fault.acts() {
		var err error
		if v, err = s.act(c); err != nil {
			s.answer(w, c, http.StatusUnprocessableEntity, failureBody("INVALID_PAYLOAD", err.Error()))
			return
		}
		s.reportBack(c, v)
	}
	if !s.pause(r.Context(), c.fault.DelayAfter) {
		s.drop(w, c)
		return
	}
	s.reply(w, r, c, v)
}

// before plays what comes before the action, and tells whether it comes at all.
func (s *Sandbox) before(client context.Context, c *call) bool {
	if !s.pause(client, c.fault.DelayBefore) {
		return false
	}
	switch c.fault.Effect {
	case EffectDropBefore:
		return false
	case EffectHangBefore:
		s.hang(client)
		return false
	case EffectHangThenAct:
		// Not the client's context: the point is that it may be gone.
		return s.pause(context.Background(), c.fault.ActAfter)
	}
	return true
}

// pause waits, and tells false when the client left or the sandbox ends.
func (s *Sandbox) pause(client context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	return await(client, s.ending, timer.C)
}

// await waits for a signal, and tells false when the client left or the sandbox
// ends.
func await[T any](client context.Context, ending <-chan struct{}, signal <-chan T) bool {
	select {
	case <-signal:
		return true
	case <-client.Done():
	case <-ending:
	}
	return false
}

func (s *Sandbox) hang(client context.Context) { await[struct{}](client, s.ending, nil) }

// act lets the book do what the request asks for, once for each key.
func (s *Sandbox) act(c *call) (verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.generation != s.generation {
		return verdict{}, nil
	}
	if c.api != nil {
		v := c.api.act(s)
		s.tally(c, v)
		return v, nil
	}
	if c.operation == "" || c.eventID == "" {
		return verdict{}, nil
	}
	if c.delivery.done && !s.opts.IgnoreIdempotencyKeys {
		v := c.delivery.first
		v.acted, v.double, v.replay = false, false, true
		s.stats.Replays++
		s.note(c, v)
		return v, nil
	}
	v, err := s.book.apply(c.payload, s.opts.Now())
	if err != nil {
		s.violate(c, err)
		return v, err
	}
	if v.acted {
		c.delivery.done, c.delivery.first = true, v
	}
	s.tally(c, v)
	return v, nil
}

// tally counts and logs a verdict. The caller holds the lock.
func (s *Sandbox) tally(c *call, v verdict) {
	if v.acted {
		s.stats.Acted++
	}
	if v.double {
		s.stats.Doubles++
	}
	if v.code != "" {
		s.stats.NotFound++
		if c.operation == ghl.Deleted {
			s.stats.NoDeletes++
		}
	}
	s.note(c, v)
}

// note writes a verdict into the log. The caller holds the lock.
func (s *Sandbox) note(c *call, v verdict) {
	c.entry.Acted, c.entry.Double, c.entry.Replay = v.acted, v.double, v.replay
	if c.operation == ghl.Created {
		c.entry.BookedID = v.id
	}
	s.wake()
}

// conclude logs the end of a request before the client can see it: who has
// the answer finds it in the log. Only the first call counts.
func (s *Sandbox) conclude(c *call, status int, answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.concluded {
		return
	}
	c.concluded = true
	c.entry.Done, c.entry.Status, c.entry.Answer = true, status, answer
	c.entry.Ended = s.opts.Now()
	if status != 0 && c.generation == s.generation {
		s.stats.Answered++
	}
	s.land(c.eventID, c.flight)
	s.wake()
}

// failureBody is the guide's answer for a failure.
func failureBody(code, message string) string {
	if code == "" {
		return fmt.Sprintf(`{"success":false,"error":%s}`, jsonString(message))
	}
	return fmt.Sprintf(`{"success":false,"error":%s,"error_code":%s}`, jsonString(message), jsonString(code))
}
