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

	// CodeOutcomeUnknown is for the caller that gives up on resolving an Unknown.
	CodeOutcomeUnknown = "OUTCOME_UNKNOWN"
)

// explanations is the table of codes, in the words of an operator's next step.
var explanations = map[string]string{
	CodeConnectionRefused:   "Nothing listens at the webhook's address, or a firewall refuses the connection; nothing was sent. It is tried again.",
	CodeConnectionFailed:    "No connection to the webhook's host or to the proxy in between could be made; nothing was sent. It is tried again.",
	CodeConnectionLost:      "The connection broke before the whole answer was read; GHL may have acted.",
	CodeConnectTimeout:      "No connection was made in time; nothing was sent. It is tried again. Check firewall and proxy.",
	CodeNoRoute:             "The network has no route to the webhook's host; nothing was sent. It is tried again.",
	CodeDNS:                 "The webhook's host name could not be resolved; nothing was sent. It is tried again. Check the name and this machine's resolver.",
	CodeTLS:                 "The TLS handshake failed; nothing was sent. It is tried again. Check this machine's clock, its CA certificates and a proxy that re-signs.",
	CodeTimeout:             "No complete answer came within GHL_TIMEOUT; GHL may have acted.",
	CodeInterrupted:         "The daemon ended the call, mostly because it was stopped. If the request had left, GHL may have acted.",
	CodeMalformed:           "What came back is no HTTP answer; GHL may have acted. Check what listens at the webhook's address.",
	CodeUnauthorized:        "The webhook answered 401: something in front of it wants credentials. Delivery pauses; check GHL_WEBHOOK_URL.",
	CodeForbidden:           "The webhook answered 403: GHL or a firewall in between does not let us in. Delivery pauses; check GHL_WEBHOOK_URL.",
	CodeHookNotFound:        "The webhook answered 404: there is no such hook. Delivery pauses; copy the URL from the workflow's inbound webhook trigger into GHL_WEBHOOK_URL.",
	CodeHookGone:            "The webhook answered 410: the hook was removed. Delivery pauses; make a new trigger and set GHL_WEBHOOK_URL.",
	CodeRedirect:            "The webhook answered with a redirect, which is never followed. Delivery pauses; set GHL_WEBHOOK_URL to the final address.",
	CodeWorkflowInactive:    "GHL took the call as a test: the workflow is a draft or the URL is not a live trigger's. Delivery pauses; publish the workflow.",
	CodeInvalidRequest:      "The call was not made because its body or delivery id is empty or unusable; this is a defect of ours, please report it.",
	CodeGHLError:            "GHL reported a failure without a usable error code. See the workflow's execution log in GHL, then retry the event.",
	CodeAppointmentNotFound: "GHL has no such appointment. A delete is done with it, an update becomes a create.",
	CodeNotFound:            "GHL has no such appointment. A delete is done with it, an update becomes a create.",
	CodeOutcomeUnknown:      "Whether GHL acted could not be found out. Look for the appointment in GHL, then retry the event.",
	"CONTACT_NOT_FOUND":     "GHL has no contact with the client's e-mail or phone. Create the contact in GHL, then retry the event.",
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
	answered := fmt.Sprintf("The webhook answered %d", status)
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

func codeOfStatus(status int) string { return statusPrefix + strconv.Itoa(status) }

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
