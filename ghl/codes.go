package ghl

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// The codes of our own that a Result can carry, beside HTTP_nnn for a refusing
// status and the error_code of an answer.
const (
	CodeConnectionRefused = "CONNECTION_REFUSED"
	CodeConnectionFailed  = "CONNECTION_FAILED"
	CodeConnectionLost    = "CONNECTION_LOST"
	CodeConnectTimeout    = "CONNECT_TIMEOUT"
	CodeNoRoute           = "NO_ROUTE"
	CodeDNS               = "DNS"
	CodeTLS               = "TLS"
	CodeTimeout           = "TIMEOUT"
	CodeInterrupted       = "INTERRUPTED"
	CodeMalformed         = "MALFORMED_ANSWER"
	CodeUnauthorized      = "UNAUTHORIZED"
	CodeForbidden         = "FORBIDDEN"
	CodeHookNotFound      = "HOOK_NOT_FOUND"
	CodeHookGone          = "HOOK_GONE"
	CodeRedirect          = "REDIRECT"
	CodeWorkflowInactive  = "WORKFLOW_INACTIVE"
	CodeInvalidRequest    = "INVALID_REQUEST"
	CodeGHLError          = "GHL_ERROR"

	// CodeAppointmentNotFound and CodeNotFound come in an answer's error_code
	// and mean that the appointment does not exist.
	CodeAppointmentNotFound = "APPOINTMENT_NOT_FOUND"
	CodeNotFound            = "NOT_FOUND"

	// What the calendar API adds.
	CodeAPIUnauthorized      = "API_UNAUTHORIZED"
	CodeAPIForbidden         = "API_FORBIDDEN"
	CodeAPINotFound          = "API_NOT_FOUND"
	CodeAPIScopeMissing      = "API_SCOPE_MISSING"
	CodeAppointmentIDUnknown = "APPOINTMENT_ID_UNKNOWN"
	CodeCalendarInactive     = "CALENDAR_INACTIVE"
	CodeCalendarNotFound     = "CALENDAR_NOT_FOUND"
	CodeContactNotFound      = "CONTACT_NOT_FOUND"
	CodeInvalidTime          = "INVALID_TIME"
	CodeNoCalendar           = "NO_CALENDAR"
	CodeRateWait             = "RATE_WAIT"
	CodeSlotTaken            = "SLOT_TAKEN"
	CodeUserNotInCalendar    = "USER_NOT_IN_CALENDAR"

	// CodeOutcomeUnknown is for the caller that gives up on resolving an Unknown.
	CodeOutcomeUnknown = "OUTCOME_UNKNOWN"
)

