// Package operate does what operators ask of mappings: try failed ones again,
// let held retractions go out, or give them up; and pauses delivery as a whole.
//
// The rules are package state's ([state.Mapping.Retry], Release and Drop); this
// package finds the rows, applies the rule and saves, a page a transaction. The
// daemon's HTTP server and the commands that work without a daemon use the same
// code.
//
// What the package promises:
//
//  1. A page is done as a whole or not at all. A crash, or the end of the
//     context, between two pages leaves the rest as it was; asking again goes on.
//  2. A row is changed only if the rule applies to it now, in the transaction:
//     what was delivered, released or re-created meanwhile is left alone and told.
//  3. Memory does not grow with the number of rows: reasons are kept for the
//     first [MaxRefusals] rows only.
//
// The package starts no goroutine. A caller makes an Operator with [New] and
// calls [Operator.Do]; delivery is woken after every page that changed a row.
package operate
