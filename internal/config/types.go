package config

import (
	"crypto/ed25519"
	"log/slog"
	"regexp"
	"strings"
	"time"
)

// Secret is text that must not be shown. Formatting, logging and encoding it
// say only whether it is set.
type Secret string

// Reveal returns the text itself, for the one place that needs it.
func (s Secret) Reveal() string { return string(s) }

// String is "set" or "".
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "set"
}

// GoString keeps the text out of %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps the text out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText keeps the text out of JSON.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// EventTypes are values of the events table's column type.
type EventTypes []string

// Timezone is a time zone that loads.
type Timezone struct{ location *time.Location }

// Location is UTC for the zero Timezone.
func (z Timezone) Location() *time.Location {
	if z.location == nil {
		return time.UTC
	}
	return z.location
}

// Pattern is a regular expression whose only group is an appointment id, or
// nothing: switched off.
type Pattern struct{ expr *regexp.Regexp }

// Regexp is nil if the pattern is switched off.
func (p Pattern) Regexp() *regexp.Regexp { return p.expr }

// Backfill says what becomes of events that exist at the first start.
type Backfill string

// The three ways.
const (
	BackfillNone     Backfill = "none"
	BackfillUpcoming Backfill = "upcoming"
	BackfillAll      Backfill = "all"
)

// OnSlotLoss says what happens when the slot is gone or invalidated.
type OnSlotLoss string

// Take a new snapshot by itself, or stop with the fix.
const (
	Resync OnSlotLoss = "resync"
	Stop   OnSlotLoss = "stop"
)

// StateURL says where the state is: in a file, or on a server. One of both is set.
type StateURL struct {
	// Path of the SQLite file, as given: relative to the working directory.
	Path string
	// Postgres is the connection string, a URL.
	Postgres Secret
}

// String gives the URL back, of a server scheme and host alone.
func (u StateURL) String() string {
	switch {
	case u.Postgres != "":
		return shownURL(u.Postgres.Reveal())
	case u.Path == "":
		return ""
	default:
		return sqliteScheme + u.Path
	}
}

const sqliteScheme = "sqlite:"

// Bytes is an amount of data.
type Bytes int64

// Mode says which of GHL's two entrances is used.
type Mode string

// The workflow's inbound webhook, or the calendar API.
const (
	Webhook Mode = "webhook"
	API     Mode = "api"
)

// Drift says what becomes of an appointment that somebody else changed in GHL.
type Drift string

// Tell of it, or make it as it was.
const (
	DriftReport  Drift = "report"
	DriftRestore Drift = "restore"
)

// PublicKey is one of Ed25519; nil: none is set.
type PublicKey ed25519.PublicKey

// Rate is calls a second.
type Rate float64

// LogLevel is a slog level.
type LogLevel slog.Level

// Level makes LogLevel a slog.Leveler.
func (l LogLevel) Level() slog.Level { return slog.Level(l) }

// String gives the level in lower case.
func (l LogLevel) String() string { return strings.ToLower(slog.Level(l).String()) }

// LogFormat says what log lines look like.
type LogFormat string

// Tinted text on a terminal and JSON otherwise, always text, always JSON.
const (
	LogAuto LogFormat = "auto"
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)
