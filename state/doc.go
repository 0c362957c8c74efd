// Package state holds the vocabulary of what ghlsync remembers, the rules by
// which it changes, and the contract of the stores that keep it.
//
// For every Sentra event there is one [Mapping]: the state the event should
// have in GoHighLevel (wanted), the state it has there as far as anybody knows
// (GHL), and the work that makes the second equal the first (delivery). For
// every slot there is one [Checkpoint]: how far the replication stream is
// durable here.
//
// The rules are methods and functions on values. They do no I/O and take the
// time as an argument, so that they can be explored in tests:
//
//   - [Merge] sets what is wanted, from the stream or from a snapshot;
//   - [Mapping.Begin] and [Mapping.Finish] are the two ends of a call to GHL;
//   - [Mapping.Abandon] is what a crash between the two means;
//   - [Mapping.Retry], [Mapping.Release], [Mapping.Drop], [Mapping.Backfill] are
//     the operator's;
//   - [BlowFuse] holds retractions when there are too many at once.
//
// Stores load rows, let these rules change them and save them, all within one
// [Tx]. A store never changes a row by rules of its own, so that every backend
// behaves alike; package statetest proves it.
//
// Invariants kept here (numbers are those of docs/ARCHITECTURE.md):
//
//   - 2: a row never goes back to an older version; see [Version].
//   - 4: a finished call marks as known to GHL only the content it carried.
//   - 5: a call is recorded with its exact bytes before it leaves, and an
//     unknown outcome is resolved before anything else is created.
//   - 6: each row is settled, due, waiting, held or parked with a reason.
//
// A caller opens a [Tx], loads, applies rules, saves and commits. A Mapping
// that was loaded belongs to that Tx: it is not kept and saved later.
package state
