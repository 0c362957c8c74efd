//go:build unix

package e2e

import (
	"io/fs"
	"os"
	"syscall"
)

// chownLike gives a file the owner of another: the server does not run as root.
func chownLike(path string, like fs.FileInfo) error {
	owner, ok := like.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return os.Chown(path, int(owner.Uid), int(owner.Gid))
}
