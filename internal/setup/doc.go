// Package setup prepares Sentra's database for the daemon: the role's rights, the
// publication, the slot. It does so itself, or writes the script for a DBA, from
// one list of steps.
//
// What the package promises:
//
//  1. Least privilege: the role may log in, replicate, read the events table, and
//     read five columns of the clients table by name. It never gets a password from
//     here.
//  2. Idempotent: a step that is done already is told as that and changes nothing.
//  3. Nothing is half done: each step is one statement or several that may be
//     repeated, in an order in which each is useful without those behind it. What
//     the connected role has no right to do is left to somebody who has, with the
//     exact SQL, and the steps behind it are still tried.
//  4. The publication comes before the slot, which cannot be decoded from before it;
//     a table without a usable replica identity is not published, since Sentra's own
//     UPDATE and DELETE would fail then.
//
// The printed script holds no meta-command of psql, and each of its statements ends a
// line. All but the slot is one transaction, so that a script that fails has changed
// nothing. Its undo takes nothing from a role that owns something: that would be the
// application's own.
//
// A caller makes a Target, lets it Learn a look of package cdc where there is a
// connection, and calls Run, Script or Undo. The package starts no goroutine.
package setup
