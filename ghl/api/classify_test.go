package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ghlsync/ghl"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func TestClassify(t *testing.T) {
	t.Parallel()
	type want = ghl.Result
	const found, acted = ghl.NotFound, true
	parked := func(code string) want { return want{Outcome: ghl.Permanent, Code: code} }
	gone := func(code string) want { return want{Outcome: found, Code: code} }
	paused := func(code string) want { return want{Outcome: ghl.Paused, Code: code} }
	later := func(code string, maybe bool) want { return want{Outcome: ghl.Retry, Code: code, MaybeActed: maybe} }
	create, update, read, del, list := createAppointment, updateAppointment, getAppointment, deleteAppointment, listEvents
	for name, test := range map[string]struct {
		kind   kind
		status int
		body   string
		want   want
	}{
		"created":   {create, 200, `{"id":"a"}`, want{Outcome: ghl.Delivered}},
		"created 2": {create, 201, `{"id":"a"}`, want{Outcome: ghl.Delivered}},
		"deleted":   {del, 201, `{"succeeded":true}`, want{Outcome: ghl.Delivered}},

		// The way to GHL is shut.
		"moved":          {create, 301, ``, paused("REDIRECT")},
		"not modified":   {read, 304, ``, paused("REDIRECT")},
		"token":          {create, 401, `{"statusCode":401,"message":"Invalid JWT","error":"Unauthorized"}`, paused("API_UNAUTHORIZED")},
		"token, read":    {list, 401, ``, paused("API_UNAUTHORIZED")},
		"scope":          {create, 401, `{"statusCode":401,"message":"The token is not authorized for this scope."}`, paused("API_SCOPE_MISSING")},
		"location":       {del, 403, `{"message":"The token does not have access to this location."}`, paused("API_FORBIDDEN")},
		"no GHL":         {create, 404, `<html>404 page not found</html>`, paused("API_NOT_FOUND")},
		"no GHL, empty":  {update, 404, ``, paused("API_NOT_FOUND")},
		"no GHL, null":   {del, 404, `null`, paused("API_NOT_FOUND")},
		"no GHL, list":   {del, 404, `[]`, paused("API_NOT_FOUND")},
		"no route":       {create, 404, `{"statusCode":404,"message":"Cannot POST /calendars/events/appointments","error":"Not Found"}`, paused("API_NOT_FOUND")},
		"no route, read": {read, 404, `{"message":"Cannot GET /calendars/events/appointments/x"}`, paused("API_NOT_FOUND")},
		"no route, Kong": {del, 404, `{"message":"no Route matched with those values"}`, paused("API_NOT_FOUND")},

		// It is not there.
		"no appointment":         {update, 404, `{"statusCode":404,"message":"Appointment not found"}`, gone("APPOINTMENT_NOT_FOUND")},
		"no event":               {del, 404, `{"message":"The event does not exist"}`, gone("APPOINTMENT_NOT_FOUND")},
		"no appointment, bare":   {read, 404, `{"statusCode":404,"message":"Not Found"}`, gone("APPOINTMENT_NOT_FOUND")},
		"no appointment, error":  {read, 404, `{"statusCode":404,"error":"Not Found"}`, gone("APPOINTMENT_NOT_FOUND")},
		"no appointment, 410":    {update, 410, `{"message":"Appointment not found"}`, gone("APPOINTMENT_NOT_FOUND")},
		"no appointment, 400":    {update, 400, `{"message":"No such appointment"}`, gone("APPOINTMENT_NOT_FOUND")},
		"no appointment, 422":    {del, 422, `{"message":["x","Could not find event"]}`, gone("APPOINTMENT_NOT_FOUND")},
		"no appointment, id":     {update, 400, `{"statusCode":400,"message":"The event id is invalid."}`, gone("APPOINTMENT_NOT_FOUND")},
		"no appointment's owner": {update, 404, `{"message":"Contact not found"}`, parked("CONTACT_NOT_FOUND")},
		"404 of some other kind": {del, 404, `{"message":"Location is suspended"}`, parked("HTTP_404")},
		"404 without a message":  {del, 404, `{}`, parked("HTTP_404")},
		"no calendar to read":    {getCalendar, 404, `{"message":"Calendar not found"}`, gone("CALENDAR_NOT_FOUND")},
		"no calendar to list":    {list, 400, `{"message":"Calendar does not exist"}`, gone("CALENDAR_NOT_FOUND")},
		"no contact":             {findContact, 400, `{"message":"Contact not found"}`, gone("CONTACT_NOT_FOUND")},

		// It will not have it.
		"slot":                  {create, 400, `{"statusCode":400,"message":"The slot you have selected is no longer available."}`, parked("SLOT_TAKEN")},
		"user":                  {create, 422, `{"statusCode":422,"message":["The user id not part of calendar team"]}`, parked("USER_NOT_IN_CALENDAR")},
		"inactive":              {create, 400, `{"message":"Calendar is inactive"}`, parked("CALENDAR_INACTIVE")},
		"contact":               {create, 400, `{"message":"Contact not found"}`, parked("CONTACT_NOT_FOUND")},
		"contact, 404":          {create, 404, `{"message":"The contact does not exist"}`, parked("CONTACT_NOT_FOUND")},
		"calendar":              {create, 404, `{"message":"Calendar not found"}`, parked("CALENDAR_NOT_FOUND")},
		"time":                  {update, 422, `{"message":["endTime must be a valid ISO 8601 date string"]}`, parked("INVALID_TIME")},
		"anything":              {create, 400, `{"message":"client@example.com is odd"}`, parked("HTTP_400")},
		"anything, no JSON":     {create, 422, `oops`, parked("HTTP_422")},
		"anything, 404":         {create, 404, `{"message":"Not Found"}`, parked("HTTP_404")},
		"conflict":              {update, 409, `{}`, parked("HTTP_409")},
		"too large":             {create, 413, ``, parked("HTTP_413")},
		"method":                {del, 405, ``, parked("HTTP_405")},
		"message of many kinds": {create, 422, `{"message":[{"x":1},7,null,"Calendar is inactive"],"error":5}`, parked("CALENDAR_INACTIVE")},

		// Not now.
		"busy":           {create, 429, ``, want{Outcome: ghl.Retry, Code: "HTTP_429", RetryAfter: 10 * time.Second}},
		"too early":      {create, 425, ``, later("HTTP_425", false)},
		"down":           {create, 503, ``, later("HTTP_503", false)},
		"time-out":       {create, 408, ``, later("HTTP_408", acted)},
		"time-out, read": {read, 408, ``, later("HTTP_408", false)},
		"broken":         {create, 500, ``, later("HTTP_500", acted)},
		"broken, update": {update, 502, ``, later("HTTP_502", acted)},
		"broken, delete": {del, 504, ``, later("HTTP_504", acted)},
		"broken, read":   {list, 500, ``, later("HTTP_500", false)},
		"broken, 599":    {upsertContact, 599, ``, later("HTTP_599", acted)},

		"odd":       {create, 700, ``, want{Outcome: ghl.Unknown, Code: "MALFORMED_ANSWER", MaybeActed: acted}},
		"odd, read": {read, 101, ``, later("MALFORMED_ANSWER", false)},
	} {
		test.want.HTTPStatus = test.status
		got := classify(test.kind, ghl.Answer{Status: test.status, Body: []byte(test.body)}, noon)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
}

