package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that a server and its files belong to. The zero value is whoever runs this process.
type account struct {
	name     string
	uid, gid int
}

// serverAccount chooses the unprivileged user to run as when this process is root's.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue // the next one, or the error below
		}
		uid, uidErr := strconv.Atoi(found.Uid)
		gid, gidErr := strconv.Atoi(found.Gid)
		if uidErr == nil && gidErr == nil {
			return account{name: name, uid: uid, gid: gid}, nil
		}
	}
	return account{}, errors.New("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody: run as another user")
}

// attributes are those of every process started here: a process group of its own, so that a Ctrl-C in the terminal
// reaches this process alone, which then stops the server in order.
func (a account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a.name != "" {
		attributes.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attributes
}

// command prepares a server program: in the root folder, as the account may not see this process's working directory,
// and with an environment of nothing that could steer it (PGDATA, PGPORT, LC_ALL).
func (a account) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = a.attributes()
	return cmd
}

// own hands everything below dir to the account.
func (a account) own(dir string) error {
	if a.name == "" {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, a.uid, a.gid)
	})
}

// mayPass checks that the account can reach dir: a temporary folder of root's is often closed to all others, and the
// server's own complaint would not say which folder it is.
func (a account) mayPass(dir string) error {
	if a.name == "" {
		return nil
	}
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		mode := info.Mode().Perm()
		stat, known := info.Sys().(*syscall.Stat_t)
		mine := known && int(stat.Uid) == a.uid && mode&0o100 != 0
		ours := known && int(stat.Gid) == a.gid && mode&0o010 != 0
		if mode&0o001 == 0 && !mine && !ours {
			return fmt.Errorf("user %s cannot enter %s (mode %#o): choose another folder or open it with chmod o+x", a.name, dir, mode)
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil
		}
		dir = parent
	}
}
