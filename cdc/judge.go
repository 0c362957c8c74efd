package cdc

import "github.com/jackc/pglogrepl"

// Prior is what a checkpoint says. The zero value of a field is what a new
// checkpoint holds.
type Prior struct {
	LSN             pglogrepl.LSN
	SystemID        string
	Timeline        int32
	Database        string
	Fingerprint     string
	SnapshotPending bool // a snapshot was begun and did not end
	BaselineDone    bool // some snapshot was complete
}

// Action is what a start has to do.
type Action uint8

// The actions. All but Wait and Refuse end in streaming.
const (
	// FirstStart: publication, slot (see Verdict), snapshot by it, stream.
	FirstStart Action = iota + 1
	// Adopt: a slot waits that nobody streams from: stream from its confirmed
	// position, snapshot by a temporary slot.
	Adopt
	// Continue: stream from the checkpoint.
	Continue
	// Resume: like Continue, and start the snapshot over, by a temporary slot.
	Resume
	// Heal: there is a hole. New epoch, snapshot, and a new slot if the verdict
	// says so.
	Heal
	// Wait: another process streams from the slot. Look again later.
	Wait
	// Refuse: a person has to decide; see Verdict.Err.
	Refuse
)

// Verdict is the answer of Judge.
type Verdict struct {
	Action Action
	// Reason is why, in words, for Heal, Wait and Adopt.
	Reason string
	// NewSlot: ensure the publication, then create the slot. DropSlot: drop the
	// one that is there before that. Both belong to FirstStart and Heal. Without
	// NewSlot a Heal keeps the slot, streams from its confirmed position and
	// takes its snapshot by a temporary one.
	NewSlot, DropSlot bool
	// Err is set for Refuse: a *Finding.
	Err error
}

// Judge decides how to start. It is pure.
func Judge(prior *Prior, f Facts, cfg Config) Verdict {
	return Verdict{}
}
