package config

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"ghlsync/cdc"
	"ghlsync/ghl"
	"ghlsync/ghl/callback"
)

// nameAndDefault takes an env tag apart. A default is the last option and may
// hold commas.
func nameAndDefault(tag string) (name, def string) {
	name, options, _ := strings.Cut(tag, ",")
	_, def, _ = strings.Cut(options, "default=")
	return name, def
}

// checker collects what is wrong with values that decode well.
type checker struct {
	c        *Config
	known    []variable
	env      *Environment
	problems []Problem
}

// check judges values by rules that a type alone does not know: what other
// packages accept, bounds, and variables that go together.
func check(c *Config, known []variable, env *Environment, needed func(Need) bool) []Problem {
	k := &checker{c: c, known: known, env: env}
	if needed(NeedDatabase) {
		k.database()
	}
	if needed(NeedObjects) {
		k.objects()
	}
	if needed(NeedSlot) {
		k.slot()
	}
	if needed(NeedGHL) {
		k.ghl()
		k.pace()
	}
	if needed(NeedHTTP) {
		k.http()
		k.callbacks()
	}
	return k.problems
}

func (k *checker) wrong(name, what, mend string) {
	p := Problem{Name: name, What: what, Mend: mend}
	for _, v := range k.known {
		if v.name == name {
			text, _ := v.inForce(k.env)
			p.Value = v.shown(text)
		}
	}
	k.problems = append(k.problems, p)
}

// sound is a source that cdc.Check accepts; with one field changed, the answer
// is about that field.
func sound() cdc.Config {
	return cdc.Config{
		URL: "postgres://localhost/sentra", EventsTable: "public.calendar_events", ClientsTable: "public.clients",
		Types: []string{"onboarding"}, Slot: "ghlsync", Publication: "ghlsync",
	}
}

func (k *checker) database() {
	try := sound()
	try.URL = k.c.Sentra.DatabaseURL.Reveal()
	if try.URL == "" {
		k.wrong("SENTRA_DATABASE_URL", "is not set", "set it to Sentra's database, such as postgres://ghlsync:PASSWORD@HOST:5432/DATABASE (direct, not pooled)")
	} else if err := cdc.Check(try); err != nil {
		k.wrong("SENTRA_DATABASE_URL", err.Error(), "")
	}
}

func (k *checker) objects() {
	const table = "write schema.table, such as public.calendar_events (names with capitals go in double quotes)"
	try := sound()
	try.EventsTable = k.c.Sentra.EventsTable
	if cdc.Check(try) != nil {
		k.wrong("SENTRA_EVENTS_TABLE", "is not the name of a table", table)
	}
	try = sound()
	try.ClientsTable = k.c.Sentra.ClientsTable
	if cdc.Check(try) != nil {
		k.wrong("SENTRA_CLIENTS_TABLE", "is not the name of a table", table)
	}
	try = sound()
	try.Publication = k.c.CDC.Publication
	k.lasting("CDC_CANARY", k.c.CDC.Canary, 0, 24*time.Hour)
	if d := k.c.CDC.Canary; d > 0 && d < time.Second {
		k.wrong("CDC_CANARY", "is too often", "use 1s or more, or 0 for never")
	}
	if cdc.Check(try) != nil || strings.ContainsAny(try.Publication, `,"'`) {
		k.wrong("CDC_PUBLICATION", "is not usable as the name of a publication", "use letters, digits and underscores, 63 bytes at most")
	}
}

func (k *checker) slot() {
	try := sound()
	try.Slot = k.c.CDC.Slot
	if cdc.Check(try) != nil {
		k.wrong("CDC_SLOT", "is not a name that Postgres takes for a slot", "use lower-case letters, digits and underscores, 63 at most")
	}
}

func (k *checker) ghl() {
	if k.c.GHL.Mode == API {
		k.api()
		return
	}
	url := k.c.GHL.WebhookURL.Reveal()
	if url == "" {
		k.wrong("GHL_WEBHOOK_URL", "is not set", "copy it from the inbound webhook trigger of the GHL workflow")
	} else if _, err := ghl.ParseWebhookURL(url); err != nil {
		k.wrong("GHL_WEBHOOK_URL", err.Error(), "")
	}
}

// meetingLocations are GHL's kinds of place.
var meetingLocations = []string{"custom", "zoom", "gmeet", "phone", "address", "ms_teams", "google"}

