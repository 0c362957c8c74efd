package translator

import (
	"regexp"
	"strings"
	"time"

	"ghlsync/cdc"
)

// DefaultEcho finds the appointment id in the description of an event that
// Sentra made from an appointment booked in GHL.
const DefaultEcho = `(?m)^Appointment ID:\s*(\S+)`

// Verdict is what is wanted of GHL for a row.
type Verdict uint8

// The verdicts.
const (
	Upsert Verdict = iota + 1
	Retract
	Park
)

// ReasonClientMissing parks a row whose client does not exist.
const ReasonClientMissing = "client_missing"

// Intent is what one row asks for.
type Intent struct {
	ID      string
	Verdict Verdict
	// Moved is the id under which the event was known before its key changed: it
	// is to be retracted first. Empty for any other change.
	Moved string

	EventType string    // of an Upsert, and of a Park where it is known
	Payload   []byte    // event_data, of an Upsert
	Hash      string    // of the payload without updated_at, 32 hex digits
	StartsAt  time.Time // of an Upsert, in UTC
	Reason    string    // of a Park: client_missing, missing_column:X, null_value:X, bad_value:X

	// AppointmentID is the appointment that the row itself names, if any. Echo
	// says that the name is the marker's: it counts only when the row is seen for
	// the first time.
	AppointmentID string
	Echo          bool
}

// Rules are the configured rules. They are safe for use by several goroutines.
type Rules struct {
	types   map[string]bool
	echo    *regexp.Regexp
	literal string // what a text matched by echo must contain; "" if not known
	zone    *time.Location
}

// New makes the rules for the given synced types. echo is the marker's pattern,
// whose first group is the appointment id; nil switches the recognition off.
// zone is the one in which Sentra's dates and times are meant.
func New(types []string, echo *regexp.Regexp, zone *time.Location) *Rules {
	r := &Rules{types: make(map[string]bool, len(types)), echo: echo, zone: zone}
	for _, t := range types {
		r.types[t] = true
	}
	if echo != nil {
		// A substring search is many times faster than the pattern, and nearly no
		// description holds a marker.
		if rest, err := regexp.Compile(strings.TrimPrefix(echo.String(), "(?m)^")); err == nil {
			r.literal, _ = rest.LiteralPrefix()
		}
	}
	return r
}

// InScope reports whether the row is to be shown in GHL, so that its client is
// needed. A row without a type column is not: its translation parks it.
func (r *Rules) InScope(row *cdc.Row) bool { return r.types[row.Text(cdc.Type)] }

// Change translates one change of the stream; a Truncate has no translation.
// client is nil if the row has none (or is out of scope).
func (r *Rules) Change(ch *cdc.Change, client *cdc.Client) Intent {
	if ch.Kind == cdc.Delete {
		return Intent{ID: ch.Key, Verdict: Retract}
	}
	in := r.Row(ch.Key, &ch.Row, client)
	in.Moved = ch.OldKey
	return in
}

// Row translates a whole row.
func (r *Rules) Row(id string, row *cdc.Row, client *cdc.Client) Intent {
	in := Intent{ID: id}
	if _, p := row.Get(cdc.Type); p == cdc.Missing {
		in.Verdict, in.Reason = Park, reason("missing_column", cdc.Type)
		return in
	}
	if !r.InScope(row) {
		in.Verdict = Retract
		return in
	}
	in.EventType = row.Text(cdc.Type)
	in.AppointmentID, in.Echo = r.appointment(row)
	if why := unshowable(row, client); why != "" {
		in.Verdict, in.Reason = Park, why
		return in
	}
	payload, hash, why := encode(id, row, client)
	if why != "" {
		in.Verdict, in.Reason = Park, why
		return in
	}
	in.Verdict, in.Payload, in.Hash = Upsert, payload, hash
	in.StartsAt = moment(row.Text(cdc.StartDate), row.Text(cdc.StartTime), r.zone)
	return in
}

// appointment finds the appointment id that the row names.
func (r *Rules) appointment(row *cdc.Row) (id string, echo bool) {
	if id := strings.TrimSpace(row.Text(cdc.AppointmentID)); id != "" {
		return id, false
	}
	description := row.Text(cdc.Description)
	if r.echo == nil || !strings.Contains(description, r.literal) {
		return "", false
	}
	m := r.echo.FindStringSubmatch(description)
	if len(m) < 2 || m[1] == "" {
		return "", false
	}
	return m[1], true
}

// unshowable says why a row cannot be translated whatever its values are.
func unshowable(row *cdc.Row, client *cdc.Client) string {
	for c := cdc.Column(0); c < cdc.NumColumns; c++ {
		if _, p := row.Get(c); p == cdc.Missing && c.Required() {
			return reason("missing_column", c)
		}
	}
	if client == nil {
		return ReasonClientMissing
	}
	return ""
}

func reason(what string, c cdc.Column) string { return what + ":" + c.String() }
