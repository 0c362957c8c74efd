// Package pipeline joins capture, translation and state: what Sentra commits
// becomes what is wanted, durably, and only then is it confirmed to Postgres.
//
//	WAL ─► cdc ─► translator ─► state (wanted + checkpoint, one transaction) ─► confirm
//
// [Applier] does that for one chunk of the stream or of a snapshot at a time;
// it is the handler that cdc calls. [Capture] keeps it going: it connects,
// judges whether the stream can go on from the checkpoint, creates or heals
// publication and slot, takes the snapshot, streams, and starts over after any
// loss of a connection.
//
// What holds here (numbers are those of docs/ARCHITECTURE.md):
//
//   - 1: [Applier.Handle] returns an LSN only after the store transaction that
//     holds everything before it, and the checkpoint itself, is committed.
//   - 2: a transaction is applied whole or not at all: a large one arrives in
//     many chunks, all within one store transaction.
//   - 3: an idle boundary is checkpointed before it is confirmed, at most every
//     ten seconds or 16 MiB of WAL, or when the server asks.
//   - 6: a change becomes a saved row, or is void, or superseded by a later one
//     that is in the stream already; nothing is skipped.
//   - 7: [Capture] never streams on over a hole: it heals by a new slot, a new
//     epoch and a snapshot, or returns a finding that a person must mend.
//
// Beside the stream, [Capture.Reconcile] compares a snapshot in a temporary slot
// with the state and mends what differs, and [Capture.Backfill] pushes what the
// baseline assumed; one of them at a time, on the goroutine of who calls. Each
// store transaction of theirs is short, and waits its turn with the stream's.
// Stream and reconcile meet in a junction: how far the stream is, what it has
// truncated, and whether it has to remember what it retracts. A reconcile uses
// the session that streams and is over before that session is.
//
// Capture owns its one goroutine's life only through [Capture.Run], which
// returns when the context is done or a person is needed. All store writes of
// the stream happen on the goroutine that calls the Applier.
package pipeline
