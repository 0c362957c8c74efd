package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"ghlsync/ghl"
)

// Callbacks say how the sandbox calls back, as the Custom Webhook action of a
// workflow does: once for each time that the appointment book changes by a call.
// Without a URL it does not.
type Callbacks struct {
	URL    string
	Secret string        // sent as a bearer token
	Delay  time.Duration // from the change of the book to the callback
	Copies int           // how often each is sent, one after the other; 0: once
	Before bool          // the webhook is answered only after its callback was
	Held   bool          // none is sent: [Sandbox.HeldCallbacks] has them, for the test to send in its order
}

// Callback is one report of a workflow.
type Callback struct {
	EventID       string        `json:"sentra_event_id"`
	Operation     ghl.Operation `json:"event_type"`
	AppointmentID string        `json:"appointment_id,omitempty"`
	CreatedAt     string        `json:"created_at,omitempty"`
	UpdatedAt     string        `json:"updated_at,omitempty"`
	Success       bool          `json:"success"`
	ErrorCode     string        `json:"error_code,omitempty"`
}

// maxHeld bounds what is kept for a test.
const maxHeld = 10_000

// callbackTimeout is how long the sandbox waits for whoever it calls.
const callbackTimeout = 10 * time.Second

// caller is what the sandbox keeps for its callbacks, under its lock.
type caller struct {
	how  Callbacks
	held ring[Callback]
}

// CallBack sets how the sandbox calls back from now on.
func (s *Sandbox) CallBack(how Callbacks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.caller = caller{how: how, held: newRing[Callback](maxHeld)}
}

// HeldCallbacks gives those that were held so far, oldest first.
func (s *Sandbox) HeldCallbacks() []Callback {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.caller.held.all()
}

// reportBack has the workflow report what it did to the book. It runs on the
// request's goroutine, which Close waits for; what is sent later runs on one of its
// own, which Close waits for as well.
func (s *Sandbox) reportBack(c *call, v verdict) {
	if !v.acted {
		return
	}
	b := Callback{EventID: c.eventID, Operation: c.operation, AppointmentID: v.id, Success: true}
	if at := c.fields.CreatedAt; at != nil {
		b.CreatedAt = *at
	}
	if at := c.fields.UpdatedAt; at != nil {
		b.UpdatedAt = *at
	}
	s.mu.Lock()
	how := s.caller.how
	if how.Held {
		s.caller.held.push(b)
		s.wake()
	}
	s.mu.Unlock()
	switch {
	case how.URL == "" || how.Held:
	case how.Before:
		s.sendAll(how, b)
	default:
		s.handlers.Add(1) // the request that is handled keeps it above 0
		go func() {
			defer s.handlers.Done()
			s.sendAll(how, b)
		}()
	}
}

func (s *Sandbox) sendAll(how Callbacks, b Callback) {
	if !s.pause(context.Background(), how.Delay) {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // ends with the sending
		select {
		case <-s.ending:
			cancel()
		case <-ctx.Done():
		}
	}()
	for range max(1, how.Copies) {
		// A workflow that is not heard does not try again, and nobody is told.
		_, _, _ = how.Send(ctx, b)
	}
}

// Send sends one callback, and returns what it was answered.
func (how Callbacks) Send(ctx context.Context, b Callback) (status int, answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callbackTimeout)
	defer cancel()
	body, err := json.Marshal(b)
	if err != nil {
		return 0, "", fmt.Errorf("encode callback: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, how.URL, bytes.NewReader(body))
	if err != nil {
		return 0, "", fmt.Errorf("call back: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+how.Secret)
	req.Close = true // a workflow keeps no connection
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, "", fmt.Errorf("call back: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // the connection ends either way
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return resp.StatusCode, "", fmt.Errorf("read the answer to a callback: %w", err)
	}
	return resp.StatusCode, string(text), nil
}
