package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"ghlsync/ghl"
)

// DefaultURL is the base address of GHL's API.
const DefaultURL = "https://services.leadconnectorhq.com"

// Options set up a Client. Token and LocationID are required.
type Options struct {
	URL        string // base address; "": DefaultURL. See ghl.ParseAPIURL
	Token      string // a Private Integration Token
	LocationID string

	Calendars map[string]string // calendar id by the event's type
	Zone      *time.Location    // in which Sentra's dates and times are; nil: UTC

	CreateContacts bool // make a missing contact

	// What GHL is told with each appointment.
	AssignedUserID      string // "": GHL's choice
	MeetingLocationType string // "": the calendar's
	IgnoreFreeSlot      bool   // GHL does not check that the time is free
	Notify              bool   // GHL's automations run

	Timeout     time.Duration // of one Send, and of one request outside of it; 0: ghl.DefaultTimeout
	Concurrency int           // requests at once, which is how many idle connections are kept; 0: ghl.DefaultConcurrency
	Version     string        // of the program, for User-Agent; "": "dev"
	Now         func() time.Time

	// Pace, if set, is called before every request of a Send but the first, which
	// the caller of Send has paced. It waits for its turn; an error, which is that
	// of ctx, ends the Send.
	Pace func(ctx context.Context) error
	// Observe, if set, is told what each answer says of GHL's limits. It must be
	// quick, and is called by all that call the Client.
	Observe func(ghl.Quota)
	// Clock, if set, is told GHL's time, from the header Date of each answer. As
	// Observe.
	Clock func(time.Time)
}

// Client makes the calls. It is safe for concurrent use.
type Client struct {
	o        Options
	base     *url.URL
	token    secret
	agent    string
	contacts *contacts
	wire     *ghl.Wire

	// admit is waited for before each request; nil: requests do not wait.
	admit func(ctx context.Context) error
}

// secret gives a text that formatting does not show, wherever it is a field.
type secret func() string

// New checks the options and prepares a Client; it connects to nothing. The error
// names every problem and holds neither the URL nor the token.
func New(o Options) (*Client, error) {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	base, err := ghl.ParseAPIURL(o.URL)
	problems := []error{err}
	bad := func(name, what string) { problems = append(problems, errors.New(name+" "+what)) }
	if !ghl.UsableHeader(o.Token, 4096) {
		bad("API token", "is missing or holds characters that cannot travel in a header: set GHL's Private Integration Token")
	}
	if o.LocationID == "" {
		bad("location id", "is missing: copy it from the location's settings in GHL")
	}
	for eventType, id := range o.Calendars {
		if id == "" {
			bad("calendar", fmt.Sprintf("for events of type %q has no id", eventType))
		}
	}
	if o.Timeout < 0 || o.Concurrency < 0 {
		bad("timeout or concurrency", "is negative")
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	token := o.Token
	c := &Client{base: base, token: func() string { return token }, agent: "ghlsync/" + o.Version}
	if o.Version == "" {
		c.agent = "ghlsync/dev"
	}
	o.fill()
	o.Token, o.URL = "", ""
	c.o = o
	c.contacts = newContacts(o.Now)
	c.wire = ghl.NewWire(o.Timeout, o.Concurrency)
	return c, nil
}

func (o *Options) fill() {
	if o.Timeout == 0 {
		o.Timeout = ghl.DefaultTimeout
	}
	if o.Concurrency == 0 {
		o.Concurrency = ghl.DefaultConcurrency
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// String names the API without what may be secret in its address.
func (c *Client) String() string { return ghl.RedactURL(strings.TrimSuffix(c.base.String(), "/")) }

// LogValue keeps everything else out of logs.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Close ends idle connections. Calls still running keep theirs until they end.
func (c *Client) Close() { c.wire.Close() }
