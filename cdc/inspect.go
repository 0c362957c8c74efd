package cdc

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"
)

// factsQuery reads table and publication in one statement, so that the
// fingerprint is of one moment. xmin of a catalog row changes with every change
// of the row and with its re-creation, and outlives freezing. The column list
// and the row filter exist from Postgres 15 on, hence the detour over jsonb.
// %s are the two pieces about publications of whole schemas.
const factsQuery = `
SELECT current_database(), pg_current_wal_flush_lsn(),
       coalesce(c.oid, 0), coalesce(c.relkind = 'p', false),
       p.oid, p.xmin, coalesce(p.puballtables, false),
       coalesce(p.pubinsert, false), coalesce(p.pubupdate, false), coalesce(p.pubdelete, false),
       coalesce(p.pubtruncate, false), coalesce(p.pubviaroot, false),
       pr.oid, pr.xmin,
       to_jsonb(pr) ->> 'prqual' IS NOT NULL, to_jsonb(pr) ->> 'prattrs' IS NOT NULL,
       EXISTS (SELECT FROM pg_publication_tables t WHERE t.pubname = p.pubname AND t.schemaname = $4 AND t.tablename = $5),
       (SELECT string_agg(r.name, ',' ORDER BY r.n) FROM unnest($6::text[]) WITH ORDINALITY r(name, n) WHERE c.oid IS NOT NULL
          AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = r.name AND a.attnum > 0 AND NOT a.attisdropped)),
       %s
FROM (SELECT 1) one
LEFT JOIN (pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace)
       ON n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')
LEFT JOIN pg_publication p ON p.pubname = $3
LEFT JOIN pg_publication_rel pr ON pr.prpubid = p.oid AND pr.prrelid = c.oid
%s`

// Positions in factsQuery.
const (
	fDatabase = iota
	fWALEnd
	fTable
	fPartitioned
	fPub
	fPubXmin
	fAllTables
	fInsert
	fUpdate
	fDelete
	fTruncate
	fViaRoot
	fRel
	fRelXmin
	fRowFilter
	fColumnList
	fClients
	fMissing
	fSchema
	fSchemaXmin
)

const slotQuery = `
SELECT coalesce(s.plugin, ''), s.slot_type = 'logical', coalesce(s.database, ''), s.active, coalesce(s.active_pid, 0),
       coalesce(s.confirmed_flush_lsn, '0/0'), coalesce(s.restart_lsn, '0/0'), coalesce(s.wal_status, ''), s.safe_wal_size,
       s.temporary, s.two_phase, coalesce(j ->> 'failover' = 'true', false),
       coalesce(j ->> 'invalidation_reason', CASE WHEN j ->> 'conflicting' = 'true' THEN 'conflict with recovery' ELSE '' END)
FROM pg_replication_slots s CROSS JOIN LATERAL to_jsonb(s) AS j
WHERE s.slot_name = $1`

// Inspect looks at the source. What depends on the server as a whole (system,
// timeline) is of the moment of Open: it cannot change under open connections.
func (s *Source) Inspect(ctx context.Context) (Facts, error) {
	f := Facts{
		SystemID: s.system.SystemID, Timeline: s.system.Timeline, Switches: s.switches,
		ServerVersion: s.version,
	}
	schemaColumns, schemaJoin := "NULL, NULL", ""
	if s.version >= 150000 {
		schemaColumns = "pn.oid, pn.xmin"
		schemaJoin = "LEFT JOIN pg_publication_namespace pn ON pn.pnpubid = p.oid AND pn.pnnspid = c.relnamespace"
	}
	// The slot comes first: a slot that is created between the two statements is
	// missed, never seen without its publication.
	slot, err := s.look.query(ctx, slotQuery, s.cfg.Slot)
	if err != nil {
		return f, fmt.Errorf("inspect slot: %w", err)
	}
	rows, err := s.look.query(ctx, fmt.Sprintf(factsQuery, schemaColumns, schemaJoin),
		s.events.schema, s.events.name, s.cfg.Publication, s.clients.schema, s.clients.name, arrayLiteral(eventColumns()))
	if err != nil {
		return f, fmt.Errorf("inspect publication: %w", err)
	}
	if err := f.readDatabase(rows[0]); err != nil {
		return f, fmt.Errorf("inspect publication: %w", err)
	}
	if len(slot) > 0 {
		if f.Slot, err = readSlot(slot[0]); err != nil {
			return f, fmt.Errorf("inspect slot: %w", err)
		}
	}
	return f, nil
}

func (f *Facts) readDatabase(r textRow) (err error) {
	f.Database = r.text(fDatabase)
	if f.WALEnd, err = pglogrepl.ParseLSN(r.text(fWALEnd)); err != nil {
		return err
	}
	oid, err := strconv.ParseUint(r.text(fTable), 10, 32)
	if err != nil {
		return err
	}
	f.TableOID = uint32(oid)
	if !r.null(fMissing) {
		f.MissingColumns = strings.Split(r.text(fMissing), ",")
	}
	if r.null(fPub) {
		return nil
	}
	if oid, err = strconv.ParseUint(r.text(fPub), 10, 32); err != nil {
		return err
	}
	p := &PublicationFacts{
		OID: uint32(oid), AllTables: r.yes(fAllTables),
		Insert: r.yes(fInsert), Update: r.yes(fUpdate), Delete: r.yes(fDelete), Truncate: r.yes(fTruncate),
		ViaRoot: r.yes(fViaRoot), Partitioned: r.yes(fPartitioned),
		RowFilter: r.yes(fRowFilter), ColumnList: r.yes(fColumnList), HasClients: r.yes(fClients),
	}
	p.HasTable = f.TableOID != 0 && (p.AllTables || !r.null(fRel) || !r.null(fSchema))
	f.Publication = p
	if p.HasTable {
		f.Fingerprint = fmt.Sprintf("pub=%s:%s rel=%s:%s schema=%s:%s table=%d",
			r.text(fPub), r.text(fPubXmin), r.text(fRel), r.text(fRelXmin), r.text(fSchema), r.text(fSchemaXmin), f.TableOID)
	}
	return nil
}

func readSlot(r textRow) (*SlotFacts, error) {
	slot := &SlotFacts{
		Plugin: r.text(0), Logical: r.yes(1), Database: r.text(2), Active: r.yes(3), WALStatus: r.text(7),
		Temporary: r.yes(9), TwoPhase: r.yes(10), Failover: r.yes(11), Invalidation: r.text(12),
	}
	var err error
	if slot.ActivePID, err = strconv.Atoi(r.text(4)); err != nil {
		return nil, err
	}
	if slot.ConfirmedFlush, err = pglogrepl.ParseLSN(r.text(5)); err != nil {
		return nil, err
	}
	if slot.Restart, err = pglogrepl.ParseLSN(r.text(6)); err != nil {
		return nil, err
	}
	if !r.null(8) {
		size, err := strconv.ParseInt(r.text(8), 10, 64)
		if err != nil {
			return nil, err
		}
		slot.SafeWALSize = &size
	}
	return slot, nil
}
