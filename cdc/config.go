package cdc

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// What to do when continuity is lost: see Config.OnSlotLoss.
const (
	Resync = "resync"
	Stop   = "stop"
)

const (
	defaultApplicationName = "ghlsync"
	defaultSlotWait        = 60 * time.Second
)

// Config says what to capture, and where.
type Config struct {
	// URL is a direct (not pooled) connection string of the source, either form
	// that libpq knows. It may hold a password and never appears in an error.
	URL string
	// EventsTable and ClientsTable are 'schema.table'. Identifiers fold to lower
	// case unless double-quoted, as in SQL; a name without schema is in public.
	EventsTable, ClientsTable string
	// Types are the event types that a snapshot reads. The stream carries all.
	Types []string
	// Slot and Publication are names on the source.
	Slot, Publication string
	// Create allows to create and to re-create the slot and the publication.
	Create bool
	// Failover asks for a slot that is synchronised to standbys (Postgres 17+).
	Failover bool
	// OnSlotLoss is Resync (also when empty) or Stop.
	OnSlotLoss string
	// SlotWait bounds the wait for open transactions when a slot is created; zero
	// is 60 s.
	SlotWait time.Duration
	// ApplicationName is what pg_stat_activity shows; empty is "ghlsync".
	ApplicationName string
	// Logger is for changes of state; nil discards.
	Logger *slog.Logger
}

var slotName = regexp.MustCompile(`^[a-z0-9_]{1,63}$`)

// Check reports every problem of a configuration that can be told without
// connecting, joined. The errors never hold the URL or a part of it but its
// host name.
func Check(cfg Config) error {
	var problems []error
	problems = append(problems, checkURL(cfg.URL))
	for _, t := range []struct{ what, name string }{{"events table", cfg.EventsTable}, {"clients table", cfg.ClientsTable}} {
		if _, err := parseTable(t.name); err != nil {
			problems = append(problems, fmt.Errorf("%s %q: %w", t.what, t.name, err))
		}
	}
	if len(cfg.Types) == 0 {
		problems = append(problems, errors.New("no event type is given: name at least one, such as onboarding,handover"))
	}
	if !slotName.MatchString(cfg.Slot) {
		problems = append(problems, fmt.Errorf("slot name %q: use 1 to 63 of a-z, 0-9 and _", cfg.Slot))
	}
	if cfg.Publication == "" || len(cfg.Publication) > 63 || strings.ContainsRune(cfg.Publication, 0) {
		problems = append(problems, fmt.Errorf("publication name %q: use 1 to 63 bytes", cfg.Publication))
	}
	if cfg.OnSlotLoss != "" && cfg.OnSlotLoss != Resync && cfg.OnSlotLoss != Stop {
		problems = append(problems, fmt.Errorf("on slot loss %q: use %s or %s", cfg.OnSlotLoss, Resync, Stop))
	}
	return errors.Join(problems...)
}

// checkURL refuses what cannot be parsed and hosts that are known to be poolers,
// which do not speak the replication protocol.
func checkURL(url string) error {
	if strings.TrimSpace(url) == "" {
		return errors.New("the source's connection string is empty: set it to postgres://user:password@host/database")
	}
	// The parser's own error quotes the string with the password masked as far as
	// it can be recognised; that is not far enough.
	parsed, err := pgconn.ParseConfig(url)
	if err != nil || Torn(url, parsed) {
		return errors.New("the source's connection string cannot be parsed (not shown: it may hold a password): use postgres://user:password@host:5432/database?sslmode=require, with special characters of the password percent-encoded")
	}
	if err := checkPooled(parsed.Host, parsed.Port); err != nil {
		return err
	}
	for _, f := range parsed.Fallbacks {
		if err := checkPooled(f.Host, f.Port); err != nil {
			return err
		}
	}
	return nil
}

// parameter is what a run-time parameter of Postgres is called.
var parameter = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// Torn tells a connection string that parses, but not as it was meant, by a slash or
// a blank in its password: a part of it would be taken for a port, a database or a
// parameter, and told as that in errors.
func Torn(url string, parsed *pgconn.Config) bool {
	if _, rest, ok := strings.Cut(url, "://"); ok {
		_, path, _ := strings.Cut(rest, "/")
		path, _, _ = strings.Cut(path, "?")
		return strings.Contains(path, "@")
	}
	for name := range parsed.RuntimeParams {
		if !parameter.MatchString(name) {
			return true
		}
	}
	return false
}

func checkPooled(host string, port uint16) error {
	lower := strings.ToLower(host)
	first, rest, _ := strings.Cut(lower, ".")
	switch {
	case strings.HasSuffix(first, "-pooler") && strings.HasSuffix(rest, "neon.tech"):
		direct := strings.TrimSuffix(first, "-pooler") + "." + rest
		return fmt.Errorf("host %s is Neon's connection pooler, which cannot replicate: use the direct host %s", host, direct)
	case supabase(lower) && port == 6543:
		return fmt.Errorf("port 6543 of host %s is Supabase's transaction pooler, which cannot replicate: use the direct connection, db.<project>.supabase.co port 5432", host)
	case strings.HasSuffix(lower, ".pooler.supabase.com"):
		return fmt.Errorf("host %s is Supabase's session pooler, which cannot replicate: use the direct connection, db.<project>.supabase.co port 5432", host)
	}
	return nil
}

func supabase(host string) bool {
	return strings.HasSuffix(host, ".supabase.co") || strings.HasSuffix(host, ".supabase.com")
}

func (c Config) withDefaults() Config {
	if c.ApplicationName == "" {
		c.ApplicationName = defaultApplicationName
	}
	if c.SlotWait <= 0 {
		c.SlotWait = defaultSlotWait
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = c.Logger.With("component", "cdc")
	return c
}
