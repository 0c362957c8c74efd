// Package postgres keeps the state in the schema ghlsync of a PostgreSQL database
// (14 or later, encoding UTF8): Sentra's own or another. Tables and columns are
// named as those of package sqlite.
//
// # What it promises
//
//   - A committed [state.Tx] survives a crash of the server, whatever a role or a
//     database has for synchronous_commit; one that was not committed leaves
//     nothing. This is what invariants 1 and 2 of docs/ARCHITECTURE.md stand on.
//   - The first statement that fails spoils its Tx: Commit then rolls back and
//     returns that error. So does one whose context ends.
//   - A connection that is lost while a Tx commits leaves its outcome open: Commit
//     returns an error, and the Tx is stored whole or not at all.
//   - A daemon that dies, hangs or is cut off keeps nobody waiting for longer than
//     two minutes: the server ends what it left open; where others attend, they do
//     within seconds.
//   - Several daemons may open one state, and may start at once: one migrates. One
//     of those that attend may capture ([state.Shared]).
//   - A state that is one migration ahead is taken as it is.
//
// # Who waits for whom
//
// Each Tx of [Store.Begin] is alone: nobody else has one open, in no daemon. It is
// what package sqlite gives, and what capture's rules are made for: what they found
// unknown stays unknown until they have stored it, an appointment that nobody had
// is still free, and a reconcile sees a TRUNCATE of the stream beside it before or
// after its own Tx, not in the middle. (Two transactions that each find an event
// unknown have no row to lock: the later one would store the older version.)
//
// The transactions of [Store.Delivery] are open beside each other, since calls are
// claimed and recorded by several daemons. They lock the rows that they load, in the
// order of ids, and pass over those that are locked where they look for work. What
// is left between two of them is the appointment that GHL names in two answers:
// those who ask for it ([state.Tx], Taken) go one after the other. Both kinds are an
// advisory lock that ends with its transaction: one that waits for its turn holds
// nothing, and turns are taken in the order of asking, so nobody starves.
//
// The counts are sixteen rows of which each Tx adds to one, in the round trip of its
// commit: two deliveries rarely wait for each other's commit there.
//
// # Leases
//
// A lease is fenced by the row: whoever records the end of a call has loaded, and so
// locked, the row, and asks whether the call in it is that call
// ([state.Mapping.Holds]). Leases are reckoned by the server's clock, [Store.Now],
// which whoever delivers is to be given as its clock.
//
// # GHL's rate
//
// It is for all daemons together: [Store.TakeTokens] takes from one bucket, by the
// server's clock. A daemon that dies takes no more with it than it had just taken.
//
// # For operators
//
// The tables can be read with psql at any time, and are not to be written to beside
// a daemon. commit_lsn and end_lsn are integers: '0/0'::pg_lsn + end_lsn shows one.
//
//	SELECT sentra_event_id, sync_status, sync_error, last_sync_attempt
//	FROM ghlsync.ghl_sync_mappings WHERE sync_status = 'failed';
//
// # Use
//
// [Open], and [Store.Close] after the last Tx has ended. Commands use
// [OpenReadOnly]. No I/O but the store's belongs inside of a Tx. STATE_URL names the
// server itself: what a pooler shares between its clients is of no use here. The
// goroutines are those of pgxpool, and end with Close.
package postgres
