package api

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// text is a string of an answer. A number is taken as it is written, and anything
// else for none: a field of another kind must not hide the rest.
type text string

// UnmarshalJSON never fails.
func (t *text) UnmarshalJSON(raw []byte) error {
	var s string
	switch {
	case raw[0] == '"':
		if err := json.Unmarshal(raw, &s); err != nil {
			s = ""
		}
	case raw[0] >= '0' && raw[0] <= '9' || raw[0] == '-':
		s = string(raw)
	}
	*t = text(s)
	return nil
}

// texts is a string, or a list of such.
type texts []string

// UnmarshalJSON never fails.
func (t *texts) UnmarshalJSON(raw []byte) error {
	var list []text
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		var one text
		_ = one.UnmarshalJSON(raw) // never fails
		list = []text{one}
	}
	*t = nil
	for _, s := range list {
		if s != "" {
			*t = append(*t, string(s))
		}
	}
	return nil
}

// truth is a boolean, also one that is written as a string; anything else is none.
type truth struct{ given, value bool }

// UnmarshalJSON never fails.
func (b *truth) UnmarshalJSON(raw []byte) error {
	value, err := strconv.ParseBool(strings.Trim(string(raw), `"`))
	*b = truth{given: err == nil, value: value}
	return nil
}

// instant is a time of an answer: RFC 3339, milliseconds since 1970, or an object
// with seconds. The specification has objects where strings come. One that says
// nothing certain, such as a time without an offset, is zero.
type instant struct{ time.Time }

// UnmarshalJSON never fails.
func (i *instant) UnmarshalJSON(raw []byte) error {
	i.Time = time.Time{}
	if raw[0] == '{' {
		var object struct {
			Seconds    int64 `json:"seconds"`
			Underlined int64 `json:"_seconds"`
		}
		if json.Unmarshal(raw, &object) == nil && object.Seconds+object.Underlined > 0 {
			i.Time = time.Unix(object.Seconds+object.Underlined, 0).UTC()
		}
		return nil
	}
	var s text
	_ = s.UnmarshalJSON(raw) // never fails
	if at, err := time.Parse(time.RFC3339, string(s)); err == nil {
		i.Time = at
	} else if ms, err := strconv.ParseInt(string(s), 10, 64); err == nil && ms > 0 {
		i.Time = time.UnixMilli(ms).UTC()
	}
	return nil
}
