// Package logging makes the logger of a process and names the attributes that
// its lines may carry.
//
// A line is one JSON object, or tinted text where a person reads along. The
// format changes nothing about messages, levels or attributes, so that what
// operators search for is the same everywhere.
//
// What the package promises:
//
//  1. Lines go to the writer given, one Write a line: two goroutines do not mix
//     theirs.
//  2. Colours are used only where the writer is a terminal and NO_COLOR is not
//     set, never in a file, a pipe or a journal.
//  3. Times are UTC in JSON, and of the local clock's wall on a terminal.
//  4. A duration is text with a unit, such as 7.98ms, in both.
//
// The keys of the packages that import this one are in one file, keys.go; those
// of delivery's lines are beside its messages. Ids, types, codes, LSNs, counts and
// times may be logged; values of rows, URLs and tokens never.
//
// The package owns no goroutine and no file. [New] is called once, by the
// command, and what it returns is handed on by constructors.
package logging
