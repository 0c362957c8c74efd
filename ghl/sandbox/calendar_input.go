package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ghlsync/ghl"
)

// input is a request to the calendar API as far as it could be read, and all
// that is wrong with it. What is said of it names fields and no values.
type input struct {
	r        *http.Request
	token    string
	version  string
	query    url.Values
	fields   map[string]json.RawMessage // of the body, those not read yet
	location *string
	eventID  string // by the marker in the description

	bad     string   // GHL's message of a 400
	wrong   []string // GHL's messages of a 422
	unknown []string // likewise, of what it has no name for
	odd     []string // what GHL lets pass, and we should not send
}

func newInput(r *http.Request, body []byte) *input {
	in := &input{r: r, version: r.Header.Get("Version"), query: r.URL.Query()}
	in.token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if r.Method == http.MethodGet {
		if len(body) > 0 {
			in.odd = append(in.odd, "a GET has a body")
		}
		return in
	}
	if mime, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(mime) != "application/json" {
		in.odd = append(in.odd, "Content-Type is not application/json")
	}
	if len(bytes.TrimSpace(body)) == 0 {
		// Spec: a body is required, of a DELETE as well. Reported: 400 without.
		in.bad = "Request body is required"
	} else if json.Unmarshal(body, &in.fields) != nil || in.fields == nil {
		in.bad = "Request body is not a JSON object"
	}
	return in
}

func (in *input) text(name string) *string {
	return take[string](in, name, "must be a string")
}

func (in *input) flag(name string) bool {
	value := take[bool](in, name, "must be a boolean value")
	return value != nil && *value
}

func (in *input) oneOf(name string, values ...string) *string {
	value := in.text(name)
	if value != nil && !slices.Contains(values, *value) {
		in.wrong = append(in.wrong, fmt.Sprintf("%s must be one of the following values: %s", name, strings.Join(values, ", ")))
	}
	return value
}

// moment wants an offset: what a time without one means to GHL is nowhere
// said.
func (in *input) moment(name string) *time.Time {
	text := in.text(name)
	if text == nil {
		return nil
	}
	at, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		in.wrong = append(in.wrong, name+" must be a valid ISO 8601 date string")
		return nil
	}
	return &at
}

// take reads a field and removes it, so that what is left is unknown; nil
// where it is not there or not right.
func take[T any](in *input, name, want string) *T {
	raw, ok := in.fields[name]
	delete(in.fields, name)
	if !ok {
		return nil
	}
	var value *T
	if json.Unmarshal(raw, &value) != nil || value == nil {
		in.wrong = append(in.wrong, name+" "+want)
		return nil
	}
	return value
}

// need complains about fields that must be there. It comes before they are
// read.
func (in *input) need(names ...string) {
	for _, name := range names {
		if raw, ok := in.fields[name]; !ok || string(raw) == `""` || string(raw) == "null" {
			in.wrong = append(in.wrong, name+" should not be empty")
		}
	}
}

// param reads a parameter of the query; a needed one must not be empty.
func (in *input) param(name string, needed bool) string {
	values := in.query[name]
	in.query.Del(name)
	if len(values) > 1 {
		in.wrong = append(in.wrong, name+" must be a string")
	}
	if len(values) == 0 || values[0] == "" {
		if needed {
			in.wrong = append(in.wrong, name+" should not be empty")
		}
		return ""
	}
	return values[0]
}

// mark takes the event from the marker in a description.
func (in *input) mark(description *string) {
	if description != nil {
		in.eventID, _ = ghl.MarkedEvent(*description)
	}
}

// end notes what nobody asked for.
func (in *input) end() {
	for name := range in.fields {
		in.unknown = append(in.unknown, "property "+name+" should not exist")
	}
	for name := range in.query {
		in.unknown = append(in.unknown, "property "+name+" should not exist")
	}
	slices.Sort(in.unknown)
}

// breaches is what goes into the list of violations.
func (in *input) breaches(lenient bool) []string {
	if in.bad != "" {
		return []string{in.bad}
	}
	all := append(slices.Clone(in.wrong), in.unknown...)
	if lenient {
		return all
	}
	return append(all, in.odd...)
}

// refused is GHL's answer to what it does not take, nil where it takes it.
func (in *input) refused(lenient bool) *reply {
	messages := in.wrong
	if !lenient {
		messages = append(slices.Clone(messages), in.unknown...)
	}
	switch {
	case in.bad != "":
		return refusal(http.StatusBadRequest, in.bad)
	case len(messages) > 0:
		return refusal(http.StatusUnprocessableEntity, messages) // Spec: UnprocessableDTO
	}
	return nil
}
