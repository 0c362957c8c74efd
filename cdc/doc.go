// Package cdc captures changes of Sentra's events table from Postgres' logical
// replication stream, and takes consistent snapshots of it. It knows nothing of
// what becomes of the changes.
//
// A caller goes through these steps:
//
//	Check     the configuration, without connecting
//	Open      connect; what a person has to mend is a [Finding], with the SQL for it
//	Inspect   what is there, as [Facts]
//	Judge     what that means against the checkpoint, as a [Verdict]
//	EnsurePublication, then CreateSlot or CreateTemporary, then Snapshot, where the verdict asks for it
//	Stream    until it ends; then Close, and Open again after a pause
//
// Clients and EventRow look up what the stream leaves out. They, Inspect,
// JudgePoll and Snapshot may be used while Stream runs.
//
// What holds (numbers are those of docs/ARCHITECTURE.md):
//
//   - 1: only what the [Handler] calls durable is confirmed, and never more than
//     was handed over to it.
//   - 2: a transaction is skipped if and only if its commit LSN is below the
//     checkpoint, which is an end LSN. It arrives whole, after its commit, in one
//     chunk or, if it is large, in several, of which only the last is not Open.
//     Memory is bounded by 4,096 rows or 4 MiB that wait, beside as many being
//     handled; a single row is never split.
//   - 3: between transactions a keepalive's position is handed over like a
//     commit's, so that the slot advances while nothing of ours happens. Receiving
//     and confirming wait for neither the store nor each other.
//   - 7: a hole is never streamed over. Judge compares system, database, timeline,
//     slot, and a fingerprint of publication and table with the checkpoint.
//   - 8: no value of a row and no secret is in an error or a log line.
//
// Three kinds of position: a row has the LSN of its commit record (commit LSN);
// a checkpoint and every confirmation are the position behind one (end LSN) or a
// keepalive's; a snapshot has a consistent point C, and holds exactly the
// transactions whose commit LSN is below C.
//
// Stream owns two goroutines, the reader and the applier, and is itself the third
// loop, which alone writes to the connection. CreateSlot owns one while it waits.
// All have ended when the call returns. A Handle in progress is finished.
//
// A crash anywhere here loses nothing: the slot keeps what was not confirmed, a
// slot without a checkpoint is found by the next start, and temporary slots and
// exported snapshots go with their connection.
//
// TRUNCATE of a single partition is not published by Postgres where the root is
// published; partitioned events tables are to be emptied through their root.
package cdc
