package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ghlsync/ghl"
)

// The versions that the calls are made under, for the header Version.
const (
	calendarsVersion = "2021-04-15"
	contactsVersion  = "2021-07-28"
)

// How much of an answer is read. A list has about 1 KB an appointment.
const (
	maxAnswerBytes = 64 << 10
	maxListBytes   = 8 << 20
)

// kind is what is common to all calls of one sort.
type kind struct {
	method  string
	version string
	limit   int
	acts    bool   // GHL changes something
	missing string // the code that says that what the call is about does not exist; "": it makes it
}

var (
	createAppointment = kind{http.MethodPost, calendarsVersion, maxAnswerBytes, true, ""}
	updateAppointment = kind{http.MethodPut, calendarsVersion, maxAnswerBytes, true, ghl.CodeAppointmentNotFound}
	getAppointment    = kind{http.MethodGet, calendarsVersion, maxAnswerBytes, false, ghl.CodeAppointmentNotFound}
	deleteAppointment = kind{http.MethodDelete, calendarsVersion, maxAnswerBytes, true, ghl.CodeAppointmentNotFound}
	listEvents        = kind{http.MethodGet, calendarsVersion, maxListBytes, false, ghl.CodeCalendarNotFound}
	getCalendar       = kind{http.MethodGet, calendarsVersion, maxAnswerBytes, false, ghl.CodeCalendarNotFound}
	findContact       = kind{http.MethodGet, contactsVersion, maxAnswerBytes, false, ghl.CodeContactNotFound}
	upsertContact     = kind{http.MethodPost, contactsVersion, maxAnswerBytes, true, ""}
)

// call is one HTTP request.
type call struct {
	kind
	path  []string // segments below the base address, not escaped
	query url.Values
	body  any // encoded as JSON; nil: none
}

// fetch makes a call and decodes the answer of its success into one. An answer
// that cannot be GHL's proves nothing.
func (c *Client) fetch(ctx context.Context, k call, into any) ghl.Result {
	a, res := c.exchange(ctx, k)
	return k.decode(a, res, into)
}

// perform makes a call whose answer may be empty: its success says enough. One
// that is no JSON object is a proxy's or somebody else's.
func (c *Client) perform(ctx context.Context, k call, into any) ghl.Result {
	a, res := c.exchange(ctx, k)
	if len(a.Body) == 0 {
		return res
	}
	return k.decode(a, res, into)
}

func (k kind) decode(a ghl.Answer, res ghl.Result, into any) ghl.Result {
	if res.Outcome == ghl.Delivered && (a.Cut || json.Unmarshal(a.Body, into) != nil) {
		return k.malformed(res)
	}
	return res
}

// exchange makes one request and classifies its end.
func (c *Client) exchange(ctx context.Context, k call) (ghl.Answer, ghl.Result) {
	start := time.Now()
	a, res := c.attempt(ctx, k)
	res.Duration = time.Since(start)
	return a, res
}

func (c *Client) attempt(ctx context.Context, k call) (ghl.Answer, ghl.Result) {
	if c.admit != nil {
		if err := c.admit(ctx); err != nil {
			return ghl.Answer{}, waited(err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	req, err := c.newRequest(k)
	if err != nil {
		return ghl.Answer{}, ghl.Result{Outcome: ghl.Permanent, Code: ghl.CodeInvalidRequest}
	}
	a, lost := c.wire.Exchange(ctx, req, k.limit)
	if a.Status != 0 {
		c.observe(a.Header)
	}
	if lost != nil {
		return a, k.lost(*lost)
	}
	return a, classify(k.kind, a, c.o.Now())
}

// waited is the end of a call that never left.
func waited(err error) ghl.Result {
	if errors.Is(err, context.Canceled) {
		return ghl.Result{Outcome: ghl.Retry, Code: ghl.CodeInterrupted}
	}
	return ghl.Result{Outcome: ghl.Retry, Code: ghl.CodeRateWait}
}

func (c *Client) newRequest(k call) (*http.Request, error) {
	req := &http.Request{
		Method: k.method,
		URL:    c.address(k),
		Host:   c.base.Host,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{
			"Accept":          {"application/json"},
			"Accept-Encoding": {"identity"}, // without a word a server may pack its answer
			"Authorization":   {"Bearer " + c.token()},
			"User-Agent":      {c.agent},
			"Version":         {k.version},
		},
	}
	if k.body != nil {
		body, err := json.Marshal(k.body)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	}
	return req, nil
}

// address appends the escaped segments of a call to the base address. Of a query
// with e-mail or phone in it nothing may get into an error or a log.
func (c *Client) address(k call) *url.URL {
	u := *c.base
	u.RawPath = strings.TrimSuffix(u.EscapedPath(), "/")
	u.Path = strings.TrimSuffix(u.Path, "/")
	for _, segment := range k.path {
		u.Path += "/" + segment
		u.RawPath += "/" + url.PathEscape(segment)
	}
	u.RawQuery = k.query.Encode() // "+" becomes %2B
	return &u
}
