package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ghlsync/ghl"
	"ghlsync/ghl/sandbox"
)

// clock is one that the test moves.
type clock struct{ nanos atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1705312800, c.nanos.Load()) }

func (c *clock) pass(d time.Duration) { c.nanos.Add(int64(d)) }

func TestQuota(t *testing.T) {
	t.Parallel()
	var c clock
	r := start(t, sandbox.Options{Now: c.now, API: sandbox.API{
		Contacts: []sandbox.Contact{{ID: "c1"}},
		Quota:    sandbox.Quota{Burst: 2, Interval: time.Second, Daily: 3},
	}})
	call := func() string {
		t.Helper()
		a := r.api(t, "GET", "/calendars/calHandover", nil)
		return fmt.Sprint(a.status, a.header["X-Ratelimit-Max"], a.header["X-Ratelimit-Remaining"],
			a.header["X-Ratelimit-Interval-Milliseconds"], a.header["X-Ratelimit-Limit-Daily"], a.header["X-Ratelimit-Daily-Remaining"])
	}
	for i, want := range []string{"200 [2] [1] [1000] [3] [2]", "200 [2] [0] [1000] [3] [1]", "429 [2] [0] [1000] [3] [1]"} {
		if got := call(); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	c.pass(time.Second)
	for i, want := range []string{"200 [2] [1] [1000] [3] [0]", "429 [2] [1] [1000] [3] [0]"} {
		if got := call(); got != want {
			t.Errorf("next interval, %d: %s, want %s", i, got, want)
		}
	}
	c.pass(24 * time.Hour)
	if got := call(); got != "200 [2] [1] [1000] [3] [2]" {
		t.Errorf("next day: %s", got)
	}
	if s := r.Stats(); s.RateLimited != 2 || s.Violations != 0 || s.Requests != 6 {
		t.Errorf("%+v", s)
	}
	// The webhook has none.
	if a := r.mustSend(t, "d1", body(ghl.Created, "e1", "")); a.status != 200 || a.header["X-Ratelimit-Max"] != nil {
		t.Errorf("%+v", a)
	}
}

func TestContactSearchLags(t *testing.T) {
	t.Parallel()
	var c clock
	r := start(t, sandbox.Options{Now: c.now, API: sandbox.API{
		Contacts:  []sandbox.Contact{{ID: "old", Email: "Old@Example.com", Phone: "+1 234", Tags: []string{"vip"}}},
		SearchLag: 10 * time.Second,
	}})
	find := func(name, value string) string {
		t.Helper()
		query := url.Values{"locationId": {"sandboxLocation"}, name: {value}}
		contact, _ := r.ok(t, "GET", "/contacts/search/duplicate?"+query.Encode(), nil)["contact"].(object)
		id, _ := contact["id"].(string)
		return id
	}
	if byEmail, byPhone := find("email", "old@example.com"), find("number", "+1234"); byEmail != "old" || byPhone != "old" {
		t.Errorf("found %q and %q", byEmail, byPhone)
	}
	upsert := object{"locationId": "sandboxLocation", "email": "new+1@example.com", "phone": nil, "firstName": "New", "lastName": "Client"}
	first := r.api(t, "POST", "/contacts/upsert", upsert)
	second := r.api(t, "POST", "/contacts/upsert", upsert)
	id, again := contactOf(t, first.body), contactOf(t, second.body)
	if first.status != 201 || second.status != 200 || id == "" || id != again || !strings.Contains(second.body, `"new":false`) {
		t.Errorf("%+v, %+v", first, second)
	}
	if got := find("email", "new+1@example.com"); got != "" {
		t.Errorf("found %q at once", got)
	}
	r.book(t, r.with(booking("e1"), object{"contactId": id})) // by id it is there
	c.pass(10 * time.Second)
	if got := find("email", "new+1@example.com"); got != id {
		t.Errorf("found %q, want %q", got, id)
	}
	r.ok(t, "POST", "/contacts/upsert", object{"locationId": "sandboxLocation", "email": "old@example.com", "name": "Old"})
	if all := r.Contacts(); len(all) != 2 || all[0].Name != "Old" || len(all[0].Tags) != 1 || all[1].Name != "New Client" {
		t.Errorf("%+v", all)
	}
	if s := r.Stats(); s.Violations != 0 {
		t.Errorf("%+v", r.Violations())
	}

	r.ok(t, "POST", "/contacts/upsert", object{"locationId": "sandboxLocation", "email": "old@example.com", "tags": []string{"x"}})
	r.ok(t, "GET", "/contacts/search/duplicate?locationId=sandboxLocation&number=+1234", nil)
	if s := r.Stats(); s.Violations != 2 || r.Contacts()[0].Tags[0] != "x" {
		t.Errorf("tags and a bare plus: %+v, %+v", r.Violations(), r.Contacts())
	}
}

func contactOf(t *testing.T, body string) string {
	t.Helper()
	var answer struct{ Contact struct{ ID string } }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Contact.ID
}

func TestContactsOnTheirOwn(t *testing.T) {
	t.Parallel()
	r := start(t, sandbox.Options{API: sandbox.API{AutoContacts: true}})
	const path = "/contacts/search/duplicate?locationId=sandboxLocation&email=any%40example.com"
	first, second := r.api(t, "GET", path, nil), r.api(t, "GET", path, nil)
	if id := contactOf(t, first.body); id == "" || id != contactOf(t, second.body) {
		t.Errorf("%+v, %+v", first, second)
	}
	r.call(t, "PUT", "/sandbox/api", `{"auto_contacts":false}`, 200, nil)
	if a := r.api(t, "GET", strings.Replace(path, "any", "other", 1), nil); !strings.Contains(a.body, `"contact":null`) {
		t.Errorf("%+v", a)
	}
	var ids []string
	r.call(t, "POST", "/sandbox/contacts", `[{"email":"other@example.com"},{"id":"c9","phone":"+1"}]`, 200, &ids)
	if len(ids) != 2 || ids[1] != "c9" || len(r.Contacts()) != 3 {
		t.Errorf("%v, %+v", ids, r.Contacts())
	}
	r.Reset()
	if len(r.Contacts()) != 0 || !r.API().AutoContacts {
		t.Errorf("after a reset: %+v, %+v", r.Contacts(), r.API())
	}
}
