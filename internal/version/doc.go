// Package version tells which build of ghlsync this is.
//
// It reads what the Go toolchain recorded in the binary: the module's version
// where it was installed as one, the commit where it was built from a checkout.
// Only a build without a checkout, as of an image, has to be told by the linker:
// -X ghlsync/internal/version.stamp=v1.2.3, and stampCommit likewise. The package
// has no state, starts nothing, and may be asked at any time.
package version
