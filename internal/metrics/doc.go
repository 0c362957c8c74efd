// Package metrics tells Prometheus how a daemon stands.
//
// A scrape is made of two parts. What the status document knows is read when it is
// asked for, from the same [admin.Service], so that /metrics and /api/v1/status
// cannot disagree (status.go, slot.go, delivery.go). What only adds up is counted
// as it happens: the calls to GHL, which [Metrics.Delivered] is told of (calls.go),
// and what came through the stream.
//
// What the package promises:
//
//  1. A scrape takes [Timeout] at most, whatever hangs. What is not known then, or
//     does not apply, is absent: there is no 0 that means 'no idea'.
//  2. Every family has a name and a help text by Prometheus's conventions, and a
//     line in docs/OPERATIONS.md.
//  3. Labels have few values, all of them words of this program: no event id, no
//     text from GHL or Sentra, no address.
//  4. Nothing is registered globally: two daemons in one process do not meet.
//
// The package owns no goroutine. A caller makes a [Metrics], tells it of calls from
// one goroutine or many, and serves the [Metrics.Handler].
package metrics
