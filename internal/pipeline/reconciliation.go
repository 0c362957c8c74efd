package pipeline

import "ghlsync/state"

// ReconcileOptions says what a reconcile does.
type ReconcileOptions struct {
	DryRun bool // report only
	// Progress is called from time to time, before a part is compared: so many of
	// about so many events are read. It may be nil.
	Progress func(done, total int64)
}

// Reconciliation is what a reconcile found, and mended unless it was a dry run.
type Reconciliation struct {
	DryRun bool `json:"dry_run"`
	// Streaming: it was compared beside a running stream, so that what is merely
	// on its way is no difference.
	Streaming bool `json:"streaming"`
	// ConsistentPoint is the position in the WAL as of which Sentra was read.
	ConsistentPoint string `json:"consistent_point"`
	Epoch           int64  `json:"epoch"`
	Events          int    `json:"events"` // that Sentra shows in scope
	// Missing events are in Sentra and were not wanted; Extra ones were wanted and
	// are not in Sentra; Stale ones were wanted with another content, or without
	// the appointment that the row names.
	Missing Found `json:"missing"`
	Extra   Found `json:"extra"`
	Stale   Found `json:"stale"`
	// Held is how many retractions the delete fuse holds (or would).
	Held int `json:"held"`
	// Snapshots is how many were taken: more than one if the table was truncated or
	// rewritten meanwhile.
	Snapshots int `json:"snapshots"`
}

// Found is a kind of difference: event ids, never null.
type Found struct {
	Count int      `json:"count"`
	IDs   []string `json:"ids"`
}

func (f *Found) add(id state.EventID) {
	f.Count++
	f.IDs = append(f.IDs, string(id))
}