// explanations is the table of codes, in the words of an operator's next step.
var explanations = map[string]string{
	CodeConnectionRefused:   "Nothing listens at GHL's address, or a firewall refuses the connection; nothing was sent. It is tried again.",
	CodeConnectionFailed:    "No connection to GHL's host or to the proxy in between could be made; nothing was sent. It is tried again.",
	CodeConnectionLost:      "The connection broke before the whole answer was read; GHL may have acted.",
	CodeConnectTimeout:      "No connection was made in time; nothing was sent. It is tried again. Check firewall and proxy.",
	CodeNoRoute:             "The network has no route to GHL's host; nothing was sent. It is tried again.",
	CodeDNS:                 "GHL's host name could not be resolved; nothing was sent. It is tried again. Check the name and this machine's resolver.",
	CodeTLS:                 "The TLS handshake failed; nothing was sent. It is tried again. Check this machine's clock, its CA certificates and a proxy that re-signs.",
	CodeTimeout:             "No complete answer came within GHL_TIMEOUT; GHL may have acted.",
	CodeInterrupted:         "The daemon ended the call, mostly because it was stopped. If the request had left, GHL may have acted.",
	CodeMalformed:           "What came back cannot be an answer of GHL's; GHL may have acted. Check what listens at GHL_WEBHOOK_URL, or GHL_API_URL.",
	CodeUnauthorized:        "The webhook answered 401: something in front of it wants credentials. Delivery pauses; check GHL_WEBHOOK_URL.",
	CodeForbidden:           "The webhook answered 403: GHL or a firewall in between does not let us in. Delivery pauses; check GHL_WEBHOOK_URL.",
	CodeHookNotFound:        "The webhook answered 404: there is no such hook. Delivery pauses; copy the URL from the workflow's inbound webhook trigger into GHL_WEBHOOK_URL.",
	CodeHookGone:            "The webhook answered 410: the hook was removed. Delivery pauses; make a new trigger and set GHL_WEBHOOK_URL.",
	CodeRedirect:            "GHL's address answered with a redirect, which is never followed. Delivery pauses; set GHL_WEBHOOK_URL, or GHL_API_URL, to the final address.",
	CodeWorkflowInactive:    "GHL took the call as a test: the workflow is a draft or the URL is not a live trigger's. Delivery pauses; publish the workflow.",
	CodeInvalidRequest:      "The call was not made because its body or delivery id is empty or unusable; this is a defect of ours, please report it.",
	CodeGHLError:            "GHL reported a failure without a usable error code. See the workflow's execution log in GHL, then retry the event.",
	CodeAppointmentNotFound: "GHL has no such appointment. A delete is done with it, an update becomes a create.",
	CodeNotFound:            "GHL has no such appointment. A delete is done with it, an update becomes a create.",
	CodeOutcomeUnknown:      "Whether GHL acted could not be found out. Look for the appointment in GHL, then retry the event.",

	CodeAPIUnauthorized:      "GHL's API answered 401: it does not know the token. Delivery pauses; set GHL_API_TOKEN to a valid Private Integration Token of the location.",
	CodeAPIForbidden:         "GHL's API answered 403: mostly, the token belongs to another location. Delivery pauses; check GHL_API_TOKEN and GHL_LOCATION_ID.",
	CodeAPINotFound:          "What answered knows no such call, so it is not GHL's API. Delivery pauses; check GHL_API_URL and a proxy in between.",
	CodeAPIScopeMissing:      "GHL's API answered 401: the token lacks a scope. Delivery pauses; 'ghlsync doctor' names the scopes that reading needs, and --send-test tries the one for writing appointments.",
	CodeAppointmentIDUnknown: "GHL is taken to have the appointment, but its id is not known and no appointment around the event's time names the event. Run 'ghlsync reconcile --adopt-by-time', then retry the event.",
	CodeCalendarInactive:     "The calendar is switched off in GHL. Activate it, then retry the event.",
	CodeCalendarNotFound:     "GHL has no such calendar in the location. Check GHL_ONBOARDING_CALENDAR_ID, GHL_HANDOVER_CALENDAR_ID and GHL_LOCATION_ID, then retry the event.",
	CodeContactNotFound:      "GHL has no contact with the client's e-mail or phone. Create the contact in GHL, then retry the event.",
	CodeInvalidTime:          "The event's date or time cannot be used. Correct it in Sentra; the change is sent by itself.",
	CodeNoCalendar:           "No calendar is set for events of this type. Set one, or leave the type out of SENTRA_EVENT_TYPES.",
	CodeRateWait:             "The event takes several requests, and GHL_RATE did not let all of them leave within GHL_TIMEOUT. It is tried again; nothing was changed meanwhile.",
	CodeSlotTaken:            "GHL says that the time is taken or outside the calendar's hours. Free it in GHL, move the event in Sentra, or set GHL_IGNORE_FREE_SLOT=true, then retry the event.",
	CodeUserNotInCalendar:    "The user is not in the calendar's team. Add them in GHL or change GHL_ASSIGNED_USER_ID, then retry the event.",
}

// Explain gives an operator's sentence for a code of a Result: what happened,
// and what to do where there is something to do. Any string is accepted.
func Explain(code string) string {
	if code == "" {
		return ""
	}
	if sentence, ok := explanations[code]; ok {
		return sentence
	}
	if status, ok := statusOfCode(code); ok {
		return explainStatus(status)
	}
	return "GHL, or a relay in front of it, reported this error. See the workflow's execution log in GHL, then retry the event."
}

// explainStatus covers the codes made of a status that has no code of its own.
func explainStatus(status int) string {
	answered := fmt.Sprintf("GHL answered %d", status)
	if text := http.StatusText(status); text != "" {
		answered += " (" + text + ")"
	}
	switch {
	case status == http.StatusTooManyRequests:
		return answered + ": too many calls. It is tried again; lower GHL_RATE if it happens often."
	case status == http.StatusServiceUnavailable || status == http.StatusTooEarly:
		return answered + " and did not take the call. It is tried again."
	case status == http.StatusRequestTimeout || status >= 500:
		return answered + "; GHL may have acted. It is tried again."
	default:
		return answered + " and will not take this call as it is. Fix what it refuses, then retry the event."
	}
}

const statusPrefix = "HTTP_"

// CodeOfStatus is the code of a refusing status that has none of its own: HTTP_422.
func CodeOfStatus(status int) string { return statusPrefix + strconv.Itoa(status) }

func statusOfCode(code string) (int, bool) {
	digits, ok := strings.CutPrefix(code, statusPrefix)
	if !ok || len(digits) != 3 {
		return 0, false
	}
	status, err := strconv.Atoi(digits)
	return status, err == nil && status >= 100
}

// foreignCode is what an error_code of an answer must look like to be stored
// and logged: anything else could be text with client data in it.
var foreignCode = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,63}$`)

func safeCode(code, otherwise string) string {
	if foreignCode.MatchString(code) {
		return code
	}
	return otherwise
}

// CodeClass is a code as one of few words, whatever GHL answers: a code that
// Explain knows is kept, HTTP_nnn becomes HTTP_nxx, and the rest is OTHER.
func CodeClass(code string) string {
	if _, known := explanations[code]; known || code == "" {
		return code
	}
	if status, ok := statusOfCode(code); ok {
		return fmt.Sprintf("%s%dxx", statusPrefix, status/100)
	}
	return "OTHER"
}
