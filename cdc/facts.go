package cdc

import "github.com/jackc/pglogrepl"

// Facts is what the source says of itself, the table, the publication and the
// slot at one moment.
type Facts struct {
	SystemID string
	Timeline int32
	// Switches are the ends of the earlier timelines in the server's history,
	// oldest first.
	Switches []Switch
	Database string
	// WALEnd is how far the server's WAL is flushed.
	WALEnd        pglogrepl.LSN
	ServerVersion int // as server_version_num: 150004
	// TableOID is 0 if there is no events table.
	TableOID uint32
	// MissingColumns are required ones that the events table lacks.
	MissingColumns []string
	// Publication is nil if there is none of the name.
	Publication *PublicationFacts
	// Fingerprint stands for this very publication of this very table. It is
	// empty if the publication or the table is missing, or one lacks the other.
	Fingerprint string
	// Slot is nil if there is none of the name.
	Slot *SlotFacts
}

// Switch is the end of a timeline: what it holds from LSN on is not part of the
// server's history.
type Switch struct {
	Timeline int32
	LSN      pglogrepl.LSN
}

// PublicationFacts describes a publication.
type PublicationFacts struct {
	OID                              uint32
	AllTables                        bool
	Insert, Update, Delete, Truncate bool
	ViaRoot                          bool
	Partitioned                      bool // the events table is partitioned, so that ViaRoot counts
	HasTable                         bool
	RowFilter, ColumnList            bool // on the events table
	HasClients                       bool // the clients table is published too
}

// SlotFacts is a row of pg_replication_slots. Columns that the server's version
// lacks are zero.
type SlotFacts struct {
	Plugin, Database string
	Logical          bool
	Active           bool
	ActivePID        int
	ConfirmedFlush   pglogrepl.LSN
	Restart          pglogrepl.LSN
	WALStatus        string // reserved, extended, unreserved, lost
	SafeWALSize      *int64 // bytes until the slot may be lost; nil: no limit
	Temporary        bool
	TwoPhase         bool
	Failover         bool
	Invalidation     string // why the slot cannot be used any more
}

// Lost reports whether the slot can never be streamed from again.
func (s *SlotFacts) Lost() bool {
	return s.WALStatus == "lost" || s.Invalidation != "" || s.Restart == 0
}
