package cdc

import (
	"fmt"
)

// sourceFinding: LSNs of another server mean nothing to our state.
func sourceFinding(p *Prior, f Facts) *Finding {
	switch {
	case p == nil:
		return nil
	case p.SystemID == f.SystemID && p.Database == f.Database:
		return timelineFinding(p, f)
	}
	return &Finding{
		Code: CodeSource, Err: ErrOtherSource,
		Problem: fmt.Sprintf("the state belongs to database %q of the server with system identifier %s, but the source is database %q of %s",
			p.Database, p.SystemID, f.Database, f.SystemID),
		Mend: "point SENTRA_DATABASE_URL back; or, if Sentra was moved there, 'ghlsync setup --accept-source'; or give this daemon a state of its own (STATE_URL)",
	}
}

// timelineFinding: a failover raises the timeline, and a restore does. A server
// that is on a lower one than the checkpoint does not know what happened since; to heal
// from it would take out of GHL what Sentra has.
func timelineFinding(p *Prior, f Facts) *Finding {
	if p.LSN == 0 || f.Timeline >= p.Timeline {
		return nil
	}
	return &Finding{
		Code: CodeSource, Err: ErrOldTimeline,
		Problem: fmt.Sprintf("the server is on timeline %d and the checkpoint on %d: this is the primary from before a failover, or an older copy of its disk",
			f.Timeline, p.Timeline),
		Mend: "point SENTRA_DATABASE_URL to the new primary and keep the old one down; or, if Sentra goes on with this server, 'ghlsync setup --accept-source'",
	}
}

func tableFinding(f Facts, cfg Config) *Finding {
	if f.TableOID != 0 {
		return nil
	}
	return &Finding{
		Code: CodeTable, Problem: fmt.Sprintf("there is no table %s in database %q", cfg.EventsTable, f.Database),
		Mend: "check SENTRA_EVENTS_TABLE and the database of SENTRA_DATABASE_URL",
	}
}

// foreignSlotFinding: a slot that was not made for this is somebody else's.
func foreignSlotFinding(f Facts, cfg Config) *Finding {
	s := f.Slot
	var problem string
	switch {
	case s == nil:
		return nil
	case !s.Logical:
		problem = "is a physical slot"
	case s.Plugin != "pgoutput":
		problem = fmt.Sprintf("uses the output plugin %q, not pgoutput", s.Plugin)
	case s.Database != f.Database:
		problem = fmt.Sprintf("belongs to database %q, not %q", s.Database, f.Database)
	case s.TwoPhase:
		problem = "decodes prepared transactions (two_phase), which would arrive before they commit"
	case s.Temporary:
		problem = "is a temporary slot of another session"
	default:
		return nil
	}
	drop := dropSlotSQL(cfg)
	if s.Temporary && s.ActivePID != 0 {
		// It is only its own session's to drop, and goes with that.
		drop = fmt.Sprintf("SELECT pg_terminate_backend(%d);", s.ActivePID)
	}
	return &Finding{
		Code: CodeSlot, Problem: fmt.Sprintf("slot %s %s", cfg.Slot, problem),
		Mend: "set CDC_SLOT to another name, or drop it if nobody needs it", SQL: []string{drop},
	}
}

// publicationFinding judges a publication that exists. What it merely lacks,
// EnsurePublication adds; what a person chose is the person's to change.
func publicationFinding(f Facts, cfg Config) *Finding {
	p := f.Publication
	if p == nil {
		return nil
	}
	name := quoteIdent(cfg.Publication)
	find := &Finding{Code: CodePublication, Mend: "change it, or set CDC_PUBLICATION to another name"}
	say := func(problem string, sql ...string) *Finding {
		find.Problem, find.SQL = "publication "+cfg.Publication+" "+problem, sql
		return find
	}
	switch {
	case p.AllTables || p.HasClients:
		// The stream would carry every column of every client, passwords included.
		return say("publishes the clients table too, whose columns must not leave the server",
			fmt.Sprintf("DROP PUBLICATION %s;", name), createPublicationSQL(cfg))
	case !p.Insert || !p.Update || !p.Delete || !p.Truncate:
		return say("leaves out some operations", fmt.Sprintf("ALTER PUBLICATION %s SET (publish = '%s');", name, operations))
	case p.RowFilter:
		return say("has a row filter on the events table", setTableSQL(cfg))
	case p.ColumnList:
		return say("has a column list for the events table", setTableSQL(cfg))
	case p.Partitioned && !p.ViaRoot:
		return say("publishes the partitions of the events table under their own names",
			fmt.Sprintf("ALTER PUBLICATION %s SET (publish_via_partition_root = true);", name))
	}
	return nil
}

