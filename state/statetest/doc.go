// Package statetest is the conformance suite of package state's contract: what
// every [state.Store] has to do, whatever it is made of. A backend's own tests call
// [Run] with a function that makes a state and returns how to open it:
//
//	func TestConformance(t *testing.T) {
//		statetest.Run(t, func(t *testing.T) statetest.Open {
//			path := filepath.Join(t.TempDir(), "state.db")
//			return func(ctx context.Context) (state.Store, error) { return Open(ctx, path) }
//		})
//	}
//
// The suite closes what it opens, and opens a state again to see what is left after
// a restart; it never has one open twice. Each test of the suite has a state of its
// own, and they run side by side.
//
// What is tested, and what breaks without it (numbers are those of
// docs/ARCHITECTURE.md):
//
//   - 1: a checkpoint and the rows it covers become visible together or not at
//     all, and nothing of a Tx is visible before its Commit.
//   - 2: the checkpoint moves by compare-and-set; a Tx that was fenced stores
//     nothing.
//   - 4, 5: a row comes back as it was saved, with every field of its call, since
//     what is repeated must be the same to the byte. What one Tx has loaded, no
//     other changes meanwhile.
//   - 6: due, leased, held and failed rows are found, in the order the contract
//     promises; the counts equal a recount after any history of saves. What is
//     pruned is neither owed to GHL nor needed by a snapshot.
//
// A Tx whose method has failed may spoil or not; what is asked of it is that it
// stores nothing of what failed, and that it leaves the store usable.
//
// What is particular to a backend (files, locks, crashes, damage) is left to its
// own tests. The rules by which rows change are tested in package state.
package statetest
