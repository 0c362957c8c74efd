package ghl

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"time"
)

// Wire makes single HTTP requests to GHL. It never repeats one, follows no
// redirect and keeps no cookies. It is safe for concurrent use; net/http owns
// the goroutines of idle connections until [Wire.Close].
type Wire struct{ transport *http.Transport }

// NewWire prepares a Wire that keeps as many idle connections as there are
// requests at once; it connects to nothing. timeout bounds dialling alone.
func NewWire(timeout time.Duration, concurrency int) *Wire {
	return &Wire{transport: newTransport(timeout, concurrency)}
}

// Close ends idle connections. Requests still under way keep theirs.
func (w *Wire) Close() { w.transport.CloseIdleConnections() }

// Answer is what came back for a request: the whole of it, or its status and
// header where those speak for themselves.
type Answer struct {
	Status int // 0: no answer came
	Header http.Header
	Body   []byte
	Cut    bool // Body ends at the size limit
}

// Wait is the break that an answer asks for, 0 for none and at most an hour: the
// longer one of its Retry-After and of GHL's rate headers.
func (a Answer) Wait(now time.Time) time.Duration {
	return max(
		parseRetryAfter(a.Header.Get("Retry-After"), now),
		parseRateLimit(a.Header.Get("X-RateLimit-Remaining"), a.Header.Get("X-RateLimit-Interval-Milliseconds")),
	)
}

// Exchange makes one request under ctx, which bounds it, and reads up to limit
// bytes of the answer's body. Without a complete answer lost says what is known:
// Retry if nothing left this machine, else Unknown. It holds neither the URL nor
// anything of what was read.
func (w *Wire) Exchange(ctx context.Context, req *http.Request, limit int) (a Answer, lost *Result) {
	var progress progress
	req = req.WithContext(httptrace.WithClientTrace(ctx, progress.trace()))
	// Without GetBody the transport has no way to repeat the request when a
	// re-used connection breaks. With it, it would: it takes Idempotency-Key as
	// leave to do so, behind our back and beside the state.
	req.GetBody = nil
	if req.Body == nil {
		// Nor can it repeat a GET whose body it has to read to find it empty.
		req.Body = io.NopCloser(bytes.NewReader(nil))
	}
	// RoundTrip, not a Client: no redirects, no cookies, and no url.Error that
	// prints the URL.
	resp, err := w.transport.RoundTrip(req)
	if err != nil {
		res := classifyError(ctx, err, progress.mayHaveLeft())
		return Answer{}, &res
	}
	// A body read to its end gives the connection back for re-use; closing an
	// unread rest closes the connection. Its error adds nothing to what was read.
	defer func() { _ = resp.Body.Close() }()
	a, err = readAnswer(resp, limit)
	if err != nil && a.Status >= 200 && a.Status < 300 {
		// Only a complete 2xx counts: the part that is missing may say
		// success:false. Every other status speaks for itself.
		res := classifyError(ctx, err, true)
		res.HTTPStatus = a.Status
		return a, &res
	}
	return a, nil
}

// readAnswer reads an answer up to the size limit. On an error the status is set.
func readAnswer(resp *http.Response, limit int) (Answer, error) {
	a := Answer{Status: resp.StatusCode, Header: resp.Header}
	if resp.StatusCode < 200 {
		// 101 hands over the raw connection, which has no end to read to.
		return a, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if len(body) > limit {
		// The byte beyond the limit tells that there is more, even where
		// reading it failed: what was read is all that would have been.
		body, a.Cut, err = body[:limit], true, nil
	}
	a.Body = body
	if err != nil {
		return a, fmt.Errorf("read the answer: %w", err)
	}
	return a, nil
}
