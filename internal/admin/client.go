package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"ghlsync/internal/operate"
	"ghlsync/state"
)

// Errors of a Client, beside state.ErrNotFound, ErrRequest and
// operate.ErrSelection.
var (
	// ErrUnreachable: nothing answers at the daemon's address.
	ErrUnreachable = errors.New("the daemon does not answer")
	// ErrToken: the daemon wants another HTTP_TOKEN than ours.
	ErrToken = errors.New("the daemon refuses our HTTP_TOKEN: set it as it is set for the daemon")
)

const (
	askTimeout = 15 * time.Second
	maxAnswer  = 64 << 20
)

// Client asks a running daemon. It keeps no connection open.
type Client struct {
	base  string
	token string
	http  *http.Client
}

// NewClient makes a client for the daemon at addr (host:port, as Server.Addr
// gives it).
func NewClient(addr, token string) *Client {
	return &Client{base: "http://" + dialable(addr), token: token, http: &http.Client{
		// No proxy: the daemon is on this machine.
		Transport: &http.Transport{DisableKeepAlives: true},
	}}
}

// dialable replaces the address that means 'every one of this machine'.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

// Status is Service.Status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.get(ctx, "/api/v1/status", nil, &s)
	return s, err
}

// Page is Service.Page.
func (c *Client) Page(ctx context.Context, q Query) (Page, error) {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("status", q.Status)
	set("q", q.Text)
	set("after", q.After)
	set("limit", positive(q.Limit))
	var p Page
	err := c.get(ctx, "/api/v1/mappings", v, &p)
	return p, err
}

// Show is Service.Show.
func (c *Client) Show(ctx context.Context, id string, o Show) (d Detail, err error) {
	err = c.get(ctx, "/api/v1/mappings/"+escape(id), o.query(), &d)
	return d, err
}

// Explain is Service.Explain.
func (c *Client) Explain(ctx context.Context, id string, o Show) (e Explanation, err error) {
	err = c.get(ctx, "/api/v1/explain/"+escape(id), o.query(), &e)
	return e, err
}

func (o Show) query() url.Values {
	v := url.Values{}
	if o.Payload {
		v.Set("payload", "true")
	}
	if n := positive(o.Attempts); n != "" {
		v.Set("attempts", n)
	}
	return v
}

// Do is Service.Do.
func (c *Client) Do(ctx context.Context, v operate.Verb, s operate.Selection) (operate.Report, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return operate.Report{}, fmt.Errorf("encode selection: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	var r operate.Report
	err = c.ask(ctx, http.MethodPost, "/api/v1/mappings/"+string(v), body, &r)
	return r, err
}

// SetPaused is Service.SetPaused.
func (c *Client) SetPaused(ctx context.Context, pause bool) (p operate.Pause, err error) {
	path := "/api/v1/delivery/resume"
	if pause {
		path = "/api/v1/delivery/pause"
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err = c.ask(ctx, http.MethodPost, path, nil, &p)
	return p, err
}

func positive(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// escape makes one path segment of any text. Dots alone would be taken for a
// way up.
func escape(id string) string {
	if strings.Trim(id, ".") == "" {
		return strings.ReplaceAll(id, ".", "%2E")
	}
	return url.PathEscape(id)
}

func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.ask(ctx, http.MethodGet, path, nil, into)
}

// send sends a request. The caller closes the body of the answer.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, cause(err))
	}
	return resp, nil
}

func (c *Client) ask(ctx context.Context, method, path string, body []byte, into any) (err error) {
	resp, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, err)
	}
	if resp.StatusCode != http.StatusOK {
		return refusal(resp.StatusCode, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("the answer at %s is not a ghlsync's: check HTTP_ADDR: %w", c.base, err)
	}
	return nil
}

// cause is an error without the address around it, which holds event ids.
func cause(err error) error {
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// refusal turns an answer that is an error back into the error it was made of.
func refusal(code int, text []byte) error {
	var f failure
	if err := json.Unmarshal(text, &f); err != nil || f.Error == "" {
		f.Error = "the daemon answers " + strconv.Itoa(code)
	}
	said := f.Error
	if f.Mend != "" && code >= http.StatusInternalServerError {
		said += "; " + f.Mend
	}
	switch code {
	case http.StatusUnauthorized:
		return ErrToken
	case http.StatusNotFound:
		return &told{said, state.ErrNotFound}
	case http.StatusBadRequest:
		return &told{said, ErrRequest}
	default:
		return errors.New(said)
	}
}

// told is an error as the daemon worded it, with the sentinel it stands for.
type told struct {
	text string
	is   error
}

func (t *told) Error() string { return t.text }
func (t *told) Unwrap() error { return t.is }
