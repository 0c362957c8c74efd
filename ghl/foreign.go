package ghl

import "encoding/json"

// ForeignCode is an error_code from outside as it may be stored and logged.
// Anything that does not look like a code, which could be text with client data
// in it, is CodeGHLError.
func ForeignCode(code string) string { return safeCode(code, CodeGHLError) }

// ForeignID reads an appointment id from outside, a string or a whole number.
// What cannot be one (too long, with blanks or control characters, or with what
// would lead elsewhere in the path of an address, such as "..") is "".
func ForeignID(raw json.RawMessage) string { return idOf(raw) }

// ForeignText reads a JSON string from outside; anything else is "".
func ForeignText(raw json.RawMessage) string { return text(raw) }

// ForeignFalse reads false from outside, as a value or as text.
func ForeignFalse(raw json.RawMessage) bool { return isFalse(raw) }
