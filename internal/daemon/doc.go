// Package daemon wires what runs in 'ghlsync run': the state, capture, delivery
// and the HTTP server. It decides nothing itself.
//
// [Daemon.Start] returns when the state is open, delivery runs and the HTTP
// server listens; capture connects on its own, and its phase tells how far it
// is. [Daemon.Done] is closed when the daemon cannot go on, and [Daemon.Err]
// tells why. [Daemon.Stop] ends all in the order of the data: capture first, so
// that nothing new comes and the last position is confirmed, then delivery, which
// waits for the calls in flight, then the HTTP server and the state. It waits for
// every goroutine, whatever the deadline of its context, which bounds only how
// long calls may still take.
package daemon
