package ghl

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// classify turns an answer into a result. It is the one place where GHL's
// answers get their meaning:
//
//	2xx                       Delivered, unless the body says otherwise:
//	                          success:false is Permanent (or NotFound), a test
//	                          answer without an id is Paused
//	401 403 404 410, any 3xx  Paused
//	408 and 5xx but 503       Retry, GHL may have acted
//	425 429 503               Retry, GHL did not take it
//	other 4xx                 Permanent (or NotFound, where the body says so)
//	anything else             Unknown
func classify(op Operation, a Answer, now time.Time) Result {
	res := Result{
		HTTPStatus: a.Status,
		RetryAfter: a.Wait(now),
	}
	switch {
	case a.Status >= 200 && a.Status < 300:
		classifySuccess(&res, op, decodeAnswer(a.Body, a.Cut))
	case a.Status >= 300 && a.Status < 400:
		res.Outcome, res.Code = Paused, CodeRedirect
	case a.Status >= 400 && a.Status < 500:
		classifyRefusal(&res, op, decodeAnswer(a.Body, a.Cut))
	case a.Status >= 500 && a.Status < 600:
		res.Outcome, res.Code = Retry, CodeOfStatus(a.Status)
		res.MaybeActed = a.Status != http.StatusServiceUnavailable
	default:
		res.Outcome, res.Code, res.MaybeActed = Unknown, CodeMalformed, true
	}
	return res
}

func classifySuccess(res *Result, op Operation, a answer) {
	switch {
	case a.failed:
		classifyFailure(res, op, safeCode(a.errorCode, CodeGHLError))
	case a.test:
		res.Outcome, res.Code = Paused, CodeWorkflowInactive
	default:
		res.Outcome, res.AppointmentID = Delivered, a.appointmentID
	}
}

func classifyRefusal(res *Result, op Operation, a answer) {
	switch res.HTTPStatus {
	case http.StatusUnauthorized:
		res.Outcome, res.Code = Paused, CodeUnauthorized
	case http.StatusForbidden:
		res.Outcome, res.Code = Paused, CodeForbidden
	case http.StatusNotFound:
		res.Outcome, res.Code = Paused, CodeHookNotFound
	case http.StatusGone:
		res.Outcome, res.Code = Paused, CodeHookGone
	case http.StatusRequestTimeout:
		res.Outcome, res.Code, res.MaybeActed = Retry, CodeOfStatus(res.HTTPStatus), true
	case http.StatusTooEarly, http.StatusTooManyRequests:
		res.Outcome, res.Code = Retry, CodeOfStatus(res.HTTPStatus)
	default:
		classifyFailure(res, op, safeCode(a.errorCode, CodeOfStatus(res.HTTPStatus)))
	}
}

// classifyFailure parks, unless the code says that the appointment is not
// there. For a create that makes no sense, and taken at its word it would be
// sent for ever: a create is parked under the same code.
func classifyFailure(res *Result, op Operation, code string) {
	res.Outcome, res.Code = Permanent, code
	if op != Created && (code == CodeAppointmentNotFound || code == CodeNotFound) {
		res.Outcome = NotFound
	}
}

// maxRetryAfter bounds what a receiver may ask for, so that a wrong header
// does not silence delivery for a day.
const maxRetryAfter = time.Hour

// parseRetryAfter reads both forms of RFC 9110, section 10.2.3: seconds, or an
// HTTP date reckoned from now. What is neither, or lies in the past, is 0.
func parseRetryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if header == "" {
		return 0
	}
	wait := time.Duration(0)
	if strings.Trim(header, "0123456789") == "" {
		seconds, err := strconv.Atoi(header)
		if err != nil || seconds > int(maxRetryAfter/time.Second) {
			// Digits that do not fit an int ask for longer than the bound, too.
			return maxRetryAfter
		}
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// parseRateLimit reads GHL's rate headers, which any answer may carry: when
// nothing remains, the next call has to wait for as long as the interval lasts.
func parseRateLimit(remaining, interval string) time.Duration {
	if strings.TrimSpace(remaining) != "0" {
		return 0
	}
	ms, err := strconv.ParseUint(strings.TrimSpace(interval), 10, 63)
	if err != nil {
		return 0
	}
	return time.Duration(min(ms, uint64(maxRetryAfter/time.Millisecond))) * time.Millisecond
}