func TestWaits(t *testing.T) {
	t.Parallel()
	const left, window, most, daily, dailyLeft = "X-RateLimit-Remaining", "X-RateLimit-Interval-Milliseconds", "X-RateLimit-Max", "X-RateLimit-Limit-Daily", "X-RateLimit-Daily-Remaining"
	for name, test := range map[string]struct {
		status int
		header map[string]string
		want   time.Duration
	}{
		"nothing told":        {429, nil, 10 * time.Second},
		"told":                {429, map[string]string{"Retry-After": "3"}, 3 * time.Second},
		"window":              {429, map[string]string{window: "2500", left: "1"}, 2500 * time.Millisecond},
		"window used up":      {429, map[string]string{window: "2500", left: "0"}, 2500 * time.Millisecond},
		"window and told":     {429, map[string]string{window: "2500", left: "0", "Retry-After": "9"}, 9 * time.Second},
		"window of no use":    {429, map[string]string{window: "soon"}, 10 * time.Second},
		"window too long":     {429, map[string]string{window: "999999999"}, time.Hour},
		"day used up":         {429, map[string]string{daily: "200000", dailyLeft: "0", window: "10000"}, time.Hour},
		"date":                {503, map[string]string{"Retry-After": "Thu, 15 Jan 2026 12:00:30 GMT"}, 30 * time.Second},
		"done, rest used up":  {200, map[string]string{most: "100", left: "0", window: "10000"}, 10 * time.Second},
		"done, rest not used": {200, map[string]string{most: "100", left: "1", window: "10000"}, 0},
	} {
		header := make(http.Header)
		for name, value := range test.header {
			header.Set(name, value)
		}
		got := classify(createAppointment, ghl.Answer{Status: test.status, Header: header}, noon)
		if got.RetryAfter != test.want {
			t.Errorf("%s: %s, want %s", name, got.RetryAfter, test.want)
		}
	}
}

