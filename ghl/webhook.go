package ghl

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
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
	url       *url.URL
	timeout   time.Duration
	agent     string
	now       func() time.Time
	transport *http.Transport
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
	w.transport = newTransport(w.timeout, o.Concurrency)
	return w, nil
}

// String names the webhook without its secret.
func (w *Webhook) String() string { return RedactURL(w.url.String()) }

// Close ends idle connections. Calls still running keep theirs until they end.
func (w *Webhook) Close() { w.transport.CloseIdleConnections() }

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
	if len(r.Body) == 0 || !usableHeader(r.DeliveryID) {
		return Result{Outcome: Permanent, Code: CodeInvalidRequest}
	}
	callCtx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	var progress progress
	req := w.newRequest(httptrace.WithClientTrace(callCtx, progress.trace()), r)
	// RoundTrip, not a Client: no redirects, no cookies, and no url.Error that
	// prints the URL.
	resp, err := w.transport.RoundTrip(req)
	if err != nil {
		return classifyError(ctx, callCtx, err, progress.mayHaveLeft())
	}
	// A body read to its end gives the connection back for re-use; closing an
	// unread rest closes the connection. Its error adds nothing to what was read.
	defer func() { _ = resp.Body.Close() }()
	rep, err := readReply(resp)
	if err != nil && rep.status >= 200 && rep.status < 300 {
		// Only a complete 2xx counts: the part that is missing may say
		// success:false. Every other status speaks for itself.
		res := classifyError(ctx, callCtx, err, true)
		res.HTTPStatus = rep.status
		return res
	}
	return classify(r.Operation, rep, w.now())
}

func (w *Webhook) newRequest(ctx context.Context, r Request) *http.Request {
	u := *w.url
	req := (&http.Request{
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
	}).WithContext(ctx)
	// Without GetBody the transport has no way to repeat the request when a
	// re-used connection breaks. With it, it would: it takes Idempotency-Key as
	// leave to do so, behind our back and beside the state.
	req.GetBody = nil
	if u.User != nil {
		password, _ := u.User.Password() // no password is an empty one
		req.SetBasicAuth(u.User.Username(), password)
	}
	return req
}

// readReply reads an answer up to the size limit. On an error status is set.
func readReply(resp *http.Response) (reply, error) {
	rep := reply{
		status:     resp.StatusCode,
		retryAfter: resp.Header.Get("Retry-After"),
		remaining:  resp.Header.Get("X-RateLimit-Remaining"),
		interval:   resp.Header.Get("X-RateLimit-Interval-Milliseconds"),
	}
	if resp.StatusCode < 200 {
		// 101 hands over the raw connection, which has no end to read to.
		return rep, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes+1))
	if len(body) > maxAnswerBytes {
		// The byte beyond the limit tells that there is more, even where
		// reading it failed: what was read is all that would have been.
		body, rep.cut, err = body[:maxAnswerBytes], true, nil
	}
	rep.body = body
	return rep, err
}

// usableHeader tells whether s can travel as a header value: visible ASCII.
func usableHeader(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if s[i] < '!' || s[i] > '~' {
			return false
		}
	}
	return true
}
