// Package version tells which build of ghlsync this is.
//
// It reads what the Go toolchain recorded in the binary: the module's version
// where it was installed as one, the commit where it was built from a checkout.
// Nothing has to be passed to the linker. The package has no state, starts
// nothing, and may be asked at any time.
package version
