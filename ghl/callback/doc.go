// Package callback is what GHL sends to us, and how it is known to come from
// there. It is pure: bytes and headers in, values out; it knows nothing of
// mappings.
//
// Two senders call:
//
//   - A workflow, through its Custom Webhook action, reports what became of a call:
//     [Decode] gives a [Report]. It proves itself by the secret that it shares with
//     us ([Secret.Check]): as a bearer token, or, from a relay that can, by an
//     HMAC-SHA256 of a timestamp and the raw body.
//   - A marketplace app of GHL's reports changes of appointments: [DecodeApp] gives
//     a [Change]. It is signed by GHL with Ed25519 over the raw body
//     ([CheckApp]).
//
// What the package promises:
//
//  1. What is compared with a secret is compared in constant time, and no error
//     holds a part of the secret, of a signature, or of a body.
//  2. A signature covers the raw body, byte for byte, before it is decoded. With
//     an HMAC it covers the time as well, so that a request is good for
//     [ReplayWindow] only. A bearer token has no such window: what it carries must
//     do no harm when it comes twice, and does not.
//  3. Ids and codes are bounded and printable; a text that is none is left out, so
//     that all of a Report and a Change may be stored and logged but the times,
//     which are only compared.
//
// A caller checks first, and decodes what has been checked.
package callback
