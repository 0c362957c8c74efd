package cdc

import (
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func goodConfig() Config {
	return Config{
		URL:         "postgres://ghlsync:s3cret%21pass@db.example.com:5432/sentra?sslmode=disable",
		EventsTable: "public.calendar_events", ClientsTable: "public.clients",
		Types: []string{"onboarding", "handover"}, Slot: "ghlsync", Publication: "ghlsync",
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit func(*Config)
		says string // empty: no problem
	}{
		"good":         {func(*Config) {}, ""},
		"key=value":    {func(c *Config) { c.URL = "host=db.example.com user=u password=s3cret dbname=d sslmode=disable" }, ""},
		"quoted names": {func(c *Config) { c.EventsTable = `"Sen.tra"."Calendar Events"` }, ""},
		"no URL":       {func(c *Config) { c.URL = " " }, "is empty"},
		"bad URL":      {func(c *Config) { c.URL = "postgres://u:s3cret@host:notaport/db" }, "cannot be parsed"},
		"bad escape":   {func(c *Config) { c.URL = "postgres://u:s3cret%zz@host/db" }, "percent-encoded"},
		"neon pooler": {func(c *Config) {
			c.URL = "postgres://u:s3cret@ep-cool-1-pooler.eu-central-1.aws.neon.tech/db?sslmode=require"
		}, "use the direct host ep-cool-1.eu-central-1.aws.neon.tech"},
		"neon direct":   {func(c *Config) { c.URL = "postgres://u:s3cret@ep-cool-1.eu-central-1.aws.neon.tech/db?sslmode=require" }, ""},
		"supabase 6543": {func(c *Config) { c.URL = "postgres://u:s3cret@db.abc.supabase.co:6543/postgres?sslmode=require" }, "port 5432"},
		"supabase pooler": {func(c *Config) {
			c.URL = "postgres://u.abc:s3cret@aws-0-eu.pooler.supabase.com:5432/postgres?sslmode=require"
		}, "use the direct connection"},
		"supabase direct": {func(c *Config) { c.URL = "postgres://u:s3cret@db.abc.supabase.co:5432/postgres?sslmode=require" }, ""},
		"second host": {func(c *Config) {
			c.URL = "postgres://u:s3cret@a.example.com,db.abc.supabase.co:6543/postgres?sslmode=disable"
		}, "6543"},
		"slot":        {func(c *Config) { c.Slot = "My-Slot" }, `slot name "My-Slot"`},
		"publication": {func(c *Config) { c.Publication = "" }, "publication name"},
		"table":       {func(c *Config) { c.ClientsTable = "a.b.c" }, `clients table "a.b.c"`},
		"types":       {func(c *Config) { c.Types = nil }, "no event type"},
		"loss":        {func(c *Config) { c.OnSlotLoss = "ignore" }, `"ignore": use resync or stop`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := goodConfig()
			tc.edit(&cfg)
			err := Check(cfg)
			if (err != nil) != (tc.says != "") {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				return
			}
			if !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%q does not say %q", err, tc.says)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q holds the password", err)
			}
		})
	}
}

// A special character in a password must not make a host, a database or a parameter of
// a part of it: those are told in errors.
func TestTornPasswordIsRefusedAndNotTold(t *testing.T) {
	t.Parallel()
	good := Config{EventsTable: "e", ClientsTable: "c", Types: []string{"onboarding"}, Slot: "s", Publication: "p"}
	for _, url := range []string{
		"postgres://u:731/73@db.example.com/sentra",
		"postgres://u:7@31/73@db.example.com/sentra",
		"host=db.example.com password=7 731 73=4 user=u",
		"host=db.example.com user=u password=7 73-1=4",
	} {
		good.URL = url
		err := Check(good)
		if err == nil || !strings.Contains(err.Error(), "percent-encoded") || strings.Contains(err.Error(), "73") {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, url := range []string{
		"postgres://u:7#31?@db.example.com/sentra?sslmode=disable&application_name=a@b",
		"postgres://u:7%4031@db.example.com/sentra?sslmode=disable&options=-c%20work_mem%3D1MB",
		"postgres://db.example.com/sentra?user=u&password=7%23&sslmode=disable",
		"host=db.example.com password='7 31 # @' user=u sslmode=disable application_name=x ghlsync.x=1",
		"postgres://u:7@db.example.com",
	} {
		good.URL = url
		if err := Check(good); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestCheckReportsEverything(t *testing.T) {
	t.Parallel()
	err := Check(Config{})
	for _, want := range []string{"connection string", "events table", "clients table", "event type", "slot name", "publication name"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not mention the %s", err, want)
		}
	}
}

func TestParseTable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]tableName{
		"calendar_events":          {"public", "calendar_events"},
		"Public.Calendar_Events":   {"public", "calendar_events"},
		`"Public"."Cal""en.dar"`:   {"Public", `Cal"en.dar`},
		`sentra."Calendar Events"`: {"sentra", "Calendar Events"},
	} {
		got, err := parseTable(in)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v", in, got, err)
		}
		again, err := parseTable(got.sql())
		if err != nil || again != got {
			t.Errorf("%s: its SQL %s reads as %+v, %v", in, got.sql(), again, err)
		}
	}
	for _, in := range []string{"", ".", "a.", ".b", "a.b.c", `"a`, `"".b`, "a b", "a;b", `a"b"`, strings.Repeat("x", 64)} {
		if got, err := parseTable(in); err == nil {
			t.Errorf("%q reads as %+v", in, got)
		}
	}
}

func TestQuoting(t *testing.T) {
	t.Parallel()
	if got := arrayLiteral([]string{`a`, `b"\c`, ``, `{,}`}); got != `{"a","b\"\\c","","{,}"}` {
		t.Errorf("array %s", got)
	}
	if got := quoteLiteral(`o'clock`); got != `'o''clock'` {
		t.Errorf("literal %s", got)
	}
}

// Whatever a driver or a server says, the password does not get through.
func TestErrorsAreScrubbed(t *testing.T) {
	t.Parallel()
	cfg := goodConfig()
	s, err := newSource(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"s3cret!pass", "s3cret%21pass", cfg.URL} {
		for _, err := range []error{
			s.serverError(errors.New("read " + secret + ": reset")),
			s.serverError(&pgconn.PgError{Code: "XX000", Message: "what is " + secret}),
			s.connectError(t.Context(), ordinary, errors.New("dial "+secret)),
			s.connectError(t.Context(), replication, &pgconn.PgError{Code: "28P01", Message: "no " + secret}),
		} {
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q holds the password", err)
			}
		}
	}
	value := s.serverError(&pgconn.PgError{Code: "22P02", Message: `invalid input syntax for type integer: "Jane Doe"`})
	if strings.Contains(value.Error(), "Jane") || !strings.Contains(value.Error(), "22P02") {
		t.Errorf("%q holds a value", value)
	}
}
