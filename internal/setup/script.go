package setup

import (
	"fmt"
	"strings"

	"ghlsync/cdc"
)

// Script is what a DBA runs by hand, in order, as one file for psql.
func Script(t Target) (string, error) {
	steps, err := t.roleSteps()
	if err != nil {
		return "", err
	}
	publication, err := t.publicationStep()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	say(&b, "ghlsync: what Sentra's database needs, for Postgres %d, hosting %s.", t.Version/10000, t.Host)
	say(&b, "Run it on %s, as a superuser or whoever the hosting has in its place: psql -v ON_ERROR_STOP=1 -f FILE. It may be run again.", t.where())
	t.walLevel(&b)
	for _, s := range append(steps, publication, t.slotStep()) {
		b.WriteString("\n")
		say(&b, "%s", s.name)
		for _, note := range s.notes {
			say(&b, "%s", note)
		}
		for _, sql := range s.sql {
			b.WriteString(oneLine(sql) + "\n")
		}
	}
	return b.String(), nil
}

// Undo takes everything away again that Script makes, and leaves no slot behind.
func Undo(t Target) string {
	role, text := cdc.Quote(t.Role), cdc.Literal(t.Role)
	var b strings.Builder
	say(&b, "ghlsync: takes away what 'ghlsync setup' made. Stop the daemon first.")
	say(&b, "Run it on %s, as whoever ran the setup: psql -v ON_ERROR_STOP=1 -f FILE. It may be run again.", t.where())
	b.WriteString("\n")
	say(&b, "the slot, which would hold back WAL")
	slot := cdc.Literal(t.Source.Slot)
	fmt.Fprintf(&b, "SELECT pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = %s;\n\n", slot)
	say(&b, "the publication")
	fmt.Fprintf(&b, "DROP PUBLICATION IF EXISTS %s;\n\n", cdc.Quote(t.Source.Publication))
	say(&b, "the role, with its rights in this database")
	fmt.Fprintf(&b, "DO $ghlsync$ BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %s) THEN EXECUTE %s; END IF; END $ghlsync$;\n",
		text, cdc.Literal("DROP OWNED BY "+role))
	fmt.Fprintf(&b, "DROP ROLE IF EXISTS %s;\n", role)
	return b.String()
}

// say writes a comment.
func say(b *strings.Builder, format string, args ...any) { fmt.Fprintf(b, "-- "+format+"\n", args...) }

func oneLine(sql string) string { return strings.Join(strings.Fields(sql), " ") }

func (t Target) where() string {
	if t.Database == "" {
		return "Sentra's database"
	}
	return fmt.Sprintf("database %q", t.Database)
}

// walLevel is about the one setting that needs a restart.
func (t Target) walLevel(b *strings.Builder) {
	if t.WALLevel == "logical" {
		return
	}
	b.WriteString("\n")
	switch t.Host {
	case Generic:
		say(b, "logical replication: the server has to be restarted behind this")
		b.WriteString("ALTER SYSTEM SET wal_level = 'logical';\n")
		say(b, "A daemon that stays away must not fill the disk: ALTER SYSTEM SET max_slot_wal_keep_size = '4GB';")
	case RDS:
		say(b, "logical replication: set rds.logical_replication = 1 in the parameter group and reboot the instance.")
	case Neon:
		say(b, "logical replication: switch it on in the project's settings.")
	case Supabase:
		say(b, "logical replication is on by default.")
	}
}
