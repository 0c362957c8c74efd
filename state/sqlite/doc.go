// Package sqlite keeps the state in one SQLite file: mappings, checkpoints, the
// audit of calls, appointment ids that are gone, and the counts that operators
// see.
//
// # What it promises
//
//   - One process at a time works on a file: [Open] takes a lock that the kernel
//     drops when the process dies, and says who has it otherwise ([Holder]).
//   - A committed [state.Tx] survives a crash of the process and of the machine
//     (WAL, synchronous=FULL); one that was not committed leaves nothing. This is
//     what invariants 1 and 2 of docs/ARCHITECTURE.md stand on.
//   - The first write that fails spoils its Tx: Commit then rolls back and
//     returns that error. A canceled context ends a Tx between two statements,
//     never in one.
//   - Memory does not grow with the file or with a Tx: page caches are small, and
//     what does not fit is spilled to the WAL, which is cut again afterwards.
//   - The file and those beside it (-wal, -shm, .lock) have mode 0600.
//   - A file that is damaged, of another program or of a newer ghlsync is refused
//     and left as it is, to the byte. So is a WAL whose file was taken away.
//
// # Checks at a start
//
// Header, schema and schema version are always checked. Every page is checked
// only while the file is small: over a million rows that takes seconds, which a
// restart should not. SQLite finds damage in the rest when it gets there; it comes
// back as state.ErrCorrupt.
//
// # For operators
//
// The tables can be read with the sqlite3 shell at any time, also beside a
// running daemon. Times are microseconds since 1970 in UTC:
//
//	SELECT sentra_event_id, sync_status, sync_error,
//	       datetime(last_sync_attempt / 1000000, 'unixepoch')
//	FROM ghl_sync_mappings WHERE sync_status = 'failed';
//
// # Use
//
// [Open], then [Store.Announce] once the admin API listens; [Store.Close] after
// the last Tx has ended and the last read has returned. Commands use
// [OpenReadOnly]. There is one Tx at a time: Begin waits for the one before, so
// no I/O but the store's belongs inside of a Tx. Leases that are found right
// after Open belong to a process that is gone; whoever delivers abandons them.
//
// A store has one goroutine, which copies committed pages from the WAL into the
// file beside the writer. It, and those of database/sql, end with Close.
package sqlite
