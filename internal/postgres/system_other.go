//go:build !linux

package postgres

import "syscall"

// memoryFolder is "": only Linux has a folder in memory at a known place.
func memoryFolder() string { return "" }

// interruptWithParent does nothing: only Linux has such a signal. The keeper does the same a moment later.
func interruptWithParent(*syscall.SysProcAttr) {}
