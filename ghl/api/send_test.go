package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ghlsync/ghl"
)

func delivered(id string) ghl.Result {
	return ghl.Result{Outcome: ghl.Delivered, AppointmentID: id}
}

func TestSend(t *testing.T) {
	t.Parallel()
	type change = func(*ghl.Request)
	tried := func(r *ghl.Request) { r.Tried = true }
	exists := func(r *ghl.Request) { r.Exists = true }
	withID := func(r *ghl.Request) { r.AppointmentID, r.Exists = "app1", true }
	earlier := func(r *ghl.Request) {
		r.Known = []byte(strings.ReplaceAll(data, "2026-01-15", "2026-02-20"))
		r.Exists = true
	}
	moved := func(id, status string) string {
		return strings.ReplaceAll(there(id, status, ""), "2026-01-15", "2026-01-16")
	}
	for name, test := range map[string]struct {
		op     ghl.Operation
		change change
		script []step
		want   ghl.Result
	}{
		// Create.
		"create": {ghl.Created, nil, []step{on(byEmail, 200, someone), on(post, 200, `{"id":"app1"}`)}, delivered("app1")},
		"create, contact by phone": {
			ghl.Created, nil,
			[]step{on(byEmail, 200, nobody), on(byPhone, 200, someone), on(post, 200, `{"id":"app1"}`)},
			delivered("app1"),
		},
		"create, no contact": {
			ghl.Created, nil,
			[]step{on(byEmail, 200, nobody), on(byPhone, 200, `{}`)},
			ghl.Result{Outcome: ghl.Permanent, Code: "CONTACT_NOT_FOUND"},
		},
		"create, search down": {
			ghl.Created, nil, []step{on(byEmail, 500, `{}`)}, ghl.Result{Outcome: ghl.Retry, Code: "HTTP_500"},
		},
		"create, search lost": {ghl.Created, nil, []step{on(byEmail, 0, ``)}, ghl.Result{Outcome: ghl.Retry, Code: "CONNECTION_LOST"}},
		"create, search cut off": {
			ghl.Created, nil, []step{on(byEmail, 200, `<html>`)}, ghl.Result{Outcome: ghl.Retry, Code: "MALFORMED_ANSWER"},
		},
		"create, token bad": {ghl.Created, nil, []step{on(byEmail, 401, `{}`)}, ghl.Result{Outcome: ghl.Paused, Code: "API_UNAUTHORIZED"}},
		"create, lost": {
			ghl.Created, nil,
			[]step{on(byEmail, 200, someone), on(post, 0, ``)},
			ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", MaybeActed: true},
		},
		"create, answer without an id": {
			ghl.Created, nil,
			[]step{on(byEmail, 200, someone), on(post, 200, `{"ok":true}`)},
			ghl.Result{Outcome: ghl.Unknown, Code: "MALFORMED_ANSWER", MaybeActed: true},
		},
		"create, broken behind a gateway": {
			ghl.Created, nil,
			[]step{on(byEmail, 200, someone), on(post, 502, `<html>`)},
			ghl.Result{Outcome: ghl.Retry, Code: "HTTP_502", MaybeActed: true},
		},
		"create, slot taken": {
			ghl.Created, nil,
			[]step{on(byEmail, 200, someone), on(post, 400, `{"statusCode":400,"message":"The slot you have selected is no longer available."}`)},
			ghl.Result{Outcome: ghl.Permanent, Code: "SLOT_TAKEN"},
		},
		"create, contact deleted meanwhile": {
			ghl.Created, nil,
			[]step{on(byEmail, 200, someone), on(post, 400, `{"message":"Contact not found"}`)},
			ghl.Result{Outcome: ghl.Permanent, Code: "CONTACT_NOT_FOUND"},
		},

		// Create, tried before.
		"tried, not there": {
			ghl.Created, tried,
			[]step{on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents), on(byEmail, 200, someone), on(post, 200, `{"id":"app1"}`)},
			delivered("app1"),
		},
		"tried, there": {
			ghl.Created, tried,
			[]step{on(list+onboarding, 200, events(there("app1", "confirmed", ""))), on(list+handover, 200, noEvents)},
			delivered("app1"),
		},
		"tried, there and other": {
			ghl.Created, tried,
			[]step{on(list+onboarding, 200, events(moved("app1", "showed"))), on(list+handover, 200, noEvents), on(put+"app1", 200, `{}`)},
			delivered("app1"),
		},
		"tried, others there": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, events(strings.ReplaceAll(there("app1", "", ""), eventID, "event-2"), strings.ReplaceAll(there("app2", "", ""), marker, "call back"))),
				on(list+handover, 200, events(strings.ReplaceAll(there("app3", "", ""), marker, marker+"7"))),
				on(byEmail, 200, someone), on(post, 200, `{"id":"app9"}`),
			},
			delivered("app9"),
		},
		"tried, in the other calendar": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, noEvents), on(list+handover, 200, events(strings.ReplaceAll(there("app1", "", ""), onboarding, handover))),
				on(put+"app1", 200, `{}`),
			},
			delivered("app1"),
		},
		"tried, there where it was before": {
			ghl.Created, func(r *ghl.Request) { earlier(r); r.Exists, r.Tried = false, true },
			[]step{
				on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents),
				on(list+onboarding+"&endTime=17716", 200, events(strings.ReplaceAll(there("app1", "", ""), "2026-01-15", "2026-02-20"))), on(list+handover, 200, noEvents),
				on(put+"app1", 200, `{}`),
			},
			delivered("app1"),
		},
		"tried, there without a description": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, events(undescribed("other"), undescribed("gone"), undescribed("app1"), strings.ReplaceAll(undescribed("app9"), "T10:00:00+01", "T10:05:00+01"))),
				on(get+"other", 200, `{"event":`+strings.ReplaceAll(there("other", "", ""), eventID, "event-2")+`}`), on(get+"gone", 404, `{"message":"Not Found"}`),
				on(get+"app1", 200, `{"event":`+there("app1", "", "")+`}`), on(list+handover, 200, noEvents),
			},
			delivered("app1"),
		},
		"tried, description not read": {
			ghl.Created, tried,
			[]step{on(list+onboarding, 200, events(undescribed("app1"))), on(get+"app1", 500, ``)},
			ghl.Result{Outcome: ghl.Retry, Code: "HTTP_500"},
		},
		"tried, description refused": {
			ghl.Created, tried,
			[]step{on(list+onboarding, 200, events(undescribed("app1"))), on(get+"app1", 400, `{}`)},
			ghl.Result{Outcome: ghl.Retry, Code: "HTTP_400"},
		},
		"tried, deleted there": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, events(there("app1", "confirmed", `,"deleted":true`))), on(list+handover, 200, noEvents),
				on(byEmail, 200, someone), on(post, 200, `{"id":"app2"}`),
			},
			delivered("app2"),
		},
		"tried, goes meanwhile": {
			ghl.Created, tried,
			[]step{on(list+onboarding, 200, events(moved("app1", ""))), on(list+handover, 200, noEvents), on(put+"app1", 404, `{"message":"Not Found"}`)},
			ghl.Result{Outcome: ghl.Retry, Code: "APPOINTMENT_NOT_FOUND"},
		},
		"tried over the webhook": {
			ghl.Created, func(r *ghl.Request) { r.Tried, r.Body = true, ghl.Envelope(ghl.Created, eventID, "", []byte(data)) },
			[]step{on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents)},
			ghl.Result{Outcome: ghl.Permanent, Code: "APPOINTMENT_ID_UNKNOWN"},
		},
		"first try, encoded for the webhook": {
			ghl.Created, func(r *ghl.Request) { r.Body = ghl.Envelope(ghl.Created, eventID, "", []byte(data)) },
			[]step{on(byEmail, 200, someone), on(post, 200, `{"id":"app1"}`)},
			delivered("app1"),
		},
		"tried, look-up down": {
			ghl.Created, tried,
			[]step{on(list+onboarding, 200, noEvents), on(list+handover, 503, ``)},
			ghl.Result{Outcome: ghl.Retry, Code: "HTTP_503"},
		},
		"tried, look-up lost":    {ghl.Created, tried, []step{on(list+onboarding, 0, ``)}, ghl.Result{Outcome: ghl.Retry, Code: "CONNECTION_LOST"}},
		"tried, no list":         {ghl.Created, tried, []step{on(list+onboarding, 200, `{}`)}, ghl.Result{Outcome: ghl.Retry, Code: "MALFORMED_ANSWER"}},
		"tried, list of no use":  {ghl.Created, tried, []step{on(list+onboarding, 200, `{"events":["x"]}`)}, ghl.Result{Outcome: ghl.Retry, Code: "MALFORMED_ANSWER"}},
		"tried, list is null":    {ghl.Created, tried, []step{on(list+onboarding, 200, `{"events":null}`)}, ghl.Result{Outcome: ghl.Retry, Code: "MALFORMED_ANSWER"}},
		"tried, list too long":   {ghl.Created, tried, []step{on(list+onboarding, 200, `{"events":[]}`+strings.Repeat(" ", 8<<20))}, ghl.Result{Outcome: ghl.Retry, Code: "MALFORMED_ANSWER"}},
		"tried, list refused":    {ghl.Created, tried, []step{on(list+onboarding, 422, `{"message":["x"]}`)}, ghl.Result{Outcome: ghl.Retry, Code: "HTTP_422"}},
		"tried, no calendar":     {ghl.Created, tried, []step{on(list+onboarding, 404, `{"message":"Calendar not found"}`)}, ghl.Result{Outcome: ghl.Retry, Code: "CALENDAR_NOT_FOUND"}},
		"tried, look-up refused": {ghl.Created, tried, []step{on(list+onboarding, 403, `{}`)}, ghl.Result{Outcome: ghl.Paused, Code: "API_FORBIDDEN"}},

		// Doubles.
		"doubles": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, events(
					there("app2", "confirmed", `,"dateAdded":"2026-01-01T10:00:01Z"`), there("app1", "confirmed", `,"dateAdded":"2026-01-01T10:00:00Z"`),
					there("app3", "new", `,"dateAdded":"2026-01-01T10:00:02Z"`))),
				on(list+handover, 200, noEvents), on(remove+"app2", 201, succeeded), on(remove+"app3", 404, `{"message":"Event not found"}`),
			},
			delivered("app1"),
		},
		"doubles, people have changed one": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, events(there("app1", "confirmed", ""), there("app2", "showed", ""))),
				on(list+handover, 200, noEvents), on(remove+"app1", 201, succeeded),
			},
			delivered("app2"),
		},
		"doubles, people have moved both": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, events(moved("app1", "confirmed"), moved("app2", "confirmed"))),
				on(list+handover, 200, noEvents), on(put+"app1", 200, ``),
			},
			delivered("app1"),
		},
		"doubles, one called off": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, events(there("app1", "cancelled", ""), there("app2", "confirmed", ""))), on(list+handover, 200, noEvents),
			},
			delivered("app2"),
		},
		"doubles, one stays for now": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, events(there("app1", "", ""), there("app2", "", ""))), on(list+handover, 200, noEvents), on(remove+"app2", 503, ``),
			},
			ghl.Result{Outcome: ghl.Retry, Code: "HTTP_503", MaybeActed: true},
		},
		"doubles, one stays for good": {
			ghl.Created, tried,
			[]step{
				on(list+onboarding, 200, events(there("app1", "", ""), there("app2", "", ""))), on(list+handover, 200, noEvents), on(remove+"app2", 400, `{}`),
			},
			delivered("app1"),
		},

		// Update.
		"update":          {ghl.Updated, withID, []step{on(get+"app1", 200, `{"event":`+there("app1", "showed", "")+`}`), on(put+"app1", 200, `{}`)}, delivered("app1")},
		"update, gone":    {ghl.Updated, withID, []step{on(get+"app1", 404, `{"message":"Appointment not found"}`)}, ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND"}},
		"update, deleted": {ghl.Updated, withID, []step{on(get+"app1", 200, `{"appointment":`+there("app1", "confirmed", `,"deleted":true`)+`}`)}, ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND"}},
		"update, goes meanwhile": {
			ghl.Updated, withID,
			[]step{on(get+"app1", 200, there("app1", "showed", "")), on(put+"app1", 404, `{"message":"Not Found"}`)},
			ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND"},
		},
		"update, not read": {ghl.Updated, withID, []step{on(get+"app1", 0, ``)}, ghl.Result{Outcome: ghl.Retry, Code: "CONNECTION_LOST"}},
		"update, status not read": {
			ghl.Updated, withID, []step{on(get+"app1", 200, `{"event":{}}`)}, ghl.Result{Outcome: ghl.Retry, Code: "MALFORMED_ANSWER"},
		},
		"update, lost": {
			ghl.Updated, withID,
			[]step{on(get+"app1", 200, there("app1", "", "")), on(put+"app1", 0, ``)},
			ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", MaybeActed: true},
		},
		"update, answered by somebody else": {
			ghl.Updated, withID,
			[]step{on(get+"app1", 200, there("app1", "", "")), on(put+"app1", 200, `<html>`)},
			ghl.Result{Outcome: ghl.Unknown, Code: "MALFORMED_ANSWER", MaybeActed: true},
		},
		"update, id of no use": {
			ghl.Updated, func(r *ghl.Request) { r.AppointmentID, r.Exists = "..", true },
			[]step{on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents)},
			ghl.Result{Outcome: ghl.Permanent, Code: "APPOINTMENT_ID_UNKNOWN"},
		},
		"update, looked up": {
			ghl.Updated, exists,
			[]step{on(list+onboarding, 200, events(moved("app1", "noshow"))), on(list+handover, 200, noEvents), on(put+"app1", 200, `{}`)},
			delivered("app1"),
		},
		"update, looked up where it was": {
			ghl.Updated, earlier,
			[]step{
				on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents),
				on(list+onboarding+"&endTime=17716", 200, events(strings.ReplaceAll(there("app1", "", ""), "2026-01-15", "2026-02-20"))), on(list+handover, 200, noEvents),
				on(put+"app1", 200, `{}`),
			},
			delivered("app1"),
		},
		"update, not found and there": {
			ghl.Updated, exists,
			[]step{on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents)},
			ghl.Result{Outcome: ghl.Permanent, Code: "APPOINTMENT_ID_UNKNOWN"},
		},
		"update, not found": {
			ghl.Updated, nil,
			[]step{on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents)},
			ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND"},
		},
		"update, look-up down": {ghl.Updated, exists, []step{on(list+onboarding, 500, ``)}, ghl.Result{Outcome: ghl.Retry, Code: "HTTP_500"}},

		// Delete.
		"delete":           {ghl.Deleted, withID, []step{on(remove+"app1", 201, succeeded)}, delivered("app1")},
		"delete, empty":    {ghl.Deleted, withID, []step{on(remove+"app1", 204, ``)}, delivered("app1")},
		"delete, gone":     {ghl.Deleted, withID, []step{on(remove+"app1", 404, `{"message":"Event not found"}`)}, ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND"}},
		"delete, no GHL":   {ghl.Deleted, withID, []step{on(remove+"app1", 404, `<html>`)}, ghl.Result{Outcome: ghl.Paused, Code: "API_NOT_FOUND"}},
		"delete, no route": {ghl.Deleted, withID, []step{on(remove+"app1", 404, `{"message":"Cannot DELETE /x","error":"Not Found","statusCode":404}`)}, ghl.Result{Outcome: ghl.Paused, Code: "API_NOT_FOUND"}},
		"delete, failed":   {ghl.Deleted, withID, []step{on(remove+"app1", 201, `{"succeeded":false}`)}, ghl.Result{Outcome: ghl.Permanent, Code: "GHL_ERROR"}},
		"delete, html":     {ghl.Deleted, withID, []step{on(remove+"app1", 200, `<html>`)}, ghl.Result{Outcome: ghl.Unknown, Code: "MALFORMED_ANSWER", MaybeActed: true}},
		"delete, lost":     {ghl.Deleted, withID, []step{on(remove+"app1", 0, ``)}, ghl.Result{Outcome: ghl.Unknown, Code: "CONNECTION_LOST", MaybeActed: true}},
		"delete, looked up": {
			ghl.Deleted, earlier,
			[]step{on(list+onboarding+"&endTime=17716", 200, events(there("app1", "", ""), there("app2", "showed", ""))), on(list+handover, 200, noEvents), on(remove+"app1", 201, succeeded), on(remove+"app2", 201, succeeded)},
			delivered("app2"),
		},
		"delete, looked up, one stays": {
			ghl.Deleted, earlier,
			[]step{on(list+onboarding, 200, events(there("app1", "", ""), there("app2", "", ""))), on(list+handover, 200, noEvents), on(remove+"app1", 500, ``)},
			ghl.Result{Outcome: ghl.Retry, Code: "HTTP_500", MaybeActed: true},
		},
		"delete, not found and there": {
			ghl.Deleted, earlier,
			[]step{on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents)},
			ghl.Result{Outcome: ghl.Permanent, Code: "APPOINTMENT_ID_UNKNOWN"},
		},
		"delete, not found and tried": {
			ghl.Deleted, func(r *ghl.Request) { earlier(r); r.Tried = true },
			[]step{on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents)},
			ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND"},
		},
		"delete, not found": {
			ghl.Deleted, func(r *ghl.Request) { earlier(r); r.Exists = false },
			[]step{on(list+onboarding, 200, noEvents), on(list+handover, 200, noEvents)},
			ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND"},
		},
		"delete, look-up down":          {ghl.Deleted, earlier, []step{on(list+onboarding, 500, ``)}, ghl.Result{Outcome: ghl.Retry, Code: "HTTP_500"}},
		"delete, nowhere to look":       {ghl.Deleted, exists, nil, ghl.Result{Outcome: ghl.Permanent, Code: "APPOINTMENT_ID_UNKNOWN"}},
		"delete, nowhere, tried":        {ghl.Deleted, tried, nil, ghl.Result{Outcome: ghl.Permanent, Code: "APPOINTMENT_ID_UNKNOWN"}},
		"delete of what was never made": {ghl.Deleted, nil, nil, ghl.Result{Outcome: ghl.NotFound, Code: "APPOINTMENT_NOT_FOUND"}},

		// Bodies.
		"no body":      {ghl.Created, func(r *ghl.Request) { r.Body = nil }, nil, ghl.Result{Outcome: ghl.Permanent, Code: "INVALID_REQUEST"}},
		"no JSON":      {ghl.Created, func(r *ghl.Request) { r.Body = []byte("x") }, nil, ghl.Result{Outcome: ghl.Permanent, Code: "INVALID_REQUEST"}},
		"no event":     {ghl.Created, func(r *ghl.Request) { r.EventID = "" }, nil, ghl.Result{Outcome: ghl.Permanent, Code: "INVALID_REQUEST"}},
		"no operation": {"x", nil, nil, ghl.Result{Outcome: ghl.Permanent, Code: "INVALID_REQUEST"}},
		"no such date": {
			ghl.Updated, func(r *ghl.Request) {
				r.Body = ghl.Envelope(ghl.Updated, eventID, "", []byte(strings.ReplaceAll(data, "01-15", "02-30")))
			},
			nil,
			ghl.Result{Outcome: ghl.Permanent, Code: "INVALID_TIME"},
		},
		"another type": {
			ghl.Created, func(r *ghl.Request) {
				r.Body = ghl.Envelope(ghl.Created, eventID, "", []byte(strings.ReplaceAll(data, `"onboarding"`, `"call"`)))
			},
			nil,
			ghl.Result{Outcome: ghl.Permanent, Code: "NO_CALENDAR"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDouble(t, test.script...)
			c := newClient(t, options(d.url))
			r := request(c, test.op, test.change)
			if n := len(test.script); n > 0 {
				test.want.HTTPStatus = test.script[n-1].answer.status
			}
			got := c.Send(t.Context(), r)
			if got.Duration <= 0 {
				t.Errorf("duration %s", got.Duration)
			}
			got.Duration = 0
			if strings.HasPrefix(name, "doubles") && got.Outcome == ghl.Delivered {
				got.HTTPStatus = test.want.HTTPStatus // of the call before those that tidy up
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s%s", diff, strings.Join(d.lines(), "\n"))
			}
			if text := fmt.Sprintf("%+v %#v %v %+v %#v", got, got, c, *c, c); strings.Contains(text, "topsecret") {
				t.Error("the token shows")
			}
		})
	}
}
