// Package sandbox is a GHL to run against: the workflow webhook and the calendar
// API v2, one appointment book behind both, a log of every request and knobs for every way in which a
// receiver can fail. The demo, the tests and the benchmarks use the same one,
// so it depends on nothing of testing.
//
// Order of use: [New], [Sandbox.Set] where faults are wanted, [Sandbox.Start]
// (or hand the Sandbox to a server of one's own: it is an http.Handler), then
// [Sandbox.Close]. All methods may be called at any time from any goroutine.
//
// What it promises:
//
//  1. It is strict. A body that is not exactly one of the guide's payloads, or
//     a delivery id that comes back with other bytes, is a [Violation] and is
//     answered 422. A call of the calendar API that is not as specified is one,
//     too, and is answered as GHL does, or acted on where GHL would.
//  2. It counts what must not happen: a create for an event that has a live
//     appointment books a second one, as GHL would, and is counted as a double.
//     Two requests for one event at the same time show in MaxInFlightPerEvent;
//     a request whose client has gone away is not at the same time any more.
//  3. An Idempotency-Key acted on is not acted on again: the first answer is
//     repeated and counted as a replay. A receiver may not know about such
//     keys; IgnoreIdempotencyKeys makes the sandbox one of those.
//  4. Acting and answering are apart. Every fault says whether the appointment
//     book changes, and a request in the log says whether it did.
//  5. Its memory is bounded but for the live appointments: the log, the
//     violations and the remembered keys are rings.
//
// Over the calendar API an appointment belongs to the event that the marker in
// its description names ([ghl.MarkedEvent]). What GHL's specification says, and
// what is only reported of it, is told apart where it is answered: "Spec" and
// "Reported". Contacts, calendars and quotas are set up by [Options.API],
// [Sandbox.SetAPI] and [Sandbox.AddContacts]; what people do in GHL by hand is
// [Sandbox.Put], [Sandbox.Move], [Sandbox.SetStatus] and [Sandbox.Remove].
//
// The book is one lock wide; a request holds it for microseconds. Handlers run
// on the goroutines of the HTTP server. Close ends hanging ones and returns
// when none is left. What happened since is awaited with [Sandbox.WaitFor],
// which wakes on every request, so that nobody needs to sleep.
//
// Browsers get a page at /: the book as a calendar, the log, and the faults as
// buttons. It is one template whose regions are sent again, as server-sent
// events, to whoever watches; its buttons are forms, so that it works without its
// script. Web pages elsewhere can neither press them nor read anything: changes
// from another origin are refused, and so are names that are not this machine's.
//
// The log holds whole bodies with client data: a sandbox is no place for real
// ones.
package sandbox
