package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"ghlsync/ghl"
)

// defaultWindow is how long to wait when GHL says that there were too many calls
// and not until when: the window of its published limit.
const defaultWindow = 10 * time.Second

// classify turns a complete answer into a result. It is the one place where the
// statuses and messages of GHL's API get their meaning:
//
//	2xx               Delivered, if the body is what the call is answered with
//	3xx 401 403       Paused
//	404 410           NotFound where the message, or GHL's bare "Not Found", is
//	                  about what the call names; Permanent where it is about
//	                  something else; Paused where it is no message of GHL's API
//	408 and 5xx but 503
//	                  Retry, GHL may have acted if the call acts
//	425 429 503       Retry, GHL did not take it; after 429 not before GHL's window
//	                  is over
//	other 4xx         by their message Permanent, or NotFound
//	anything else     Unknown, or Retry of a call that only reads
func classify(k kind, a ghl.Answer, now time.Time) ghl.Result {
	res := ghl.Result{HTTPStatus: a.Status, RetryAfter: a.Wait(now)}
	switch {
	case a.Status >= 200 && a.Status < 300:
		res.Outcome = ghl.Delivered
	case a.Status >= 300 && a.Status < 400:
		res.Outcome, res.Code = ghl.Paused, ghl.CodeRedirect
	case a.Status >= 400 && a.Status < 500:
		k.refused(&res, a)
	case a.Status >= 500 && a.Status < 600:
		res.Outcome, res.Code = ghl.Retry, ghl.CodeOfStatus(a.Status)
		res.MaybeActed = k.acts && a.Status != http.StatusServiceUnavailable
	default:
		return k.malformed(res)
	}
	return res
}

func (k kind) refused(res *ghl.Result, a ghl.Answer) {
	res.Outcome, res.Code = ghl.Retry, ghl.CodeOfStatus(a.Status)
	switch a.Status {
	case http.StatusUnauthorized:
		res.Outcome, res.Code = ghl.Paused, ghl.CodeAPIUnauthorized
		if message, _ := messageOf(a); strings.Contains(message, "not authorized for this scope") { // as integrators report
			res.Code = ghl.CodeAPIScopeMissing
		}
	case http.StatusForbidden:
		res.Outcome, res.Code = ghl.Paused, ghl.CodeAPIForbidden
	case http.StatusRequestTimeout:
		res.MaybeActed = k.acts
	case http.StatusTooEarly:
	case http.StatusTooManyRequests:
		if res.RetryAfter == 0 {
			res.RetryAfter = windowOf(a.Header)
		}
	default:
		k.judged(res, a)
	}
}

// judged gives a refusal of the call itself its meaning.
func (k kind) judged(res *ghl.Result, a ghl.Answer) {
	gone := a.Status == http.StatusNotFound || a.Status == http.StatusGone
	message, ok := messageOf(a)
	if gone && (!ok || isNoSuchRoute(message)) {
		// A wrong address must neither park what is to be made nor let a delete
		// count as done.
		res.Outcome, res.Code = ghl.Paused, ghl.CodeAPINotFound
		return
	}
	res.Outcome = ghl.Permanent
	code := k.codeOf(message)
	if code == "" && gone && isNotFound(message) {
		code = k.missing
	}
	if code == "" {
		return
	}
	res.Code = code
	if code == k.missing {
		res.Outcome = ghl.NotFound
	}
}

// malformed is the end of a call whose answer cannot be GHL's.
func (k kind) malformed(res ghl.Result) ghl.Result {
	res.Outcome, res.Code, res.MaybeActed = ghl.Unknown, ghl.CodeMalformed, true
	return k.lost(res)
}

// lost says what a call comes to whose answer is missing: one that only reads can
// be made again.
func (k kind) lost(res ghl.Result) ghl.Result {
	if !k.acts {
		res.Outcome, res.MaybeActed = ghl.Retry, false
	}
	return res
}

// messageOf reads the message of a refusal, in lower case: a string or several
// (422), or what the field error says. It is not ok if this is no JSON object.
// No part of it is shown anywhere.
func messageOf(a ghl.Answer) (message string, ok bool) {
	var fields *struct {
		Message texts `json:"message"`
		Error   texts `json:"error"`
	}
	if a.Cut || json.Unmarshal(a.Body, &fields) != nil || fields == nil {
		return "", false
	}
	message = strings.ToLower(strings.Join(fields.Message, "\n"))
	if message == "" {
		message = strings.ToLower(strings.Join(fields.Error, "\n"))
	}
	return message, true
}

// isNoSuchRoute tells a refusal of the address from one of what it names: the
// framework of GHL's API and gateways in front of such.
func isNoSuchRoute(message string) bool {
	for _, method := range []string{"get", "post", "put", "delete"} {
		if strings.Contains(message, "cannot "+method+" /") {
			return true
		}
	}
	return strings.Contains(message, "no route")
}

func isNotFound(message string) bool {
	return containsAny(message, "not found", "not exist", "n't exist", "no such", "not find", "n't find")
}

func containsAny(s string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// codeOf reads the messages of refusals, which have no codes. "" if it knows
// none. What the call is about comes first.
func (k kind) codeOf(message string) string {
	missing := isNotFound(message)
	about := func(words ...string) bool { return missing && containsAny(message, words...) }
	byID := k.missing == ghl.CodeAppointmentNotFound
	switch {
	case byID && about("appointment", "event"), byID && strings.Contains(message, "event id is invalid"):
		return ghl.CodeAppointmentNotFound
	case about("contact"):
		return ghl.CodeContactNotFound
	case about("calendar"):
		return ghl.CodeCalendarNotFound
	case strings.Contains(message, "calendar") && containsAny(message, "inactive", "not active"):
		return ghl.CodeCalendarInactive
	case strings.Contains(message, "user") && strings.Contains(message, "calendar team"):
		return ghl.CodeUserNotInCalendar
	case strings.Contains(message, "slot") && strings.Contains(message, "available"):
		return ghl.CodeSlotTaken
	case containsAny(message, "starttime", "start time", "endtime", "end time"):
		return ghl.CodeInvalidTime
	}
	return ""
}
