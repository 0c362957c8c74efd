package api

import (
	"context"
	"net/url"
	"strings"

	"ghlsync/ghl"
)

// Person is whom an event is for. It holds client data.
type Person struct{ Email, Phone, Name string }

// normal brings e-mail and phone into the form in which GHL compares them. Of a
// number only what formats it is taken out: which country one without a + is in is
// not ours to guess.
func (p Person) normal() Person {
	return Person{Email: strings.ToLower(strings.TrimSpace(p.Email)), Phone: dialled(p.Phone), Name: strings.TrimSpace(p.Name)}
}

func dialled(phone string) string {
	phone = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch r {
		case ' ', '\t', '\u00a0', '\u202f', '-', '\u2010', '\u2011', '\u2013', '.', '/', '(', ')':
			return -1
		}
		return r
	}, phone))
	if !strings.ContainsAny(phone, "0123456789") {
		return ""
	}
	return phone
}

// FindContact looks for a contact by e-mail or by phone, whichever is not empty:
// GET /contacts/search/duplicate, Version 2021-07-28, operation
// get-duplicate-contact of contacts.json, which has no schema of the answer. An
// empty id, Delivered, says that there is none, though one made in the last ten
// seconds or so may not show.
func (c *Client) FindContact(ctx context.Context, email, phone string) (id string, res ghl.Result) {
	query := url.Values{"locationId": {c.o.LocationID}}
	if email != "" {
		query.Set("email", email)
	}
	if phone != "" {
		query.Set("number", phone)
	}
	id, res = c.contact(ctx, call{kind: findContact, path: []string{"contacts", "search", "duplicate"}, query: query})
	if res.Outcome == ghl.NotFound {
		res.Outcome, res.Code = ghl.Delivered, ""
	}
	return id, res
}

// UpsertContact makes a contact, or finds and changes the one with the same e-mail
// or phone: POST /contacts/upsert, Version 2021-07-28, operation upsert-contact. It
// sends no tags, which would replace those that the contact has.
func (c *Client) UpsertContact(ctx context.Context, p Person) (id string, res ghl.Result) {
	k := call{kind: upsertContact, path: []string{"contacts", "upsert"}, body: struct {
		LocationID string `json:"locationId"`
		Email      string `json:"email,omitempty"`
		Phone      string `json:"phone,omitempty"`
		Name       string `json:"name,omitempty"`
	}{c.o.LocationID, p.Email, p.Phone, p.Name}}
	if id, res = c.contact(ctx, k); res.Outcome == ghl.Delivered && id == "" {
		res = k.malformed(res)
	}
	return id, res
}

// contact makes a call that is answered with a contact, or null.
func (c *Client) contact(ctx context.Context, k call) (id string, res ghl.Result) {
	var answer struct {
		Contact *struct {
			ID text `json:"id"`
		} `json:"contact"`
	}
	res = c.fetch(ctx, k, &answer)
	if res.Outcome != ghl.Delivered || answer.Contact == nil {
		return "", res
	}
	if answer.Contact.ID == "" {
		return "", k.malformed(res)
	}
	return string(answer.Contact.ID), res
}
