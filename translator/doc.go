// Package translator turns a row of Sentra's events table into what ghlsync
// wants of GoHighLevel: an [Intent]. It holds every rule of what is synced and
// how it is shown, and nothing else: no I/O, no clock, no memory of its own.
//
// The rules:
//
//   - A row whose type is one of the synced types is wanted there
//     ([Upsert]); any other row, and a deleted one, is not ([Retract]).
//   - A row whose key changed retracts the old id and upserts the new one
//     ([Intent.Moved]).
//   - A row that cannot be shown truthfully (its client is missing, a value is
//     infinite or before Christ, a column is gone) is parked with a reason that
//     names what is wrong ([Park]). Reasons never hold a value.
//   - The payload is the event_data object of Sentra's webhook guide, always in
//     the same order, so that equal rows give equal bytes.
//   - A row that says which appointment it belongs to (in ghl_appointment_id, or
//     by the marker that Sentra writes into the description of an appointment
//     booked in GHL) passes that id on; whoever keeps the state decides whether
//     it may be adopted.
//
// The caller looks up the client of a row that is [Rules.InScope] and, where the
// stream left a value out (unchanged TOAST), completes the row with [Fill] or
// from the source before it translates: the marker is looked for in the whole
// row.
package translator
