// Package api is the client of GHL's calendar API, the other way to GHL beside the
// workflow webhook of package ghl.
//
// It has two layers. The calls ([Client.CreateAppointment] and so on) are one HTTP
// request each, written by hand from GHL's published OpenAPI files; each says in a
// [ghl.Result] what became of it. [Client.Send] does with them what a [ghl.Request]
// asks for, and [Client.Encode] builds the body that such a request carries.
//
// What the package promises:
//
//  1. One call is at most one request on the wire. Redirects are not followed, and
//     nothing is repeated.
//  2. A create whose answer is missing, cut or not GHL's is Unknown, or says that
//     GHL may have acted. The API knows no idempotency key: a request that comes
//     with Tried is looked up by the marker in the description, [ghl.Marker], before
//     anything is made, and a look-up that fails never leads to a create.
//  3. What people set in GHL stays: an update carries the status that it finds, and
//     only fields that are ours. Whose contact the appointment is cannot be changed
//     over the API and stays as well.
//  4. A time is sent, and searched, as it was when the body was encoded. See the
//     file times.go for what becomes of times that do not exist.
//  5. The token travels in the header Authorization alone. Neither it nor e-mail,
//     phone, an address of a request or GHL's texts get into a result, an error or a
//     log.
//  6. At most 64 KiB of an answer are read, of a list 8 MiB.
//
// The package starts no goroutine; net/http owns those of idle connections until
// [Client.Close], which the owner calls after its last call returned. A Client is
// safe for concurrent use. One Send paces its further requests by Options.Pace; the
// first one is the caller's to pace, as any request outside of a Send.
package api
