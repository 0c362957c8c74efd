// Package admin answers questions about a ghlsync and does what operators ask:
// over HTTP beside the running daemon, and for commands without one.
//
// [Service] gives the answers: the status document, mappings, and the operator's
// verbs. [Server] puts a Service behind HTTP; [Client] asks a Server and has the
// same methods, so that a command does not care whom it asks.
//
//	GET  /healthz                     200: the process is alive
//	GET  /readyz                      200: capture streams, or waits as a standby; else 503
//	GET  /metrics                     for Prometheus: the status in numbers, and counts
//	GET  /api/v1/status               Status
//	GET  /api/v1/mappings             Page: ?status= &q= &after= &limit=
//	GET  /api/v1/mappings/{id}        Detail: ?payload=true &attempts=
//	POST /api/v1/mappings/retry       operate.Selection → operate.Report
//	POST /api/v1/mappings/release
//	POST /api/v1/mappings/drop
//	POST /api/v1/reconcile            Reconcile → lines of Line, the last with a Reconciliation
//	POST /api/v1/backfill             Backfill → lines of Line, the last with a pipeline.BackfillReport
//
// Errors are JSON objects: error says what is wrong, mend what to do.
//
// What the package promises:
//
//  1. Without a token the server answers only to names of the own machine, so
//     that a web page cannot reach it by a name that it points here. With one,
//     everything but the two probes needs it; it is compared in constant time.
//  2. Requests that change something are refused when a browser sends them from
//     another site. Bodies are bounded, and every connection has deadlines.
//  3. Ids are opaque: slashes, blanks and any other text travel percent-encoded.
//  4. Health is a pure function, [Judge]. Nothing in a status, a list or an error
//     is a secret; a payload, which is client data, comes only on request.
//  5. A source that does not answer delays a status by seconds at most.
//  6. What takes long tells of its progress, one JSON object a line, and ends
//     with the client that asked for it.
//
// The package owns the goroutine of a Server from [Server.Start] to the end of
// [Server.Stop], and net/http those of its connections. A caller makes the
// Service, then New, Start, tells others the Addr, and calls Stop before it
// closes the state.
package admin
