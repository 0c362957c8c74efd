package setup

import (
	"strings"
	"testing"

	"ghlsync/cdc"
)

func target(change func(*Target)) Target {
	t := Target{
		Source: cdc.Config{EventsTable: "public.calendar_events", ClientsTable: `crm."Clients"`, Slot: "ghlsync", Publication: "ghlsync"},
		Role:   "ghlsync", Host: Generic, Version: 150000,
	}
	change(&t)
	return t
}

func script(t *testing.T, change func(*Target)) string {
	t.Helper()
	text, err := Script(t.Context(), target(change))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestScriptByHostAndVersion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Target)
		has    []string
		lacks  []string
	}{
		"generic": {
			func(*Target) {}, []string{
				"Postgres 15, hosting generic", "-- Nobody asked the server: version and hosting are assumed", "-- ALTER SYSTEM SET wal_level = 'logical';",
				`CREATE ROLE "ghlsync" LOGIN;`, `psql: \password "ghlsync"`, `ALTER ROLE "ghlsync" REPLICATION;`, `ALTER ROLE "ghlsync" BYPASSRLS;`,
				"GRANT CONNECT ON DATABASE %I", `GRANT USAGE ON SCHEMA "public" TO "ghlsync";`, `GRANT USAGE ON SCHEMA "crm" TO "ghlsync";`,
				`GRANT SELECT (id, name, business_name, email, phone) ON "crm"."Clients" TO "ghlsync";`,
				"(by the owner of the events table, or a superuser)", "publish_via_partition_root",
				"COMMIT;\n\n-- slot ghlsync", "pg_create_logical_replication_slot('ghlsync', 'pgoutput') FROM pg_catalog.pg_publication",
			}, []string{"rds_replication", "failover", "PASSWORD", "\nALTER SYSTEM", "ADD TABLE"},
		},
		"any version": {func(t *Target) { t.Version = 0 }, []string{"Postgres 14 to 18, hosting generic"}, nil},
		"rds": {
			func(t *Target) { t.Host = RDS },
			[]string{`GRANT rds_replication TO "ghlsync";`, "rds.logical_replication", "pg_get_userbyid(relowner)", "the master user"},
			[]string{"ALTER SYSTEM", `" REPLICATION;`, "ALTER ROLE"},
		},
		"neon":     {func(t *Target) { t.Host = Neon }, []string{"console", "neon_superuser", `ALTER ROLE "ghlsync" REPLICATION;`}, []string{"ALTER SYSTEM"}},
		"supabase": {func(t *Target) { t.Host = Supabase }, []string{`ALTER ROLE "ghlsync" BYPASSRLS;`, "the role postgres"}, []string{"ALTER SYSTEM"}},
		"failover": {func(t *Target) { t.Version, t.Source.Failover = 170000, true }, []string{"failover => true"}, nil},
		"failover before it exists": {
			func(t *Target) { t.Version, t.Source.Failover = 160000, true }, nil, []string{"failover =>"},
		},
		"failover of any version": {
			func(t *Target) { t.Version, t.Source.Failover = 0, true }, []string{"CDC_SLOT_FAILOVER needs Postgres 17"}, []string{"failover =>"},
		},
		"odd names": {
			func(t *Target) { t.Role, t.Source.Publication = `o'ne"two`, `p'u"b` },
			[]string{`ALTER ROLE "o'ne""two" REPLICATION;`, `CREATE ROLE "o'ne""two" LOGIN;`, `CREATE PUBLICATION "p'u""b"`, `-- role o'ne"two (by a superuser)`},
			nil,
		},
	} {
		got := script(t, c.change)
		for _, text := range c.has {
			if !strings.Contains(got, text) {
				t.Errorf("%s: no %q in\n%s", name, text, got)
			}
		}
		for _, text := range c.lacks {
			if strings.Contains(got, text) {
				t.Errorf("%s: %q in\n%s", name, text, got)
			}
		}
		for line := range strings.Lines(got) {
			// The tests that run it, and people who copy a line, rely on that.
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") && !strings.HasSuffix(line, ";") {
				t.Errorf("%s: a statement is more than a line: %s", name, line)
			}
		}
	}
}

// A comment that broke its line would be run.
func TestNamesStayInTheirLine(t *testing.T) {
	t.Parallel()
	odd := func(t *Target) { t.Role, t.Source.Publication, t.Source.Slot = "a\nBAD b", "c\nBAD d", "e\nBAD f" }
	undo, err := Undo(target(odd))
	if err != nil {
		t.Fatal(err)
	}
	comment := false
	for line := range strings.Lines(script(t, odd) + undo) {
		if comment && strings.HasPrefix(line, "BAD") {
			t.Errorf("a comment ends in %q", line)
		}
		comment = strings.HasPrefix(line, "--")
	}
}

func TestHostOf(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Host{
		"ep-cool-1.eu-central-1.aws.neon.tech": Neon, "db.abc.supabase.co": Supabase, "X.eu-west-1.RDS.amazonaws.com": RDS,
		"db.example.com": Generic, "": Generic, "neon.tech.example.com": Generic,
	} {
		if got := HostOf(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, err := ParseHost("azure"); err == nil {
		t.Error("an unknown host is taken")
	}
}
