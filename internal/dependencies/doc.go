// Package dependencies keeps docs/DEPENDENCIES.md true: which modules ghlsync is
// made of, under which licence each is, whether it is in the binary, and what it is
// for.
//
// The table is made from what the go command says of the packages that are really
// imported, and from the modules' own licence files:
//
//	go test ./internal/dependencies -update
//
// What the package promises:
//
//  1. A module that is added, goes, or changes its version or licence fails a test
//     until the table says so.
//  2. So does a module that is used directly and of which nobody wrote down what it
//     is for, and a licence that is not among those that may be used: MPL-2.0 in
//     tests alone.
//
// There is nothing here but tests.
package dependencies
