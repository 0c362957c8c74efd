// Package mappingtest makes mappings in every condition for tests: pending,
// synced, failed, held, untranslatable.
//
// They come about by the rules of package state, as in the daemon, and are kept in
// a real state file. The package starts nothing; [Store] closes the file when the
// test ends, unless the test has done so itself.
package mappingtest
