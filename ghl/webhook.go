package ghl

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Defaults of WebhookOptions.
const (
	DefaultTimeout     = 15 * time.Second
	DefaultConcurrency = 8
)

// maxAnswerBytes is how much of an answer is read. Real ones have about 100.
const maxAnswerBytes = 64 << 10

// WebhookOptions sets up a Webhook. Only URL is required.
type WebhookOptions struct {
	URL         string           // see ParseWebhookURL
	Timeout     time.Duration    // of one call, connecting included; 0: DefaultTimeout
	Concurrency int              // calls at once, which is how many idle connections are kept; 0: DefaultConcurrency
	Version     string           // of the program, for User-Agent; empty: "dev"
	Now         func() time.Time // reckons a Retry-After date; nil: time.Now
}

// Webhook is the client of one workflow webhook.
type Webhook struct {
	url     *url.URL
	timeout time.Duration
	agent   string
	now     func() time.Time
	wire    *Wire
}

// NewWebhook checks the options and prepares a client; it connects to nothing.
// Its errors do not hold the URL.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	u, err := ParseWebhookURL(o.URL)
	if err != nil {
		return nil, err
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("webhook timeout %s is negative: use a positive duration such as 15s", o.Timeout)
	}
	if o.Concurrency < 0 {
		return nil, fmt.Errorf("webhook concurrency %d is negative: use 1 or more", o.Concurrency)
	}
	w := &Webhook{url: u, timeout: o.Timeout, agent: "ghlsync/" + o.Version, now: o.Now}
	if o.Timeout == 0 {
		w.timeout = DefaultTimeout
	}
	if o.Version == "" {
		w.agent = "ghlsync/dev"
	}
	if o.Now == nil {
		w.now = time.Now
	}
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	w.wire = NewWire(w.timeout, o.Concurrency)
	return w, nil
}

// String names the webhook without its secret.
func (w *Webhook) String() string { return RedactURL(w.url.String()) }

// Close ends idle connections. Calls still running keep theirs until they end.
func (w *Webhook) Close() { w.wire.Close() }

// Send makes one call and waits for its end, at most the timeout. Cancelling
// ctx ends the call with CodeInterrupted: Unknown once the request may have
// left, Retry before that. A crash during Send leaves nothing here; the caller
// must have written down beforehand that the outcome is unknown.
func (w *Webhook) Send(ctx context.Context, r Request) Result {
	start := time.Now()
	res := w.send(ctx, r)
	res.Duration = time.Since(start)
	return res
}

func (w *Webhook) send(ctx context.Context, r Request) Result {
	if len(r.Body) == 0 || !UsableHeader(r.DeliveryID, maxDeliveryIDBytes) {
		return Result{Outcome: Permanent, Code: CodeInvalidRequest}
	}
	call, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	a, lost := w.wire.Exchange(call, w.newRequest(r), maxAnswerBytes)
	if lost != nil {
		return *lost
	}
	return classify(r.Operation, a, w.now())
}

func (w *Webhook) newRequest(r Request) *http.Request {
	u := *w.url
	req := &http.Request{
		Method: http.MethodPost,
		URL:    &u,
		Host:   u.Host,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Content-Type":      {"application/json"},
			"Accept":            {"application/json"},
			"Accept-Encoding":   {"identity"}, // without a word a server may pack its answer
			"User-Agent":        {w.agent},
			"Idempotency-Key":   {r.DeliveryID},
			"X-Sentra-Delivery": {r.DeliveryID},
		},
		Body:          io.NopCloser(bytes.NewReader(r.Body)),
		ContentLength: int64(len(r.Body)),
	}
	if u.User != nil {
		password, _ := u.User.Password() // no password is an empty one
		req.SetBasicAuth(u.User.Username(), password)
	}
	return req
}

// maxDeliveryIDBytes bounds a delivery id.
const maxDeliveryIDBytes = 128

// UsableHeader tells whether s can travel as a header value of at most so many
// bytes: visible ASCII.
func UsableHeader(s string, most int) bool {
	if s == "" || len(s) > most {
		return false
	}
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return true
}
