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

func TestScriptByHostAndVersion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Target)
		has    []string
		lacks  []string
	}{
		"generic": {
			func(*Target) {}, []string{
				"ALTER SYSTEM SET wal_level = 'logical';", `ALTER ROLE "ghlsync" REPLICATION;`, `ALTER ROLE "ghlsync" BYPASSRLS;`,
				`GRANT USAGE ON SCHEMA "public" TO "ghlsync";`, `GRANT USAGE ON SCHEMA "crm" TO "ghlsync";`,
				`GRANT SELECT (id, name, business_name, email, phone) ON "crm"."Clients" TO "ghlsync";`,
				"publish_via_partition_root", "pg_create_logical_replication_slot('ghlsync', 'pgoutput') WHERE NOT EXISTS",
			}, []string{"rds_replication", "failover", "PASSWORD"},
		},
		"logical already": {func(t *Target) { t.WALLevel = "logical" }, nil, []string{"ALTER SYSTEM"}},
		"rds": {
			func(t *Target) { t.Host = RDS },
			[]string{`GRANT rds_replication TO "ghlsync";`, "rds.logical_replication", "pg_get_userbyid(relowner)"},
			[]string{"ALTER SYSTEM", `" REPLICATION;`, "BYPASSRLS;"},
		},
		"neon":     {func(t *Target) { t.Host = Neon }, []string{"console", `ALTER ROLE "ghlsync" REPLICATION;`}, []string{"ALTER SYSTEM"}},
		"supabase": {func(t *Target) { t.Host = Supabase }, []string{`ALTER ROLE "ghlsync" BYPASSRLS;`}, []string{"ALTER SYSTEM"}},
		"failover": {func(t *Target) { t.Version, t.Source.Failover = 170000, true }, []string{"failover => true"}, nil},
		"failover before it exists": {
			func(t *Target) { t.Version, t.Source.Failover = 160000, true }, nil, []string{"failover"},
		},
		"odd names": {
			func(t *Target) { t.Role, t.Source.Publication = `o'ne"two`, `p'u"b` },
			[]string{`ALTER ROLE "o'ne""two" REPLICATION;`, `EXECUTE 'CREATE ROLE "o''ne""two" LOGIN'`, `CREATE PUBLICATION "p''u""b"`},
			nil,
		},
	} {
		script, err := Script(target(c.change))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range c.has {
			if !strings.Contains(script, text) {
				t.Errorf("%s: no %q in\n%s", name, text, script)
			}
		}
		for _, text := range c.lacks {
			if strings.Contains(script, text) {
				t.Errorf("%s: %q in\n%s", name, text, script)
			}
		}
		for line := range strings.Lines(script) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") && !strings.HasSuffix(line, ";") {
				t.Errorf("%s: a statement is more than a line: %s", name, line)
			}
		}
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
