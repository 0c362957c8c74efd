// Package e2e holds the tests that run the built binary as a process, against a
// real Postgres, a real state file and the GHL sandbox over HTTP: what the
// daemon promises when it is killed, when the source or GHL fails, and when it is
// told nonsense. It has no code of its own beside its tests.
package e2e
