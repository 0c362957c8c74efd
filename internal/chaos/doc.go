// Package chaos plays a random workload of everything that Sentra does against
// random faults, and checks at quiet points that nothing came to harm. The command
// in cmd runs it for as long as one likes; a short run is a test.
//
// [Run] starts a Postgres cluster, a GHL sandbox in this process, a proxy before
// each, and the daemon as the built binary between the proxies, kept alive as by a
// service manager. Rounds follow: load and faults, then a quiet point, at which all
// faults are over and everything has settled.
//
// What is checked:
//
//  1. GHL's appointment book equals Sentra, and no appointment was ever booked
//     twice. Where a client was edited, which is no event, the rest must be equal
//     at once, and all of it after a reconcile.
//  2. At most one call was in flight for one event.
//  3. The slot is never confirmed beyond what the state has durably, and the
//     checkpoint goes back in no epoch: both are sampled all the time, the state
//     straight from its file.
//  4. Every parked event has a reason, and the audit and GHL's own log of requests
//     tell of the same calls.
//  5. No value of a row and no secret is in the daemon's log, metrics or status.
//  6. The daemon ends only when it is told to, or its disk fails.
//
// A plan comes from its seed alone (see [Options.Plan]), and is written down before
// it is played, so that a seed that failed meets the same load and faults again.
// What it cannot bring back is the timing of the machine: a race may need several
// tries.
//
// What a machine cannot do is left out and told: a full disk wants a file system
// of its own (root on Linux), a failing fsync strace, the daemon's clock the
// sources of Go's library.
package chaos
