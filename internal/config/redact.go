package config

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"ghlsync/ghl"
)

// Setting is a variable as 'ghlsync config' shows it.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"` // of a secret: "set", or scheme and host
	Origin Origin `json:"origin"`
}

// Redacted lists every variable with the value in force and where it comes
// from, in the order of Config's fields. Nothing in it is secret.
func (c Config) Redacted() []Setting { return c.settings }

// shown is what may be printed of a value. A text that ought to be a URL and is
// none may be a secret that was pasted into the wrong variable.
func (v variable) shown(value string) string {
	switch {
	case value == "":
		return ""
	case v.show == "secret":
		return "set"
	case v.show == "url" && strings.HasPrefix(value, sqliteScheme):
		return value
	case v.show == "url":
		return shownURL(value)
	default:
		return value
	}
}

func shownURL(value string) string {
	if strings.Contains(value, "://") {
		if shown := ghl.RedactURL(value); shown != "…" {
			return shown
		}
		return "set" // what looks like the host may be a part of the password
	}
	// A connection string in keyword/value form.
	if parsed, err := pgx.ParseConfig(value); err == nil && strings.Contains(value, "=") {
		return "host=" + parsed.Host + " …"
	}
	return "set"
}
