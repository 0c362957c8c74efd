package setup

import (
	"fmt"
	"strings"
)

// Host is a kind of hosting, where rights are given in ways of its own.
type Host string

// A server that somebody runs as a superuser, and the hosted ones that differ.
const (
	Generic  Host = "generic"
	Neon     Host = "neon"
	Supabase Host = "supabase"
	RDS      Host = "rds" // Amazon RDS and Aurora
)

// ParseHost reads a kind of hosting.
func ParseHost(s string) (Host, error) {
	switch h := Host(s); h {
	case Generic, Neon, Supabase, RDS:
		return h, nil
	}
	return "", fmt.Errorf("host %q is none: use auto, generic, neon, supabase or rds", s)
}

// HostOf guesses the hosting by the server's host name.
func HostOf(name string) Host {
	name = strings.ToLower(name)
	for suffix, h := range map[string]Host{
		".neon.tech": Neon, ".supabase.co": Supabase, ".supabase.com": Supabase, ".rds.amazonaws.com": RDS,
	} {
		if strings.HasSuffix(name, suffix) {
			return h
		}
	}
	return Generic
}

// admin is who gives a role its attributes. From Postgres 16 on a role with
// CREATEROLE may give what it has itself, before only a superuser.
func (h Host) admin() string {
	switch h {
	case Neon:
		return "the role that owns the Neon database"
	case Supabase:
		return "the role postgres"
	case RDS:
		return "the master user"
	default:
		return "a superuser"
	}
}

// walMend is how logical replication is switched on, and the statement for it
// where there is one.
func (h Host) walMend() (words string, sql []string) {
	switch h {
	case Neon:
		return "switch logical replication on in the project's settings", nil
	case Supabase:
		return "Supabase has it on by default: ask its support", nil
	case RDS:
		return "set rds.logical_replication = 1 in the parameter group and reboot the instance", nil
	default:
		return "set it and restart the server", []string{"ALTER SYSTEM SET wal_level = 'logical';"}
	}
}

// roleNotes are what to know before the role is made.
func (h Host) roleNotes() []string {
	if h != Neon {
		return nil
	}
	return []string{
		"Where Neon refuses to let this role replicate or read past row level security (Postgres 14 and 15), make it in",
		"the console: it has both rights then. But it is a member of neon_superuser too, and reads every table.",
	}
}
