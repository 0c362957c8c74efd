package ghl

import (
	"net/url"
	"strings"
)

// markerPrefix begins the line of an appointment's description that names its
// Sentra event.
const markerPrefix = "ghlsync: "

// Marker is the line that goes into the description of an appointment booked
// over the calendar API, so that an appointment whose create was never
// answered is found again. It has no line break of its own.
//
// The id is percent-encoded: what is left is letters, digits and "-_.~%+",
// which a calendar that trims lines or escapes HTML leaves alone. Ids are
// compared whole, by [MarkedEvent]; a search for the text would take "12" for
// "123".
func Marker(eventID string) string { return markerPrefix + url.QueryEscape(eventID) }

// MarkedEvent gives the Sentra event that a description is marked with. The
// last marker counts: the description's own text comes before ours, and may be
// a copy of another appointment's.
func MarkedEvent(description string) (eventID string, ok bool) {
	for line := range strings.Lines(description) {
		escaped, found := strings.CutPrefix(strings.TrimSpace(line), markerPrefix)
		if !found {
			continue
		}
		id, err := url.QueryUnescape(escaped)
		// Encoding it again keeps prose that begins like a marker out.
		if err == nil && id != "" && url.QueryEscape(id) == escaped {
			eventID, ok = id, true
		}
	}
	return eventID, ok
}
