// Package bookcheck compares GHL's appointment book, as the sandbox has it, with
// Sentra. The demo's verdict and the end-to-end tests are made of it.
//
// What the package promises:
//
//  1. Both ends are read as anybody else would: Sentra by SQL in the guide's
//     words, the book by HTTP. Nothing of the daemon's own capture, translation
//     or state is used, so that an error in them shows.
//  2. An event has one appointment, equal in every field of the payload. GHL's
//     updated_at alone may be older, since a mere touch is not sent. What the
//     calendar API booked is compared as far as that can carry the payload, and
//     a cancelled appointment is none.
//  3. An event that was booked in GHL, which its description tells, has that very
//     appointment; it is compared from Sentra's first edit on.
//  4. What is in the book and not in Sentra, or there twice, is a difference.
//
// Differences quote values: what is compared is made up. An error means that one
// end could not be read and says nothing of equality.
//
// The package starts no goroutine and keeps no connection. A caller lets the
// daemon settle first, and then calls [Compare].
package bookcheck
