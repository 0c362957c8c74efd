// Package demo shows the whole of ghlsync on one machine with nothing but Go:
// a PostgreSQL server with Sentra's tables, a GHL sandbox, and the daemon by the
// same wiring as 'ghlsync run'. An admin is played who works in Sentra as the
// app does; each change is one line that says what GHL was told, what it
// answered, and how long after the commit the request was there.
//
// [Run] is all there is to call. With [Options.Once] it plays a fixed script and
// compares GHL's appointment book, read by HTTP, with Sentra, read by SQL, field
// by field: it is an end-to-end test that people can watch. Without, it goes on
// at a person's pace until its context ends, and leaves room for that person's
// own hands: what is changed by psql, or on Sentra's page (package desk), shows up
// between the lines, and on the pages of the daemon and of GHL beside it.
//
// What it promises:
//
//  1. It leaves nothing behind: neither a process nor a file, whether it ends
//     well, fails in the middle or is cancelled while it starts. What was begun
//     is ended in reverse order under a deadline of its own.
//  2. Times are measured and never estimated: from the commit's timestamp in the
//     WAL to the moment at which the sandbox's handler had the request, and to
//     the moment at which the daemon had the whole answer. All three clocks are
//     this machine's.
//  3. A change that must not reach GHL is claimed to be silent only when a later
//     change has gone through; since the stream is in commit order, the earlier
//     one has been decided by then. A call that nobody asked for is an error of
//     the script, even if the books agree in the end.
//  4. Nothing of the surroundings counts: no setting of the daemon's from the
//     environment or a .env file, no fixed port. Only PostgreSQL's programs are
//     looked for on the machine, as package postgres does.
//  5. A step waits for its calls on a signal and with a bound, so that a daemon
//     that does nothing is a verdict and no hang.
//
// The player runs on Run's goroutine and is the only one who writes to
// Options.Out. The journal is fed by the sandbox's and the daemon's goroutines
// and never calls back. All data is made up, so it may be shown.
package demo
