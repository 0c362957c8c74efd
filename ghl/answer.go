package ghl

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"
)

// answer is what the four shapes of a webhook's answer have in common:
//
//	{"success":true,"appointment_id":"…"}          the guide's
//	{"success":true,"ghl_appointment_id":"…"}      the older one
//	{"status":"Success: …","id":"…"}               GHL's own; id is the execution's, not the appointment's
//	{"success":false,"error":"…","error_code":"…"} a failure, also with status 200
type answer struct {
	failed        bool   // success is false
	appointmentID string // usable as it is, or empty
	errorCode     string // as given: check before it is shown
	test          bool   // GHL says that it took the call as a test
}

// maxIDBytes bounds an appointment id from outside; Sentra's own column for it
// holds 255 characters.
const maxIDBytes = 255

// inactive marks the status with which GHL answers a call to a draft workflow.
const inactive = "test request received"

// decodeAnswer reads the fields it knows from a JSON object. Anything else, a
// JSON value of another kind included, is an answer that says nothing. Of an
// answer that was cut at the size limit the fields before the cut count.
func decodeAnswer(body []byte, cut bool) answer {
	if !cut && !json.Valid(body) {
		return answer{}
	}
	fields := topLevel(body)
	var a answer
	a.failed = isFalse(fields["success"])
	a.errorCode = text(fields["error_code"])
	a.appointmentID = idOf(fields["appointment_id"])
	if a.appointmentID == "" {
		a.appointmentID = idOf(fields["ghl_appointment_id"])
	}
	hasID := a.appointmentID != "" || idOf(fields["id"]) != ""
	a.test = !hasID && strings.Contains(strings.ToLower(text(fields["status"])), inactive)
	return a
}

// topLevel collects the fields of an object up to the first error, which is
// the cut of an over-long answer.
func topLevel(body []byte) map[string]json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(body))
	fields := make(map[string]json.RawMessage)
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return fields
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return fields
		}
		name, ok := key.(string)
		var value json.RawMessage
		if !ok || dec.Decode(&value) != nil {
			return fields
		}
		fields[name] = value
	}
	return fields
}

// isFalse takes the string "false" as well: workflows often send all values
// as text.
func isFalse(raw json.RawMessage) bool {
	return string(raw) == "false" || strings.EqualFold(text(raw), "false")
}

// text gives a JSON string's value, and "" for anything else.
func text(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// idOf reads an id given as a string or a whole number. An id that could not
// be one (too long, with blanks or control characters, or with what would lead
// elsewhere in the path of an address) is none.
func idOf(raw json.RawMessage) string {
	id := strings.TrimSpace(text(raw))
	if id == "" && isWhole(raw) {
		id = string(raw)
	}
	if len(id) > maxIDBytes || !utf8.ValidString(id) || strings.ContainsFunc(id, unprintable) ||
		strings.ContainsAny(id, `/\?#%`) || strings.Trim(id, ".") == "" {
		return ""
	}
	return id
}

func unprintable(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

func isWhole(raw json.RawMessage) bool {
	return len(raw) > 0 && strings.Trim(string(raw), "0123456789") == ""
}
