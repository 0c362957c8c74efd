package api

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/ghl"
)

const (
	token      = "pit-topsecret"
	location   = "loc1"
	onboarding = "cal-onboarding"
	handover   = "cal-handover"
	eventID    = "event-1753862400.123456"
)

// answer is what the double says to one request.
type answer struct {
	status int
	body   string
	header map[string]string
}

// seen is one request that the double got.
type seen struct {
	line string // method, path and query
	body string
	head http.Header
}

// double answers the calls in the order of a script, each of which names the
// request it is for by method and the beginning of its path and query.
type double struct {
	t   *testing.T
	url string

	mu     sync.Mutex
	script []step
	got    []seen
}

type step struct {
	want   string
	answer answer
}

func on(want string, status int, body string) step {
	return step{want: want, answer: answer{status: status, body: body}}
}

func newDouble(t *testing.T, script ...step) *double {
	t.Helper()
	d := &double{t: t, script: script}
	server := httptest.NewServer(d)
	d.url = server.URL
	t.Cleanup(func() {
		server.Close()
		for _, s := range d.script {
			t.Errorf("no request %s", s.want)
		}
	})
	return d
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		d.t.Error(err)
	}
	line := r.Method + " " + r.RequestURI
	d.got = append(d.got, seen{line: line, body: string(body), head: r.Header})
	d.checkHeaders(r)
	if len(d.script) == 0 || !strings.HasPrefix(line, d.script[0].want) {
		d.t.Errorf("unexpected request %s", line)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	a := d.script[0].answer
	d.script = d.script[1:]
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	if a.status == 0 {
		panic(http.ErrAbortHandler) // the connection breaks
	}
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.body) // the client's side tells
}

func (d *double) checkHeaders(r *http.Request) {
	version := "2021-04-15"
	if strings.HasPrefix(r.URL.Path, "/contacts") {
		version = "2021-07-28"
	}
	want := map[string]string{
		"Authorization": "Bearer " + token, "Accept": "application/json", "Accept-Encoding": "identity",
		"Version": version, "User-Agent": "ghlsync/1.2.3",
	}
	if r.Method != http.MethodGet {
		want["Content-Type"] = "application/json"
	}
	got := make(map[string]string)
	for name, values := range r.Header {
		if name != "Content-Length" {
			got[name] = strings.Join(values, "|")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		d.t.Errorf("headers of %s (-want +got)\n%s", r.Method, diff)
	}
}

func (d *double) lines() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var lines []string
	for _, s := range d.got {
		lines = append(lines, s.line)
	}
	return lines
}

// bodyOf gives the body of the only request that begins so.
func (d *double) bodyOf(t *testing.T, want string) map[string]any {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.got, func(s seen) bool { return strings.HasPrefix(s.line, want) })
	if i < 0 {
		t.Fatalf("no request %s", want)
	}
	var fields map[string]any
	if err := json.Unmarshal([]byte(d.got[i].body), &fields); err != nil {
		t.Fatalf("%s: %v", d.got[i].body, err)
	}
	return fields
}

func options(url string) Options {
	return Options{
		URL: url, Token: token, LocationID: location, Zone: berlin, Version: "1.2.3",
		Calendars:      map[string]string{"onboarding": onboarding, "handover": handover},
		IgnoreFreeSlot: true, Timeout: 10 * time.Second,
	}
}

var berlin = func() *time.Location {
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return z
}()

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const data = `{"sentra_event_id":"` + eventID + `","client_id":456,"client_email":"Client+x@example.com","client_phone":"+1 (234) 567-890",` +
	`"client_name":"Client Business Name","event_title":"Onboarding <Session>","event_type":"onboarding","start_date":"2026-01-15",` +
	`"end_date":"2026-01-15","start_time":"10:00","end_time":"11:00","description":"Initial client onboarding\n"}`

const (
	marker    = "ghlsync: " + eventID
	byEmail   = "GET /contacts/search/duplicate?email=client%2Bx%40example.com&locationId=loc1"
	byPhone   = "GET /contacts/search/duplicate?locationId=loc1&number=%2B1234567890"
	upsert    = "POST /contacts/upsert"
	post      = "POST /calendars/events/appointments"
	put       = "PUT /calendars/events/appointments/"
	get       = "GET /calendars/events/appointments/"
	remove    = "DELETE /calendars/events/"
	list      = "GET /calendars/events?calendarId="
	someone   = `{"contact":{"id":"con1"}}`
	nobody    = `{"contact":null}`
	noEvents  = `{"events":[]}`
	succeeded = `{"succeeded":true}`
)

func request(c *Client, op ghl.Operation, change func(*ghl.Request)) ghl.Request {
	r := ghl.Request{Operation: op, EventID: eventID, DeliveryID: "d1"}
	r.Body = c.Encode(op, eventID, "", []byte(data))
	if change != nil {
		change(&r)
	}
	return r
}

// there is an appointment of the event as a list or a GET shows it.
func there(id, status, more string) string {
	return `{"id":"` + id + `","calendarId":"` + onboarding + `","contactId":"con1","title":"Onboarding <Session>","appointmentStatus":"` + status + `",` +
		`"description":"Initial client onboarding\n` + marker + `","startTime":"2026-01-15T10:00:00+01:00","endTime":"2026-01-15T10:00:00Z"` + more + `}`
}

func undescribed(id string) string {
	return strings.Replace(there(id, "", ""), `"description"`, `"x"`, 1)
}

func events(list ...string) string { return `{"events":[` + strings.Join(list, ",") + `]}` }
