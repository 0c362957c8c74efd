package setup

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"ghlsync/cdc"
)

// Script is what a DBA runs by hand, as one file for psql. Where the server was
// looked at, it is asked, and what is there already is told as that.
func Script(ctx context.Context, t Target) (_ string, err error) {
	steps, err := t.steps()
	if err != nil {
		return "", err
	}
	var conn *pgx.Conn
	if t.Survey != nil {
		if conn, err = connect(ctx, t.Source.URL); err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	}
	var b strings.Builder
	t.head(&b)
	t.walLevel(&b)
	b.WriteString("\nBEGIN;\n")
	last := len(steps) - 1
	for i, s := range steps {
		if found := t.seen().Findings; i == last && len(found) > 0 {
			b.WriteString("\nCOMMIT;\n")
			obstacles(&b, found)
			return b.String(), nil
		}
		if err := write(ctx, &b, conn, s); err != nil {
			return "", err
		}
	}
	b.WriteString("\nCOMMIT;\n")
	t.slot(&b)
	return b.String(), nil
}

// write writes a step. conn is nil where nobody can be asked.
func write(ctx context.Context, b *strings.Builder, conn *pgx.Conn, s step) error {
	b.WriteString("\n")
	var there bool
	var sql []string
	if conn == nil {
		sql = s.usual()
	} else {
		var err error
		if there, sql, err = ask(ctx, conn, s); err != nil {
			return err
		}
	}
	if there {
		say(b, "%s: already there", s.name)
		return nil
	}
	say(b, "%s (by %s)", s.name, s.who)
	for _, note := range s.notes {
		say(b, "%s", note)
	}
	for _, text := range sql {
		b.WriteString(text + "\n")
	}
	return nil
}

// usual are the statements for a server where nothing is prepared yet.
func (s step) usual() (sql []string) {
	for _, statement := range s.sql {
		if !statement.rare {
			sql = append(sql, statement.text)
		}
	}
	return sql
}

// obstacles stand in place of publication and slot: to publish over them would do
// harm, and their mend is for a person to decide.
func obstacles(b *strings.Builder, found []*cdc.Finding) {
	b.WriteString("\n")
	say(b, "Publication and slot are left out, until this is mended. Then print the script again.")
	for _, find := range found {
		say(b, "%s: %s", find.Problem, find.Mend)
		for _, sql := range find.SQL {
			say(b, "%s", sql)
		}
	}
}

// say writes a comment. What is in it stays in its line.
func say(b *strings.Builder, format string, args ...any) {
	b.WriteString("-- " + oneLine(fmt.Sprintf(format, args...)) + "\n")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func (t Target) head(b *strings.Builder) {
	version, where := "14 to 18", "Sentra's database"
	if t.Version != 0 {
		version = strconv.Itoa(t.Version / 10000)
	}
	if t.Survey != nil {
		where = "database " + t.Survey.Database
	}
	say(b, "ghlsync: what Sentra's database needs for the role %s. Postgres %s, hosting %s.", t.Role, version, t.Host)
	if t.Survey == nil {
		say(b, "Nobody asked the server: version and hosting are assumed (--postgres, --host), and that nothing is there yet.")
		if t.Version == 0 && t.Source.Failover {
			say(b, "CDC_SLOT_FAILOVER needs Postgres 17 or later: print this with --postgres, or the slot is made without.")
		}
	}
	say(b, "Run it on %s, all of it as %s, or each step as who is named:", where, t.Host.admin())
	say(b, "psql -v ON_ERROR_STOP=1 -f FILE")
}

// walLevel is about the one setting that needs a restart. A script that was
// printed without a look changes nothing of the server's settings.
func (t Target) walLevel(b *strings.Builder) {
	words, sql := t.Host.walMend()
	b.WriteString("\n")
	switch level := t.seen().WALLevel; level {
	case "logical":
		say(b, "wal_level is logical already.")
	case "":
		say(b, "wal_level has to be logical (SHOW wal_level). Where it is not, %s:", words)
		for _, s := range sql {
			say(b, "%s", s)
		}
	default:
		say(b, "wal_level is %s and has to be logical: %s.", level, words)
		for _, s := range sql {
			b.WriteString(s + "\n")
		}
	}
	say(b, "So that a daemon that stays away cannot fill the disk, set a limit too: max_slot_wal_keep_size = '4GB'.")
}

// slot comes last, on its own: it cannot be made in a transaction that has written.
// On a server that cannot make it yet it is only told.
func (t Target) slot(b *strings.Builder) {
	b.WriteString("\n")
	seen := t.seen()
	if seen.Slot != nil && seen.Fingerprint != "" && !seen.Slot.Lost() {
		say(b, "slot %s: already there", t.Source.Slot)
		return
	}
	say(b, "slot %s (by a role that may replicate; left out, the daemon makes it itself)", t.Source.Slot)
	say(b, "From here on the server keeps WAL for the daemon: start it soon.")
	if seen.Slot != nil {
		say(b, "The one that is there is older than the publication, or has lost WAL: it cannot be read.")
		b.WriteString(t.Source.DropSlotSQL() + "\n")
	}
	// A slot without its publication would be useless, and hold WAL back.
	sql := strings.TrimSuffix(t.Source.SlotSQL(t.Version), ";") + " FROM pg_catalog.pg_publication WHERE pubname = " + cdc.Literal(t.Source.Publication) + ";"
	if t.Survey != nil && seen.WALLevel != "logical" {
		say(b, "Once the server has restarted: %s", sql)
		return
	}
	b.WriteString(sql + "\n")
}

// Undo takes away what Script makes: the slot first, which holds WAL back. Of a
// role that is not the daemon's alone nothing is taken: whoever owns something
// here would lose the right to it.
func Undo(t Target) (string, error) {
	steps, err := t.steps()
	if err != nil {
		return "", err
	}
	role := cdc.Literal(t.Role)
	var b strings.Builder
	say(&b, "ghlsync: takes away what 'ghlsync setup' makes. Stop the daemon first.")
	say(&b, "Run it on the same database as whoever ran the setup: psql -v ON_ERROR_STOP=1 -f FILE. It may be run again.")
	b.WriteString("\n")
	say(&b, "slot %s: it would go on holding WAL back", t.Source.Slot)
	fmt.Fprintf(&b, "SELECT pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots WHERE slot_name = %s;\n\n", cdc.Literal(t.Source.Slot))
	say(&b, "publication %s", t.Source.Publication)
	fmt.Fprintf(&b, "DROP PUBLICATION IF EXISTS %s;\n\n", cdc.Quote(t.Source.Publication))
	say(&b, "role %s and its rights, unless it is a superuser or owns something", t.Role)
	fmt.Fprintf(&b, undoRole, role, cdc.Literal("role "+strings.ReplaceAll(t.Role, "%", "%%")+" is left as it is: it is a superuser or owns something, so it is not the daemon's alone"))
	for i := len(steps) - 1; i >= 0; i-- {
		for _, sql := range steps[i].undo {
			b.WriteString("  " + sql + "\n")
		}
	}
	fmt.Fprintf(&b, "  DROP ROLE %s;\nEND $ghlsync$;\n", cdc.Quote(t.Role))
	return b.String(), nil
}

// undoRole begins the block that takes away the role's rights and the role.
const undoRole = `DO $ghlsync$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = %[1]s) THEN RETURN; END IF;
  IF EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = %[1]s AND (r.rolsuper OR EXISTS (SELECT FROM pg_catalog.pg_shdepend d
      WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.refobjid = r.oid AND d.deptype = 'o'))) THEN
    RAISE NOTICE %[2]s;
    RETURN;
  END IF;
`