func (k *checker) api() {
	g := &k.c.GHL
	for _, required := range []struct{ name, value, mend string }{
		{"GHL_API_TOKEN", g.APIToken.Reveal(), "make a Private Integration in the location's settings in GHL and copy its token"},
		{"GHL_LOCATION_ID", g.LocationID, "copy it from the location's business profile in GHL"},
		{"GHL_ONBOARDING_CALENDAR_ID", g.OnboardingCalendarID, "copy it from the calendar's settings in GHL"},
		{"GHL_HANDOVER_CALENDAR_ID", g.HandoverCalendarID, "copy it from the calendar's settings in GHL"},
	} {
		if required.value == "" {
			k.wrong(required.name, "is not set", required.mend)
		}
	}
	if token := g.APIToken.Reveal(); token != "" && !ghl.UsableHeader(token, 4096) {
		k.wrong("GHL_API_TOKEN", "holds characters that cannot travel in a header", "copy it again, without quotes or line breaks")
	}
	if _, err := ghl.ParseAPIURL(g.APIURL); err != nil {
		k.wrong("GHL_API_URL", err.Error(), "")
	}
	if g.MeetingLocationType != "" && !slices.Contains(meetingLocations, g.MeetingLocationType) {
		k.wrong("GHL_MEETING_LOCATION_TYPE", "is not one of the choices", "use "+strings.Join(meetingLocations, ", ")+", or leave it empty")
	}
	for _, eventType := range k.c.Sentra.EventTypes {
		if _, ok := g.Calendars()[eventType]; !ok {
			k.wrong("SENTRA_EVENT_TYPES", fmt.Sprintf("names %q, which has no calendar with GHL_MODE=api", eventType), "use onboarding and handover alone, or GHL_MODE=webhook")
		}
	}
}

// pace checks how often and how long calls are made.
func (k *checker) pace() {
	g := &k.c.GHL
	k.between("GHL_BURST", g.Burst, 1, 100_000)
	k.between("GHL_CONCURRENCY", g.Concurrency, 1, 1000)
	k.between("GHL_DELETE_FUSE", g.DeleteFuse, 0, 1_000_000_000)
	k.lasting("GHL_TIMEOUT", g.Timeout, 100*time.Millisecond, 10*time.Minute)
	k.lasting("GHL_SETTLE", g.Settle, 0, 24*time.Hour)
	k.lasting("GHL_RETRY_BASE", g.RetryBase, time.Millisecond, time.Hour)
	k.lasting("GHL_RETRY_CAP", g.RetryCap, time.Millisecond, 24*time.Hour)
	if g.RetryCap < g.RetryBase {
		k.wrong("GHL_RETRY_CAP", fmt.Sprintf("is below GHL_RETRY_BASE (%s)", g.RetryBase), "make the cap the longer one")
	}
}

func (k *checker) between(name string, n, least, most int) {
	if n < least || n > most {
		k.wrong(name, "is out of range", fmt.Sprintf("use %d to %d", least, most))
	}
}

func (k *checker) lasting(name string, d, least, most time.Duration) {
	if d < least || d > most {
		k.wrong(name, "is out of range", fmt.Sprintf("use %s to %s", least, most))
	}
}

func (k *checker) http() {
	const mend = "write HOST:PORT, such as 127.0.0.1:8089"
	host, port, err := net.SplitHostPort(k.c.HTTP.Addr)
	if err != nil {
		k.wrong("HTTP_ADDR", "is not an address", mend)
		return
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		k.wrong("HTTP_ADDR", "has no port from 0 to 65535", mend)
		return
	}
	token := k.c.HTTP.Token.Reveal()
	if len(token) < callback.MinSecret && !Loopback(host) {
		what := "is not set"
		if token != "" {
			what = fmt.Sprintf("has less than %d characters", callback.MinSecret)
		}
		k.wrong("HTTP_TOKEN", fmt.Sprintf("%s, and HTTP_ADDR=%s can be reached from other machines", what, k.c.HTTP.Addr),
			"set a long random token, or listen on 127.0.0.1")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		k.wrong("HTTP_TOKEN", "holds characters that cannot travel in a header", "use letters and digits, such as the output of 'openssl rand -hex 24'")
	}
}

// callbacks checks the secret that GHL's workflow sends.
func (k *checker) callbacks() {
	const mend = "use a long random text of letters and digits, such as the output of 'openssl rand -hex 24'"
	secret := k.c.HTTP.CallbackSecret.Reveal()
	if secret != "" && len(secret) < callback.MinSecret {
		k.wrong("CALLBACK_SECRET", fmt.Sprintf("has less than %d characters", callback.MinSecret), mend)
	}
	if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		k.wrong("CALLBACK_SECRET", "holds characters that cannot travel in a header", mend)
	}
}

// Loopback tells whether a host, as in HTTP_ADDR, can only be reached from this
// machine. The empty host is every address.
func Loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