const operations = "insert, update, delete, truncate"

// byHand is the finding for what is missing and may not be made here.
func byHand(problem string, f Facts, cfg Config) *Finding {
	return &Finding{
		Code: CodeSlot, Problem: problem,
		Mend: "CDC_CREATE is false, so run this on the source, in this order, and start again", SQL: repairSQL(f, cfg),
	}
}

// repairSQL makes publication and slot what they should be. The publication
// comes first: a slot cannot be decoded from before its publication.
func repairSQL(f Facts, cfg Config) []string {
	var sql []string
	switch {
	case f.Publication == nil:
		sql = append(sql, createPublicationSQL(cfg))
	case !f.Publication.HasTable:
		sql = append(sql, addTableSQL(cfg))
	}
	if f.Slot != nil {
		sql = append(sql, dropSlotSQL(cfg))
	}
	return append(sql, createSlotSQL(f.ServerVersion, cfg))
}

func createPublicationSQL(cfg Config) string {
	return fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s WITH (publish = '%s', publish_via_partition_root = true);",
		quoteIdent(cfg.Publication), tableSQL(cfg.EventsTable), operations)
}

func addTableSQL(cfg Config) string {
	return fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE %s;", quoteIdent(cfg.Publication), tableSQL(cfg.EventsTable))
}

func setTableSQL(cfg Config) string {
	return fmt.Sprintf("ALTER PUBLICATION %s SET TABLE %s;", quoteIdent(cfg.Publication), tableSQL(cfg.EventsTable))
}

func dropSlotSQL(cfg Config) string {
	return fmt.Sprintf("SELECT pg_drop_replication_slot(%s);", quoteLiteral(cfg.Slot))
}

func createSlotSQL(version int, cfg Config) string {
	options := ""
	if cfg.Failover && version >= failoverSince {
		options = ", failover => true"
	}
	return fmt.Sprintf("SELECT pg_create_logical_replication_slot(%s, 'pgoutput'%s);", quoteLiteral(cfg.Slot), options)
}

// tableSQL quotes a configured table name; one that does not parse is shown as
// it is, since Check has refused it before.
func tableSQL(name string) string {
	t, err := parseTable(name)
	if err != nil {
		return name
	}
	return t.sql()
}

// PublicationSQL is the statement that creates the publication.
func (c Config) PublicationSQL() string { return createPublicationSQL(c) }

// SlotSQL is the statement that creates the slot on a server of that version
// (server_version_num).
func (c Config) SlotSQL(version int) string { return createSlotSQL(version, c) }

// SlotFinding is nil for a slot that can be ours, and for none.
func (c Config) SlotFinding(f Facts) *Finding { return foreignSlotFinding(f, c) }

// PublicationFinding is nil for a publication that is as it should be or merely
// lacks the table, and for none.
func (c Config) PublicationFinding(f Facts) *Finding { return publicationFinding(f, c) }

// SourceFinding is nil if a checkpoint belongs to the source, and for none.
func (c Config) SourceFinding(p *Prior, f Facts) *Finding { return sourceFinding(p, f) }

// RepairSQL makes publication and slot anew, as far as they are not what they
// should be.
func (c Config) RepairSQL(f Facts) []string { return repairSQL(f, c) }

// AddTableSQL is the statement that adds the events table to the publication.
func (c Config) AddTableSQL() string { return addTableSQL(c) }

// ApplicationNames are what replication connections call themselves: what
// synchronous_standby_names must not count.
func (c Config) ApplicationNames() []string {
	name := c.withDefaults().ApplicationName
	return []string{name + " stream", name + " snapshot"}
}
