package translator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"ghlsync/cdc"
)

// encode builds event_data and its hash, or says why it cannot be built. The
// order of the fields is the guide's; updated_at is last, so that the hash is
// that of a prefix.
func encode(id string, row *cdc.Row, client *cdc.Client) (payload []byte, hash, why string) {
	e := encoder{row: row, b: make([]byte, 0, 384+len(row.Text(cdc.Description)))}
	e.text(`{"sentra_event_id":`, id)
	e.clientID()
	e.text(`,"client_email":`, client.Email)
	e.text(`,"client_phone":`, client.Phone)
	e.text(`,"client_name":`, clientName(client))
	e.text(`,"event_title":`, row.Text(cdc.Title))
	e.text(`,"event_type":`, row.Text(cdc.Type))
	e.converted(`,"start_date":`, cdc.StartDate, date)
	e.converted(`,"end_date":`, cdc.EndDate, date)
	e.converted(`,"start_time":`, cdc.StartTime, clock)
	e.converted(`,"end_time":`, cdc.EndTime, clock)
	e.text(`,"description":`, row.Text(cdc.Description))
	e.timestamp(`,"created_at":`, cdc.CreatedAt)
	sum := sha256.Sum256(e.b)
	e.timestamp(`,"updated_at":`, cdc.UpdatedAt)
	if e.why != "" {
		return nil, "", e.why
	}
	return append(e.b, '}'), hex.EncodeToString(sum[:16]), ""
}

// clientName is the business name, or the person's where that is empty.
func clientName(c *cdc.Client) string {
	if strings.TrimSpace(c.BusinessName) != "" {
		return c.BusinessName
	}
	return c.Name
}

type encoder struct {
	row *cdc.Row
	b   []byte
	why string // the first thing that cannot be shown
}

func (e *encoder) text(field, s string) {
	e.b = appendQuoted(append(e.b, field...), s)
}

// clientID is a JSON number where the id is one; an install with other ids gets
// a string rather than nothing.
func (e *encoder) clientID() {
	id := e.row.Text(cdc.ClientID)
	if !isInteger(id) {
		e.text(`,"client_id":`, id)
		return
	}
	e.b = append(append(e.b, `,"client_id":`...), id...)
}

func isInteger(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && (digits == "0" || digits[0] != '0')
}

func (e *encoder) converted(field string, c cdc.Column, convert func(string) (string, bool)) {
	raw, p := e.row.Get(c)
	if p != cdc.Value {
		e.fail("null_value", c)
		return
	}
	s, ok := convert(raw)
	if !ok {
		e.fail("bad_value", c)
		return
	}
	e.text(field, s)
}

func (e *encoder) timestamp(field string, c cdc.Column) {
	if _, p := e.row.Get(c); p == cdc.Null {
		e.b = append(append(e.b, field...), "null"...)
		return
	}
	e.converted(field, c, instant)
}

func (e *encoder) fail(what string, c cdc.Column) {
	if e.why == "" {
		e.why = reason(what, c)
	}
}

// date takes YYYY-MM-DD as PostgreSQL prints it in ISO style. Infinity, years
// BC and years above 9999 are not dates that GHL could show.
func date(s string) (string, bool) {
	return s, matches(s, "0000-00-00")
}

// clock cuts HH:MM:SS and any fraction to minutes, without rounding. 24:00 is a
// time of day in PostgreSQL and stays.
func clock(s string) (string, bool) {
	if len(s) < 5 || !matches(s[:5], "00:00") {
		return "", false
	}
	return s[:5], true
}

// moment is when a date and a time that date and clock have taken come by the
// clock on the wall of a zone. 24:00 is the start of the next day.
func moment(day, clock string, zone *time.Location) time.Time {
	two := func(s string, i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	return time.Date(two(day, 0)*100+two(day, 2), time.Month(two(day, 5)), two(day, 8),
		two(clock, 0), two(clock, 3), 0, 0, zone).UTC()
}

// instant turns the server's ISO output under timezone UTC into RFC 3339 with Z,
// cutting fractions. A timestamp without time zone is taken for UTC.
func instant(s string) (string, bool) {
	if len(s) < 19 || !matches(s[:19], "0000-00-00 00:00:00") {
		return "", false
	}
	switch rest := strings.TrimLeft(strings.TrimPrefix(s[19:], "."), "0123456789"); rest {
	case "", "+00":
		return s[:10] + "T" + s[11:19] + "Z", true
	}
	return "", false
}

// matches reports whether s has the shape of the pattern, in which 0 stands for
// any digit.
func matches(s, pattern string) bool {
	if len(s) != len(pattern) {
		return false
	}
	for i := range len(s) {
		if pattern[i] == '0' {
			if s[i] < '0' || s[i] > '9' {
				return false
			}
		} else if s[i] != pattern[i] {
			return false
		}
	}
	return true
}

// appendQuoted appends s as a JSON string, with <, > and & as they are.
func appendQuoted(b []byte, s string) []byte {
	if plain(s) {
		b = append(b, '"')
		b = append(b, s...)
		return append(b, '"')
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(fmt.Sprintf("encoding a string failed: %v", err)) // cannot happen for a string
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// plain reports whether s needs no escape in JSON.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' {
			return false
		} else if c >= utf8.RuneSelf {
			return utf8.ValidString(s[i:]) && !strings.ContainsAny(s[i:], "\"\\\u2028\u2029") && strings.IndexFunc(s[i:], isControl) < 0
		}
	}
	return true
}

func isControl(r rune) bool { return r < 0x20 }

// Fill completes a row of the stream with the texts of the event's last payload,
// where the stream left them out because the UPDATE did not touch them. The
// payload must be of the last version of the row before this one. It reports
// whether the row is complete now; a row that is not has to be read from the
// source.
func Fill(row *cdc.Row, payload []byte) (complete bool) {
	var known struct {
		Title       string `json:"event_title"`
		Description string `json:"description"`
	}
	if err := json.Unmarshal(payload, &known); err != nil {
		return false
	}
	fill(row, cdc.Title, known.Title)
	fill(row, cdc.Description, known.Description)
	return !row.HasUnchanged()
}

func fill(row *cdc.Row, c cdc.Column, text string) {
	if _, p := row.Get(c); p == cdc.Unchanged {
		row.Set(c, text, cdc.Value)
	}
}
