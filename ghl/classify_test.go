package ghl

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func TestClassify(t *testing.T) {
	t.Parallel()
	const update, create = Updated, Created
	type want = Result
	for name, test := range map[string]struct {
		op     Operation
		status int
		body   string
		want   Result
	}{
		// The four shapes.
		"guide":          {create, 200, `{"success":true,"appointment_id":"ghl_456","message":"ok"}`, want{Outcome: Delivered, AppointmentID: "ghl_456"}},
		"older":          {create, 200, `{"success":true,"ghl_appointment_id":"ghl_456"}`, want{Outcome: Delivered, AppointmentID: "ghl_456"}},
		"real":           {create, 200, `{"status":"Success: request sent to trigger execution server","id":"12345678901234567890"}`, want{Outcome: Delivered}},
		"failure":        {create, 200, `{"success":false,"error":"Contact not found in GHL","error_code":"CONTACT_NOT_FOUND"}`, want{Outcome: Permanent, Code: "CONTACT_NOT_FOUND"}},
		"id as a number": {create, 200, `{"appointment_id":456}`, want{Outcome: Delivered, AppointmentID: "456"}},
		"both names":     {create, 200, `{"ghl_appointment_id":"b","appointment_id":"a"}`, want{Outcome: Delivered, AppointmentID: "a"}},
		"first one null": {create, 200, `{"appointment_id":null,"ghl_appointment_id":"b"}`, want{Outcome: Delivered, AppointmentID: "b"}},
		"id of no use":   {create, 200, `{"appointment_id":{"x":1}}`, want{Outcome: Delivered}},
		"id with breaks": {create, 200, `{"appointment_id":"a\nb"}`, want{Outcome: Delivered}},
		"id too long":    {create, 200, `{"appointment_id":"` + strings.Repeat("x", 256) + `"}`, want{Outcome: Delivered}},
		"fraction":       {create, 200, `{"appointment_id":4.5}`, want{Outcome: Delivered}},

		// Whatever else is 2xx.
		"empty":       {create, 200, ``, want{Outcome: Delivered}},
		"no content":  {update, 204, ``, want{Outcome: Delivered}},
		"accepted":    {update, 202, `queued`, want{Outcome: Delivered}},
		"no JSON":     {create, 200, `<html>`, want{Outcome: Delivered}},
		"broken JSON": {create, 200, `{"success":false,`, want{Outcome: Delivered}},
		"list":        {create, 200, `[{"success":false}]`, want{Outcome: Delivered}},
		"nested":      {create, 200, `{"data":{"success":false}}`, want{Outcome: Delivered}},

		// Failures in a 2xx.
		"failure without code":  {create, 200, `{"success":false,"error":"secret text"}`, want{Outcome: Permanent, Code: "GHL_ERROR"}},
		"failure, code is text": {create, 200, `{"success":false,"error_code":"jane@example.com is unknown"}`, want{Outcome: Permanent, Code: "GHL_ERROR"}},
		"failure, lower case":   {create, 200, `{"success":false,"error_code":"contact_not_found"}`, want{Outcome: Permanent, Code: "GHL_ERROR"}},
		"failure, code of 65":   {create, 200, `{"success":false,"error_code":"` + strings.Repeat("A", 65) + `"}`, want{Outcome: Permanent, Code: "GHL_ERROR"}},
		"failure, line break":   {create, 200, `{"success":false,"error_code":"A\n"}`, want{Outcome: Permanent, Code: "GHL_ERROR"}},
		"failure as text":       {create, 200, `{"success":"False","error_code":"X"}`, want{Outcome: Permanent, Code: "X"}},
		"failure with id":       {create, 200, `{"success":false,"appointment_id":"a","error_code":"X"}`, want{Outcome: Permanent, Code: "X"}},
		"not found, update":     {update, 200, `{"success":false,"error_code":"APPOINTMENT_NOT_FOUND"}`, want{Outcome: NotFound, Code: "APPOINTMENT_NOT_FOUND"}},
		"not found, delete":     {Deleted, 200, `{"success":false,"error_code":"NOT_FOUND"}`, want{Outcome: NotFound, Code: "NOT_FOUND"}},
		"not found, create":     {create, 200, `{"success":false,"error_code":"NOT_FOUND"}`, want{Outcome: Permanent, Code: "NOT_FOUND"}},

		// Draft workflow.
		"draft":         {create, 200, `{"status":"Success: test request received"}`, want{Outcome: Paused, Code: "WORKFLOW_INACTIVE"}},
		"draft with id": {create, 200, `{"status":"Success: test request received","id":"x"}`, want{Outcome: Delivered}},

		// Pauses.
		"unauthorized": {update, 401, ``, want{Outcome: Paused, Code: "UNAUTHORIZED"}},
		"forbidden":    {update, 403, ``, want{Outcome: Paused, Code: "FORBIDDEN"}},
		"no hook":      {Deleted, 404, `{"error_code":"NOT_FOUND"}`, want{Outcome: Paused, Code: "HOOK_NOT_FOUND"}},
		"gone":         {update, 410, ``, want{Outcome: Paused, Code: "HOOK_GONE"}},
		"moved":        {update, 301, ``, want{Outcome: Paused, Code: "REDIRECT"}},
		"not modified": {update, 304, ``, want{Outcome: Paused, Code: "REDIRECT"}},
		"permanent":    {update, 308, ``, want{Outcome: Paused, Code: "REDIRECT"}},

		// Later.
		"408": {update, 408, ``, want{Outcome: Retry, Code: "HTTP_408", MaybeActed: true}},
		"425": {update, 425, ``, want{Outcome: Retry, Code: "HTTP_425"}},
		"429": {update, 429, ``, want{Outcome: Retry, Code: "HTTP_429"}},
		"500": {update, 500, `{"success":false,"error_code":"X"}`, want{Outcome: Retry, Code: "HTTP_500", MaybeActed: true}},
		"502": {update, 502, ``, want{Outcome: Retry, Code: "HTTP_502", MaybeActed: true}},
		"503": {update, 503, ``, want{Outcome: Retry, Code: "HTTP_503"}},
		"504": {update, 504, ``, want{Outcome: Retry, Code: "HTTP_504", MaybeActed: true}},
		"599": {update, 599, ``, want{Outcome: Retry, Code: "HTTP_599", MaybeActed: true}},

		// Never.
		"400":            {update, 400, `bad`, want{Outcome: Permanent, Code: "HTTP_400"}},
		"422 with code":  {create, 422, `{"error_code":"CONTACT_NOT_FOUND"}`, want{Outcome: Permanent, Code: "CONTACT_NOT_FOUND"}},
		"422 with text":  {create, 422, `{"error_code":"who is jane?"}`, want{Outcome: Permanent, Code: "HTTP_422"}},
		"413":            {create, 413, ``, want{Outcome: Permanent, Code: "HTTP_413"}},
		"422, not there": {Deleted, 422, `{"error_code":"APPOINTMENT_NOT_FOUND"}`, want{Outcome: NotFound, Code: "APPOINTMENT_NOT_FOUND"}},

		// No HTTP status that means anything.
		"101": {update, 101, ``, want{Outcome: Unknown, Code: "MALFORMED_ANSWER", MaybeActed: true}},
		"700": {update, 700, ``, want{Outcome: Unknown, Code: "MALFORMED_ANSWER", MaybeActed: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.want.HTTPStatus = test.status
			got := classify(test.op, Answer{Status: test.status, Body: []byte(test.body)}, noon)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// Of an answer that is too long the fields before the cut count.
func TestClassifyCutAnswer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 100)
	for body, want := range map[string]Outcome{
		`{"success":false,"error_code":"X","trace":"` + long: Permanent,
		`{"trace":"` + long:                Delivered,
		`{"trace":[1,2,{"success":false},`: Delivered,
	} {
		if got := classify(Created, Answer{Status: 200, Body: []byte(body), Cut: true}, noon); got.Outcome != want {
			t.Errorf("%.40s…: %+v, want %s", body, got, want)
		}
	}
}

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 120 ": 2 * time.Minute, "3600": time.Hour,
		"3601": time.Hour, "99999999999999999999999": time.Hour,
		"-1": 0, "1.5": 0, "soon": 0, "+5": 0,
		"Thu, 15 Jan 2026 12:00:30 GMT":    30 * time.Second,
		"Thu, 15 Jan 2026 11:59:30 GMT":    0,
		"Fri, 16 Jan 2026 12:00:00 GMT":    time.Hour,
		"Thursday, 15-Jan-26 12:00:10 GMT": 10 * time.Second,
	} {
		if got := parseRetryAfter(header, noon); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

func TestParseRateLimit(t *testing.T) {
	t.Parallel()
	for headers, want := range map[[2]string]time.Duration{
		{"0", "10000"}: 10 * time.Second, {" 0 ", " 250 "}: 250 * time.Millisecond, {"0", "99999999999999"}: time.Hour,
		{"1", "10000"}: 0, {"", "10000"}: 0, {"-1", "10000"}: 0, {"none", "10000"}: 0,
		{"0", ""}: 0, {"0", "-5"}: 0, {"0", "soon"}: 0, {"", ""}: 0,
	} {
		if got := parseRateLimit(headers[0], headers[1]); got != want {
			t.Errorf("%q left, interval %q: %s, want %s", headers[0], headers[1], got, want)
		}
	}
}

func TestExplainKnowsEveryCode(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		CodeConnectionRefused, CodeConnectionFailed, CodeConnectionLost, CodeConnectTimeout, CodeNoRoute, CodeDNS, CodeTLS,
		CodeTimeout, CodeInterrupted, CodeMalformed, CodeUnauthorized, CodeForbidden, CodeHookNotFound, CodeHookGone,
		CodeRedirect, CodeWorkflowInactive, CodeInvalidRequest, CodeGHLError, CodeAppointmentNotFound, CodeNotFound, CodeOutcomeUnknown,
		CodeAPIUnauthorized, CodeAPIForbidden, CodeAPINotFound, CodeAPIScopeMissing, CodeAppointmentIDUnknown, CodeCalendarInactive, CodeCalendarNotFound,
		CodeContactNotFound, CodeInvalidTime, CodeNoCalendar, CodeRateWait, CodeSlotTaken, CodeUserNotInCalendar,
	} {
		if explanations[code] == "" || Explain(code) != explanations[code] {
			t.Errorf("%s has no sentence", code)
		}
		if !foreignCode.MatchString(code) {
			t.Errorf("%s is no code", code)
		}
	}
	for code, want := range map[string]string{
		"HTTP_503": "did not take the call", "HTTP_500": "may have acted", "HTTP_408": "may have acted", "HTTP_429": "GHL_RATE",
		"HTTP_422": "will not take this call", "HTTP_599": "may have acted", "HTTP_x": "relay", "ROOM_TAKEN": "relay", "": "",
	} {
		if got := Explain(code); !strings.Contains(got, want) || (code == "") != (got == "") {
			t.Errorf("%q: %q, want %q in it", code, got, want)
		}
	}
}

// FuzzClassify feeds answers of any kind: nothing panics, and what may be
// stored and logged stays within its bounds.
func FuzzClassify(f *testing.F) {
	for _, body := range []string{
		``, `{`, `[]`, `null`, `{"success":false,"error_code":"X"}`, `{"success":true,"appointment_id":1}`,
		`{"status":"Success: test request received"}`, `{"ghl_appointment_id":"\ud800"}`, `{"appointment_id":"\u0000"}`,
	} {
		for _, status := range []int{200, 302, 404, 422, 503} {
			f.Add(status, []byte(body), "7", body == "{")
		}
	}
	code := regexp.MustCompile(`\A[A-Z][A-Z0-9_]{0,63}\z`)
	f.Fuzz(func(t *testing.T, status int, body []byte, retryAfter string, cut bool) {
		for _, op := range []Operation{Created, Updated, Deleted} {
			res := classify(op, Answer{Status: status, Body: body, Cut: cut, Header: http.Header{"Retry-After": {retryAfter}}}, noon)
			if res.Code != "" && !code.MatchString(res.Code) {
				t.Errorf("code %q", res.Code)
			}
			if (res.Code == "") != (res.Outcome == Delivered) {
				t.Errorf("%s with code %q", res.Outcome, res.Code)
			}
			if res.Outcome == Delivered && (status < 200 || status > 299) {
				t.Errorf("%d counts as delivered", status)
			}
			if res.AppointmentID != "" && (res.Outcome != Delivered || len(res.AppointmentID) > maxIDBytes || strings.ContainsFunc(res.AppointmentID, unprintable)) {
				t.Errorf("%s with appointment id %q", res.Outcome, res.AppointmentID)
			}
			if res.RetryAfter < 0 || res.RetryAfter > time.Hour {
				t.Errorf("retry after %s", res.RetryAfter)
			}
			if res.Outcome == Unknown && !res.MaybeActed || res.MaybeActed && (res.Outcome == Permanent || res.Outcome == Paused) {
				t.Errorf("%s, maybe acted %t", res.Outcome, res.MaybeActed)
			}
			if op == Created && res.Outcome == NotFound {
				t.Error("a create was not found")
			}
		}
	})
}
