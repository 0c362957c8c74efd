// Package calendars compares GHL's calendars with the mappings, where GHL is
// reached by its calendar API: the third side of a reconcile, which compares
// Sentra with the mappings first.
//
// [Comparison.Run] lists what the configured calendars hold around all events
// that are known, and goes through the mappings once. It finds
//
//   - changed: an appointment is not where Sentra has its event, or called
//     otherwise, since somebody moved it in GHL;
//   - deleted: a mapping names an appointment that GHL does not have;
//   - unnamed: GHL is taken to have the appointment, and its id is not known: it
//     is found by our marker, or, if asked for, by contact and time;
//   - orphans: appointments with our marker that no mapping stands for.
//
// What it mends it mends in the state alone: each mapping gets what is true, or an
// orphan a row of its own, and delivery makes GHL equal, with the delete fuse
// before it. A crash, or Ctrl-C, leaves a state that is right as far as it goes.
//
// GHL and the state change while it reads. So only mappings are judged that are
// settled and were not called since before the listing; a missing appointment is
// asked for by its id before it counts as deleted; and each is looked at once
// more within the transaction that mends it, which leaves alone what has changed
// since it was judged. What is only assumed to be in GHL may get its id, and is
// not compared; what the fuse holds, or an operator keeps, is no orphan.
//
// It starts no goroutine. Requests are paced by the client.
package calendars
