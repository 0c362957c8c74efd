// Package inbound turns what GHL tells us (package ghl/callback) into state, and
// serves the two routes that GHL calls.
//
// A workflow's report of success names the event's appointment: the mapping takes
// the id by package state's rule ([state.Mapping.Learn]), which settles a create of
// unknown outcome. A report of failure parks the event ([state.Mapping.Fail]) if it
// is about what is wanted now. A marketplace app's webhook that tells of a change
// of a mapped appointment that we did not cause is recorded as drift
// ([state.Mapping.NoteDrift]), and mended where GHL_DRIFT says so.
//
// What the package promises:
//
//  1. Each request is one transaction of the state: a crash leaves it done, or not
//     done, and then GHL got no answer.
//  2. A report may come late, twice, before the answer of its call, or about an
//     event that is gone, unknown, or made anew under the same id: it is applied as
//     far as it is still true, and else changes nothing. The answer names what came of
//     it ([Result]).
//  3. An id that another mapping holds, or that is gone from GHL, is never taken.
//  4. Nothing is deleted in GHL on the word of a callback but an appointment that
//     surely belongs to a former event of the same id, or to one that is wanted absent;
//     and that goes through the delete fuse.
//  5. Logs and answers hold ids, codes and results, no secret and nothing else of
//     a body.
//
// A caller makes an Inbound with [New] and mounts [Inbound.Workflow] and
// [Inbound.App]; the package starts no goroutine.
package inbound