func TestObserve(t *testing.T) {
	t.Parallel()
	with := func(s step, header map[string]string) step {
		s.answer.header = header
		return s
	}
	d := newDouble(t,
		with(on(get+"a", 200, `{"id":"a"}`), map[string]string{
			"X-RateLimit-Max": "100", "X-RateLimit-Remaining": "97", "X-RateLimit-Interval-Milliseconds": "10000",
			"X-RateLimit-Limit-Daily": "200000", "X-RateLimit-Daily-Remaining": "199997",
		}),
		on(get+"b", 200, `{"id":"b"}`),
		with(on(get+"c", 429, ``), map[string]string{"X-RateLimit-Max": "100", "X-RateLimit-Remaining": "0"}),
		with(on(get+"d", 429, ``), map[string]string{"X-RateLimit-Max": "many", "X-RateLimit-Remaining": "-1", "X-RateLimit-Daily-Remaining": "5"}),
	)
	var got []ghl.Quota
	o := options(d.url)
	o.Observe = func(q ghl.Quota) { got = append(got, q) }
	c := newClient(t, o)
	for _, id := range []string{"a", "b", "c", "d"} {
		c.GetAppointment(t.Context(), id)
	}
	want := []ghl.Quota{
		{Max: 100, Remaining: 97, Interval: 10 * time.Second, DailyMax: 200_000, DailyRemaining: 199_997},
		{Max: 100, DailyMax: -1, DailyRemaining: -1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

var code = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

// FuzzAnswer feeds answers of any kind to every call: nothing panics, what may be
// stored and logged stays within its bounds, and nothing but a whole success is
// taken for one.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		``, `{}`, `null`, `[]`, `"x"`, `{"id":"a"}`, `{"id":7,"deleted":"true"}`, `{"event":{"id":"a","startTime":{"seconds":5}}}`, `{"appointment":[]}`,
		`{"events":[{"id":"a","startTime":1680373800000}]}`, `{"events":[null]}`, `{"contact":{"id":""}}`, `{"contact":null}`, `{"calendar":{"isActive":0}}`,
		`{"message":["Not Found"]}`, `{"message":{"x":[]},"error":"calendar"}`, `{"succeeded":true}`,
	} {
		for _, status := range []int{200, 201, 204, 302, 400, 401, 404, 422, 429, 500, 503} {
			f.Add(status, []byte(body))
		}
	}
	var now struct {
		status int
		body   []byte
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(now.status)
		_, _ = w.Write(now.body) // not every status has a body
	}))
	f.Cleanup(server.Close)
	c, err := New(options(server.URL))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(c.Close)
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 999 {
			return
		}
		now.status, now.body = status, body
		checkReads(t, c)
		checkWrites(t, c)
	})
}

