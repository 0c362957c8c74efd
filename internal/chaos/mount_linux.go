package chaos

import "syscall"

// smallDisk has room for the state of a run and for the 64 MiB that its WAL may
// take, and is quickly full.
const smallDisk = "size=160m,mode=0700"

func mountSmall(dir string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, smallDisk) }
func unmount(dir string) error    { return syscall.Unmount(dir, syscall.MNT_DETACH) }
