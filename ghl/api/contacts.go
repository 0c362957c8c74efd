package api

import (
	"context"
	"sync"
	"time"

	"ghlsync/ghl"
)

// How long a contact's id is believed, and how long that there is none: a search
// lags about ten seconds behind a write, and people who are told of a missing
// contact make it and try again.
const (
	contactTTL   = 10 * time.Minute
	noContactTTL = 5 * time.Second
	maxContacts  = 10_000
)

// contacts remembers whose contact has which id, within one location.
type contacts struct {
	now func() time.Time

	mu    sync.Mutex
	known map[Person]remembered

	// making is held by whoever makes a contact: two events of a new client must
	// not make two.
	making chan struct{}
}

type remembered struct {
	id    string // "": there is none
	until time.Time
}

func newContacts(now func() time.Time) *contacts {
	return &contacts{now: now, known: make(map[Person]remembered), making: make(chan struct{}, 1)}
}

// key leaves the name out, by which nobody is looked for.
func key(p Person) Person { return Person{Email: p.Email, Phone: p.Phone} }

func (c *contacts) get(p Person) (id string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.known[key(p)]
	if !ok || !c.now().Before(r.until) {
		return "", false
	}
	return r.id, true
}

func (c *contacts) put(p Person, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.known[key(p)]; id == "" && r.id != "" && c.now().Before(r.until) {
		return // somebody has made it since this search, which may lag behind
	}
	if len(c.known) >= maxContacts {
		c.shrink()
	}
	ttl := contactTTL
	if id == "" {
		ttl = noContactTTL
	}
	c.known[key(p)] = remembered{id: id, until: c.now().Add(ttl)}
}

func (c *contacts) drop(p Person) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, key(p))
}

// shrink takes out what is past, or else any half: what is missing costs a request.
func (c *contacts) shrink() {
	now := c.now()
	for p, r := range c.known {
		if !now.Before(r.until) {
			delete(c.known, p)
		}
	}
	for p := range c.known {
		if len(c.known) <= maxContacts/2 {
			return
		}
		delete(c.known, p)
	}
}

// contactOf gives the id of a person's contact: the remembered one, the one with
// the e-mail, the one with the phone, or one that it makes, if that is wanted.
// Whatever does not end with an id leaves nothing done about an appointment.
func (c *Client) contactOf(ctx context.Context, p Person) (id string, res ghl.Result) {
	res = ghl.Result{Outcome: ghl.Delivered}
	if p.Email == "" && p.Phone == "" {
		return "", noContact(res)
	}
	id, cached := c.contacts.get(p)
	if !cached {
		if id, res = c.search(ctx, p); res.Outcome != ghl.Delivered {
			return "", res
		}
		c.contacts.put(p, id)
	}
	switch {
	case id != "":
		return id, res
	case !c.o.CreateContacts:
		return "", noContact(res)
	}
	return c.makeContact(ctx, p)
}

func noContact(res ghl.Result) ghl.Result {
	res.Outcome, res.Code = ghl.Permanent, ghl.CodeContactNotFound
	return res
}

func (c *Client) search(ctx context.Context, p Person) (id string, res ghl.Result) {
	if p.Email != "" {
		if id, res = c.FindContact(ctx, p.Email, ""); id != "" || res.Outcome != ghl.Delivered {
			return id, res
		}
	}
	if p.Phone != "" {
		id, res = c.FindContact(ctx, "", p.Phone)
	}
	return id, res
}

// makeContact upserts one at a time. To repeat it is harmless, so a doubt about it
// is none about the appointment.
func (c *Client) makeContact(ctx context.Context, p Person) (id string, res ghl.Result) {
	select {
	case c.contacts.making <- struct{}{}:
		defer func() { <-c.contacts.making }()
	case <-ctx.Done():
		return "", waited(ctx.Err())
	}
	if id, _ := c.contacts.get(p); id != "" {
		return id, ghl.Result{Outcome: ghl.Delivered} // somebody else was first
	}
	if id, res = c.UpsertContact(ctx, p); res.Outcome == ghl.Delivered {
		c.contacts.put(p, id)
		return id, res
	}
	if res.Outcome == ghl.Unknown {
		res.Outcome = ghl.Retry
	}
	res.MaybeActed = false
	return "", res
}
