// Package ghl is the vocabulary of a call to GoHighLevel (GHL) and the client
// of its workflow webhook.
//
// A [Request] is one call: an [Operation] on one Sentra event, the exact body
// and the delivery id under which it may be repeated. [Envelope] builds the
// body. [Webhook.Send] makes the call once and says in a [Result] what became
// of it; it never repeats anything by itself and never returns an error, since
// every ending of a call is one of the outcomes below. Who calls decides what
// follows from it:
//
//	Delivered   done; AppointmentID is set where the answer held one
//	NotFound    the appointment does not exist: a delete is done, an update a create
//	Retry       later, not before RetryAfter; MaybeActed tells whether GHL may have acted
//	Permanent   park the event under Code until something new is wanted
//	Paused      nothing is wrong with the event: hold all delivery, probe with backoff
//	Unknown     GHL may or may not have acted: find out before creating again
//
// What the package promises:
//
//  1. One Send is at most one request on the wire. Go's transport repeats a
//     POST that carries Idempotency-Key when a re-used connection breaks;
//     that is switched off.
//  2. A doubt is never hidden: from the moment a connection was handed to the
//     request, anything but a complete answer is Unknown. Retry without
//     MaybeActed means that GHL got nothing or refused it.
//  3. The webhook URL, which is the only secret GHL has here, and the text of
//     GHL's answers never leave the package: Code is one of the codes that
//     [Explain] knows, or an error_code of the answer in upper snake case.
//  4. At most 64 KiB of an answer are read and redirects are never followed.
//
// The package starts no goroutine of its own; net/http owns those of idle
// connections until [Webhook.Close], which the owner calls after its last
// Send returned. A Webhook is safe for concurrent use.
//
// The vocabulary serves the calendar API as well: a client of it takes the
// same Request, reads the fields from the same body and answers with the same
// Result, with NotFound and AppointmentID taken from the API's own answers. Package
// api is that client; both make their requests on a [Wire].
package ghl
