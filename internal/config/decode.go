package config

import (
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"ghlsync/cdc"
	"ghlsync/ghl/callback"
)

// valueError is what a decoder has to say about a value; the name is added by
// whoever knows it. Neither text may hold the value, which may be a secret.
type valueError struct{ what, mend string }

func (e *valueError) Error() string { return e.what + "; " + e.mend }

func bad(what, mend string) error { return &valueError{what: what, mend: mend} }

// EnvDecode reads a list separated by commas.
func (t *EventTypes) EnvDecode(v string) error {
	var types EventTypes
	for part := range strings.SplitSeq(v, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			return bad("has an empty entry", "write the types with a comma between them: onboarding,handover")
		}
		if slices.Contains(types, part) {
			return bad(fmt.Sprintf("names %q twice", part), "name each type once")
		}
		types = append(types, part)
	}
	*t = types
	return nil
}

// EnvDecode loads the zone.
func (z *Timezone) EnvDecode(v string) error {
	location, err := time.LoadLocation(v)
	if err != nil || v == "Local" {
		return bad("is not a known time zone", "use a name of the IANA database, such as Europe/Berlin or UTC")
	}
	z.location = location
	return nil
}

// EnvDecode compiles the pattern; the empty text switches it off.
func (p *Pattern) EnvDecode(v string) error {
	if v == "" {
		p.expr = nil
		return nil
	}
	const mend = `write one group around the appointment id, as in (?m)^Appointment ID:\s*(\S+), or leave it empty to switch the test off`
	expr, err := regexp.Compile(v)
	if err != nil {
		return bad("does not compile as a regular expression", mend)
	}
	if n := expr.NumSubexp(); n != 1 {
		return bad(fmt.Sprintf("has %d groups instead of one", n), mend)
	}
	p.expr = expr
	return nil
}

func oneOf[T ~string](to *T, v string, choices ...T) error {
	if slices.Contains(choices, T(v)) {
		*to = T(v)
		return nil
	}
	names := make([]string, len(choices))
	for i, c := range choices {
		names[i] = string(c)
	}
	last := len(names) - 1
	return bad("is not one of the choices", "use "+strings.Join(names[:last], ", ")+" or "+names[last])
}

// EnvDecode takes none, upcoming or all.
func (b *Backfill) EnvDecode(v string) error {
	return oneOf(b, v, BackfillNone, BackfillUpcoming, BackfillAll)
}

// EnvDecode takes resync or stop.
func (o *OnSlotLoss) EnvDecode(v string) error { return oneOf(o, v, Resync, Stop) }

// byteUnits are Postgres' units of memory, which are powers of 1024.
var byteUnits = map[string]int64{"B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}

// EnvDecode reads an amount as Postgres writes it: 512MB, 20GB. Empty is none.
func (b *Bytes) EnvDecode(v string) error {
	if v == "" {
		*b = 0
		return nil
	}
	const mend = "write a whole number and a unit, such as 20GB (B, kB, MB, GB or TB)"
	digits := strings.TrimRight(v, "kKMGTB ")
	n, err := strconv.ParseInt(digits, 10, 64)
	unit, known := byteUnits[strings.TrimSpace(v[len(digits):])]
	if err != nil || !known || n < 0 || n > math.MaxInt64/unit {
		return bad("is not an amount of data", mend)
	}
	*b = Bytes(n * unit)
	return nil
}

// EnvDecode takes report or restore.
func (d *Drift) EnvDecode(v string) error { return oneOf(d, v, DriftReport, DriftRestore) }

// EnvDecode reads a key of Ed25519; the empty text is none.
func (k *PublicKey) EnvDecode(v string) error {
	*k = nil
	if v == "" {
		return nil
	}
	key, err := callback.ParsePublicKey(v)
	if err != nil {
		return bad(err.Error(), "copy it from GHL's webhook guide: in PEM, or the line between PEM's two")
	}
	*k = PublicKey(key)
	return nil
}

// EnvDecode takes auto, text or json.
func (f *LogFormat) EnvDecode(v string) error { return oneOf(f, v, LogAuto, LogText, LogJSON) }

// EnvDecode takes webhook or api.
func (m *Mode) EnvDecode(v string) error { return oneOf(m, v, Webhook, API) }

// EnvDecode takes debug, info, warn or error, and slog's offsets (info+2).
func (l *LogLevel) EnvDecode(v string) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(v)); err != nil {
		return bad("is not a log level", "use debug, info, warn or error")
	}
	*l = LogLevel(level)
	return nil
}

// EnvDecode takes sqlite:PATH and postgres://….
func (u *StateURL) EnvDecode(v string) error {
	const mend = "use sqlite:PATH, such as sqlite:/var/lib/ghlsync/ghlsync.db, or postgres://USER:PASSWORD@HOST:5432/DATABASE"
	scheme, _, _ := strings.Cut(v, ":")
	switch scheme {
	case "postgres", "postgresql":
		// The cause may quote the password.
		parsed, err := pgx.ParseConfig(v)
		if err != nil || !strings.HasPrefix(v, scheme+"://") || cdc.Torn(v, &parsed.Config) {
			return bad("is not a connection string of PostgreSQL", mend+"; write / in a password as %2F and a blank as %20")
		}
		*u = StateURL{Postgres: Secret(v)}
		return nil
	case "sqlite":
	default:
		return bad("has no known scheme", mend)
	}
	path := strings.TrimPrefix(v, sqliteScheme)
	// sqlite:///var/x.db is what people write who are used to database URLs.
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		path = rest
	}
	if path == "" || strings.HasSuffix(path, "/") {
		return bad("names no file", mend)
	}
	if strings.HasPrefix(path, ":memory:") || strings.ContainsAny(path, "?#\x00") {
		return bad("is not the path of a plain file", mend)
	}
	*u = StateURL{Path: path}
	return nil
}

// EnvDecode reads calls per time: 8/s, 100/10s, 300/m.
func (r *Rate) EnvDecode(v string) error {
	const mend = "write calls a second, such as 8/s (or 100/10s, 300/m)"
	calls, per, found := strings.Cut(v, "/")
	if !found {
		return bad("has no unit of time", mend)
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(calls), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n <= 0 {
		return bad("is not a number of calls above 0", mend)
	}
	per = strings.TrimSpace(per)
	if per != "" && per[0] >= 'a' && per[0] <= 'z' {
		per = "1" + per
	}
	window, err := time.ParseDuration(per)
	if err != nil || window <= 0 {
		return bad("has no unit of time", mend)
	}
	*r = Rate(n / window.Seconds())
	return nil
}

// String gives calls a second.
func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'g', -1, 64) + "/s" }
