package openapicheck_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ghlsync/internal/openapicheck"
)

// right is a create as it should be.
const right = `{"calendarId":"k","locationId":"l","contactId":"c","startTime":"2024-01-15T10:00:00-05:00","toNotify":false}`

func request(t *testing.T, method, target, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("Version", "2021-04-15")
	if strings.HasPrefix(target, "/contacts") {
		r.Header.Set("Version", "2021-07-28")
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	return r
}

func TestRequest(t *testing.T) {
	t.Parallel()
	spec := openapicheck.Find(t)
	const create, span = "/calendars/events/appointments", "startTime=1705312800000&endTime=1705320000000"
	for name, test := range map[string]struct{ method, target, body, want string }{
		"create":                    {"POST", create, right, ""},
		"update":                    {"PUT", create + "/a1", `{"appointmentStatus":"confirmed"}`, ""},
		"get":                       {"GET", create + "/a1", "", ""},
		"delete":                    {"DELETE", "/calendars/events/a1", "{}", ""},
		"list":                      {"GET", "/calendars/events?locationId=l&calendarId=k&" + span, "", ""},
		"calendar":                  {"GET", "/calendars/k", "", ""},
		"search":                    {"GET", "/contacts/search/duplicate?locationId=l&email=a%2Bb%40example.com&number=%2B1", "", ""},
		"upsert":                    {"POST", "/contacts/upsert", `{"locationId":"l","email":"a@example.com","phone":null,"dateOfBirth":"1990-09-25"}`, ""},
		"create without a contact":  {"POST", create, strings.Replace(right, `"contactId":"c",`, "", 1), `"contactId"`},
		"create with a number":      {"POST", create, strings.Replace(right, `"k"`, "1", 1), "/calendarId"},
		"create with a flag's name": {"POST", create, strings.Replace(right, "false", `"false"`, 1), "/toNotify"},
		"create with notes":         {"POST", create, strings.Replace(right, "toNotify", "notes", 1), `"notes" is unsupported`},
		"create without a body":     {"POST", create, "", "value is required"},
		"update with a status":      {"PUT", create + "/a1", `{"appointmentStatus":"booked"}`, "/appointmentStatus"},
		"update with a location":    {"PUT", create + "/a1", `{"locationId":"l"}`, `"locationId" is unsupported`},
		"delete without a body":     {"DELETE", "/calendars/events/a1", "", "value is required"},
		"list without a span":       {"GET", "/calendars/events?locationId=l&calendarId=k", "", "startTime"},
		"list with a page":          {"GET", "/calendars/events?locationId=l&page=1&" + span, "", "query parameter page"},
		"get with a body":           {"GET", create + "/a1", "{}", "body"},
		"another call":              {"POST", "/calendars/events/a1", "{}", "no such call"},
	} {
		err := spec.Request(request(t, test.method, test.target, test.body))
		switch {
		case spec == nil || test.want == "":
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case err == nil || !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	spec := openapicheck.Find(t)
	for _, test := range []struct{ name, value string }{
		{"Version", ""}, {"Version", "2021-07-28"}, {"Authorization", ""}, {"Authorization", "x"}, {"Content-Type", "text/plain"},
	} {
		r := request(t, "POST", "/calendars/events/appointments", right)
		r.Header.Set(test.name, test.value)
		if err := spec.Request(r); err == nil && spec != nil {
			t.Errorf("%s %q passes", test.name, test.value)
		}
	}
}

func TestHandlerReportsAndHandsOn(t *testing.T) {
	t.Parallel()
	spec := openapicheck.Find(t)
	var bodies, reports int
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil && strings.HasPrefix(string(body), "{") {
			bodies++
		}
	})
	handler := spec.Handler(next, func(...any) { reports++ })
	for _, body := range []string{right, "{}"} {
		handler.ServeHTTP(httptest.NewRecorder(), request(t, "POST", "/calendars/events/appointments", body))
	}
	want := 1
	if spec == nil {
		want = 0
	}
	if bodies != 2 || reports != want {
		t.Errorf("%d bodies, %d reports, want 2 and %d", bodies, reports, want)
	}
}

func TestResponse(t *testing.T) {
	t.Parallel()
	spec := openapicheck.Find(t)
	r := request(t, "GET", "/calendars/events/appointments/a1", "")
	for name, test := range map[string]struct {
		status int
		body   string
		right  bool
	}{
		"times are text":  {200, `{"event":` + event(`"2024-01-15T10:00:00Z"`) + `}`, true},
		"times are not":   {200, `{"event":` + event(`{}`) + `}`, false},
		"no id":           {200, `{"event":{}}`, false},
		"list of errors":  {400, `{"statusCode":400,"message":["x"]}`, false},
		"error":           {400, `{"statusCode":400,"message":"x"}`, true},
		"status of GHL's": {404, `{}`, true},
	} {
		err := spec.Response(r, &http.Response{
			StatusCode: test.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(test.body)),
		})
		if (err == nil) != test.right && spec != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func event(at string) string {
	return `{"id":"a1","title":"","calendarId":"","locationId":"","contactId":"","groupId":"","appointmentStatus":"new","assignedUserId":"",` +
		`"users":[],"startTime":` + at + `,"endTime":"","dateAdded":"","dateUpdated":""}`
}

func TestFolderWithoutFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := openapicheck.Load(dir); err == nil {
		t.Error("an empty folder loads")
	}
	if err := os.WriteFile(filepath.Join(dir, "calendars.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openapicheck.Load(dir); err == nil {
		t.Error("a broken file loads")
	}
	var none *openapicheck.Spec
	if err := none.Request(request(t, "POST", "/nothing", "")); err != nil {
		t.Error(err)
	}
}
