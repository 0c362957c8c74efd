// Package deliver is the loop that makes GHL equal to what is wanted.
//
// One goroutine keeps the books: in one transaction of the state store it
// records every call that ended since it last looked, and claims as many due
// events as there are free workers and rate tokens. Only when that is committed
// do the claimed calls go to the workers. A busy loop thus costs one commit for
// many calls. An idle one sleeps until the next event is due, until
// [Deliverer.Wake], or until the gate probes.
//
// What it promises (numbers are those of docs/ARCHITECTURE.md):
//
//   - 4: for one event there is one call in flight, and the newest state wins.
//     The lease in the event's row is taken before a call leaves and given back
//     when its end is recorded. Nothing is claimed ahead of a rate token, nor of
//     a free worker unless calls take less time than a commit, so a change that
//     arrives while an event waits goes out with it.
//   - 5: before a call leaves, its exact bytes and the fact that its outcome is
//     unknown are durable. A call that a dead process left is found by
//     [Deliverer.Start], or by another one that runs, and repeated, byte for byte under its delivery id, once
//     Settle is over.
//   - 6: a result is kept in memory until it is recorded, however long the store
//     fails; meanwhile no new call leaves.
//   - 8: no URL, no body and no text from GHL is ever logged: ids, codes,
//     statuses and times only.
//
// The rate is a bucket of tokens in memory. Where several deliver from one state
// there is another in the state, the [Budget], from which each takes too what it has
// calls for: together they stay within the rate.
//
// One gate serves the circuit breaker, the pause and the switch. It closes for a
// Paused result (one loud message, not one an event), for a Retry-After or a rate
// that is used up, and after five calls in a row without an answer; then it lets
// one probing call through after RetryBase, later and later up to RetryCap, and
// opens when a probe succeeds. While it is closed events stay due and untouched.
// It is our own, not sony/gobreaker, which has one fixed time until it half-opens
// and knows nothing of pauses and their reasons.
//
// The package owns one book-keeping goroutine and Concurrency workers. They
// start with [Deliverer.Start] and are gone when [Deliverer.Stop] has returned.
// A caller makes a store and a client, then New, Start, Wake after every commit
// that may have made something due, Stop, and only then closes client and store.
// One Deliverer at a time works on a state, and Start takes over every lease, unless
// Options.Living tells whose stand.
package deliver
