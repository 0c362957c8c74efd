package api

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"ghlsync/ghl"
)

func TestContactIsRemembered(t *testing.T) {
	t.Parallel()
	made := on(post, 200, `{"id":"app1"}`)
	unknown := on(post, 400, `{"message":"Contact not found"}`)
	d := newDouble(t,
		on(byEmail, 200, nobody), on(byPhone, 200, nobody), // at 0 s, and not at 4 s
		on(byEmail, 200, nobody), on(byPhone, 200, someone), made, // at 5 s
		made, unknown, // at 5 s: the contact is gone
		on(byEmail, 200, someone), unknown, // at 5 s: so it is
		on(byEmail, 200, someone), made, // at 5 s
		made,                            // just before 605 s
		on(byEmail, 200, someone), made, // at 605 s
	)
	now := noon
	o := options(d.url)
	o.Now = func() time.Time { return now }
	c := newClient(t, o)
	for i, step := range []struct {
		after time.Duration
		want  ghl.Outcome
		code  string
	}{
		{0, ghl.Permanent, "CONTACT_NOT_FOUND"},
		{4 * time.Second, ghl.Permanent, "CONTACT_NOT_FOUND"},
		{time.Second, ghl.Delivered, ""},
		{0, ghl.Delivered, ""},
		{0, ghl.Retry, "CONTACT_NOT_FOUND"},
		{0, ghl.Permanent, "CONTACT_NOT_FOUND"},
		{0, ghl.Delivered, ""},
		{10*time.Minute - 1, ghl.Delivered, ""},
		{1, ghl.Delivered, ""},
	} {
		now = now.Add(step.after)
		if res := c.Send(t.Context(), request(c, ghl.Created, nil)); res.Outcome != step.want || res.Code != step.code {
			t.Errorf("step %d: %+v, want %s %s", i, res, step.want, step.code)
		}
	}
}

// A doubt about the contact is none about the appointment.
func TestContactNotMade(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status int
		body   string
		want   ghl.Result
	}{
		"lost":    {0, ``, ghl.Result{Outcome: ghl.Retry, Code: "CONNECTION_LOST"}},
		"no id":   {200, `{"contact":{}}`, ghl.Result{Outcome: ghl.Retry, Code: "MALFORMED_ANSWER", HTTPStatus: 200}},
		"null":    {200, `{"contact":null}`, ghl.Result{Outcome: ghl.Retry, Code: "MALFORMED_ANSWER", HTTPStatus: 200}},
		"broken":  {500, ``, ghl.Result{Outcome: ghl.Retry, Code: "HTTP_500", HTTPStatus: 500}},
		"refused": {422, `{"message":["email must be an email"]}`, ghl.Result{Outcome: ghl.Permanent, Code: "HTTP_422", HTTPStatus: 422}},
	} {
		d := newDouble(t, on(byEmail, 200, nobody), on(byPhone, 200, nobody), on(upsert, test.status, test.body))
		o := options(d.url)
		o.CreateContacts = true
		c := newClient(t, o)
		got := c.Send(t.Context(), request(c, ghl.Created, nil))
		got.Duration = 0
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// Two events of a new client at once make one contact.
func TestOneContactForTwoEvents(t *testing.T) {
	t.Parallel()
	var upserts, ids atomic.Int32
	searched, pass := make(chan struct{}), make(chan struct{})
	url := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/contacts/search/duplicate":
			if r.URL.Query().Has("number") {
				searched <- struct{}{} // both search before one makes it
				<-pass
			}
			_, _ = io.WriteString(w, nobody)
		case "/contacts/upsert":
			upserts.Add(1)
			_, _ = io.WriteString(w, someone)
		default:
			_, _ = io.WriteString(w, `{"id":"app`+string('0'+ids.Add(1))+`"}`)
		}
	})
	o := options(url)
	o.CreateContacts = true
	c := newClient(t, o)
	results := make(chan ghl.Result, 2)
	for range 2 {
		go func() { results <- c.Send(t.Context(), request(c, ghl.Created, nil)) }()
	}
	<-searched
	<-searched
	close(pass)
	for range 2 {
		if res := <-results; res.Outcome != ghl.Delivered {
			t.Errorf("%+v", res)
		}
	}
	if n := upserts.Load(); n != 1 {
		t.Errorf("%d upserts", n)
	}
}

// A search that began before somebody made the contact does not have it made again.
func TestALateSearchForgetsNobody(t *testing.T) {
	t.Parallel()
	now := noon
	c, p := newContacts(func() time.Time { return now }), Person{Email: "a@b.example"}
	c.put(p, "x")
	c.put(p, "")
	if id, ok := c.get(p); id != "x" || !ok {
		t.Errorf("%q, %t", id, ok)
	}
	now = now.Add(contactTTL)
	c.put(p, "")
	if id, ok := c.get(p); id != "" || !ok {
		t.Errorf("%q, %t", id, ok)
	}
}

func TestContactsAreBounded(t *testing.T) {
	t.Parallel()
	c := newContacts(func() time.Time { return noon })
	for i := range 3 * maxContacts {
		c.put(Person{Email: string(rune(0x10000 + i))}, "x")
	}
	if n := len(c.known); n > maxContacts {
		t.Errorf("%d contacts are kept", n)
	}
}

func TestNormalPerson(t *testing.T) {
	t.Parallel()
	for phone, want := range map[string]string{
		"+1 (234) 567-890": "+1234567890", " +49\u00a030/12.34 ": "+49301234", "030 123": "030123", "0049 30": "004930",
		"": "", "n/a": "", "-": "", "+": "", "+1234 ext 5": "+1234ext5",
	} {
		if got := (Person{Phone: phone}).normal().Phone; got != want {
			t.Errorf("%q: %q, want %q", phone, got, want)
		}
	}
	if got := (Person{Email: " A@B.example\n"}).normal().Email; got != "a@b.example" {
		t.Errorf("e-mail %q", got)
	}
}
