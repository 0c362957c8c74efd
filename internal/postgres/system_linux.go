package postgres

import "syscall"

// enoughMemory is what must be free in /dev/shm: containers often give it no more than 64 MB.
const enoughMemory = 1 << 30

// memoryFolder is a folder in memory with room for a server, or "".
func memoryFolder() string {
	const shm = "/dev/shm"
	var stat syscall.Statfs_t
	if err := syscall.Statfs(shm, &stat); err != nil {
		return "" // there is none
	}
	free := stat.Bavail * uint64(stat.Bsize)
	if free < enoughMemory || syscall.Access(shm, 2 /* W_OK */) != nil {
		return ""
	}
	return shm
}

// interruptWithParent asks the kernel to interrupt the process when the thread that starts it ends. The Go runtime
// ends threads as it likes, so the caller starts it from a goroutine that keeps its thread until the process is gone.
func interruptWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGINT }
