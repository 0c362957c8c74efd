// Package slotinfo asks Postgres how a replication slot stands, for the status
// document.
//
// It uses an ordinary connection of its own for each question, so that it works
// with the daemon up or down and does not disturb capture. A role that may log in
// may ask: pg_replication_slots is readable by everybody.
//
// What the package promises:
//
//  1. A question ends within [Timeout], whatever the server does.
//  2. Answers, failures included, are kept for [Keep]: a dashboard that asks every
//     second, all day, opens one connection in that time for all its viewers.
//  3. Errors name what is wrong, and hold neither the connection string nor a
//     part of it.
//
// The package starts no goroutine. A [Reader] is safe for concurrent use.
package slotinfo
