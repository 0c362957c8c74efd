// Package postgres runs a throw-away PostgreSQL server for the demo, tests and benchmarks, on a machine where nothing
// has been set up. It knows nothing of the daemon and imports nothing from testing; helpers for tests are in pgtest.
//
// Order of use: Find (or Fetch, or FindOrFetch) names the server's programs, Start makes a data directory and runs
// them, Server.Stop ends the server and removes everything it wrote. A Template, where one is kept, spares each
// further server of the process its initdb.
//
// The server listens on 127.0.0.1 alone, trusts every role without a password and does not fsync: it is made for data
// that nobody misses. wal_level is logical and commits are synchronous (with synchronous_commit off a fresh commit is
// not decodable at once). Settings are in postgresql.conf, so ALTER SYSTEM and ALTER DATABASE override them.
//
// Invariants:
//
//  1. Only processes started here are signalled, and only while they have not been waited for: a process id cannot
//     have passed on to a stranger.
//  2. When this process ends in whatever way, SIGKILL and panic included, the server ends within moments and its
//     directory goes. A keeper, a small shell process of its own process group, holds the reading end of a pipe: when
//     the writing end closes without a farewell it stops the server and removes the directory. On Linux the kernel
//     interrupts the server as well (PR_SET_PDEATHSIG), which also covers the instant before the keeper knows its id.
//  3. A server that does not become ready is an error that carries the end of its log.
//  4. Fetched programs are used only if the archive has the pinned SHA-512; nothing of another one is left on disk.
//  5. PostgreSQL refuses to run as root: started as root, the server belongs to the user postgres, or else nobody,
//     and so do its files.
//
// Each running Server owns one goroutine, which starts the process, waits for it and ends with it. Methods of Server
// may be called from several goroutines; the ones that start and stop the process exclude each other.
//
// Linux and macOS are supported.
package postgres