func checkReads(t *testing.T, c *Client) {
	t.Helper()
	a, res := c.GetAppointment(t.Context(), "a")
	checkResult(t, false, res, a.ID != "")
	_, res = c.ListEvents(t.Context(), "c", noon, noon)
	checkResult(t, false, res, true)
	_, res = c.GetCalendar(t.Context(), "c")
	checkResult(t, false, res, true)
	_, res = c.FindContact(t.Context(), "e", "")
	checkResult(t, false, res, true)
}

func checkWrites(t *testing.T, c *Client) {
	t.Helper()
	id, res := c.CreateAppointment(t.Context(), Appointment{})
	checkResult(t, true, res, id != "" && res.AppointmentID == id)
	checkResult(t, true, c.UpdateAppointment(t.Context(), Appointment{ID: "a"}), true)
	checkResult(t, true, c.DeleteAppointment(t.Context(), "a"), true)
	id, res = c.UpsertContact(t.Context(), Person{})
	checkResult(t, true, res, id != "")
}

// checkResult judges the result of a call that acts or does not; whole tells
// whether it came with what a success comes with.
func checkResult(t *testing.T, acts bool, res ghl.Result, whole bool) {
	t.Helper()
	good := res.HTTPStatus >= 200 && res.HTTPStatus < 300
	if res.Outcome == ghl.Delivered && !(whole && (good || !acts)) {
		t.Errorf("taken for a success: %+v", res)
	}
	if res.Outcome != ghl.Delivered && !code.MatchString(res.Code) {
		t.Errorf("code %q", res.Code)
	}
	if res.MaybeActed && (!acts || res.Outcome == ghl.Permanent || res.Outcome == ghl.Paused) || res.Outcome == ghl.Unknown && !res.MaybeActed {
		t.Errorf("maybe acted: %+v", res)
	}
	if res.RetryAfter < 0 || res.RetryAfter > time.Hour {
		t.Errorf("wait %s", res.RetryAfter)
	}
}

// A call by itself is no more than a request; one that takes long ends in time.
func TestCallsEnd(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	d := newServer(t, func(http.ResponseWriter, *http.Request) { <-hang })
	t.Cleanup(func() { close(hang) })
	o := options(d)
	o.Timeout = time.Second
	c := newClient(t, o)
	_, read := c.GetAppointment(t.Context(), "a")
	_, made := c.CreateAppointment(t.Context(), Appointment{})
	sent := c.Send(t.Context(), request(c, ghl.Created, nil))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	gone := c.Send(cancelled, request(c, ghl.Created, nil))
	for _, test := range []struct {
		name      string
		got, want ghl.Result
	}{
		{"read", read, ghl.Result{Outcome: ghl.Retry, Code: "TIMEOUT"}},
		{"made", made, ghl.Result{Outcome: ghl.Unknown, Code: "TIMEOUT", MaybeActed: true}},
		{"sent, no further than a search", sent, ghl.Result{Outcome: ghl.Retry, Code: "TIMEOUT"}},
		{"cancelled", gone, ghl.Result{Outcome: ghl.Retry, Code: "INTERRUPTED"}},
	} {
		test.got.Duration = 0
		if test.got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, test.got, test.want)
		}
	}
}

// Nothing of a request or an answer shows in what is returned.
func TestNothingShows(t *testing.T) {
	t.Parallel()
	const leak = `{"message":"client+x@example.com topsecret is odd","error":"+1234567890","error_code":"client@example.com"}`
	for _, status := range []int{0, 400, 401, 404, 422, 500} {
		d := newDouble(t, on(byEmail, status, leak))
		c := newClient(t, options(d.url))
		res := c.Send(t.Context(), request(c, ghl.Created, nil))
		text := fmt.Sprintf("%+v %#v %s %v", res, res, ghl.Explain(res.Code), c.LogValue())
		for _, secret := range []string{"example.com", "topsecret", "1234567890", "number=", "search"} {
			if strings.Contains(text, secret) && !strings.Contains(ghl.Explain(res.Code), secret) {
				t.Errorf("%d: %s shows in %s", status, secret, text)
			}
		}
	}
}
