package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Binary is a built daemon.
type Binary struct {
	Path  string
	Clock bool // its wall clock can be shifted
}

// clockVariable names the file that holds by how many seconds the daemon's wall
// clock is off; where there is none it is right.
const clockVariable = "CHAOS_CLOCK"

// shiftedClock stands beside the library's time package. A library that is loaded
// before the program's start cannot do this: Go asks the kernel by itself.
const shiftedClock = `package time

import (
	"sync/atomic"
	"syscall"
)

var shift atomic.Int64

func init() {
	if file, _ := syscall.Getenv("` + clockVariable + `"); file != "" {
		go follow(file)
	}
}

// follow looks at the file again and again: Now itself is also called where no
// system call may be made.
func follow(file string) {
	for ; ; Sleep(20 * Millisecond) {
		shift.Store(seconds(file))
	}
}

func seconds(file string) (n int64) {
	fd, err := open(file)
	if err != nil {
		return 0
	}
	defer closefd(fd)
	var text [24]byte
	length, err := read(fd, text[:])
	if err != nil {
		return 0
	}
	sign := int64(1)
	for _, b := range text[:length] {
		switch {
		case b == '-':
			sign = -1
		case b >= '0' && b <= '9':
			n = 10*n + int64(b-'0')
		}
	}
	return sign * n
}
`

// Build makes the daemon in dir, of the module that the process runs in, by the go
// command. Where withClock is set and the sources of Go's library are as they are
// known, its wall clock can be shifted.
func Build(ctx context.Context, dir string, withClock bool) (Binary, error) {
	b := Binary{Path: filepath.Join(dir, "ghlsync")}
	args := []string{"build", "-o", b.Path}
	if withClock {
		overlay, err := clockOverlay(ctx, dir)
		if err != nil {
			return b, err
		}
		if overlay != "" {
			args, b.Clock = append(args, "-overlay", overlay), true
		}
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "ghlsync/cmd/ghlsync")...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return b, fmt.Errorf("build the daemon: %w\n%s", err, out)
	}
	return b, nil
}

// clockOverlay writes what the go command puts in place of the library's files. It
// is "" where the library has another time.Now than is known.
func clockOverlay(ctx context.Context, dir string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find Go's library: %w", err)
	}
	library := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	text, err := os.ReadFile(filepath.Join(library, "time.go"))
	if err != nil {
		return "", fmt.Errorf("read Go's library: %w", err)
	}
	const now = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), now) != 1 {
		return "", nil
	}
	altered := strings.Replace(string(text), now, now+"\tsec += shift.Load()\n", 1)
	replace := make(map[string]string)
	for name, content := range map[string]string{"time.go": altered, "shifted.go": shiftedClock} {
		path := filepath.Join(dir, "overlay_"+name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return "", fmt.Errorf("write the overlay: %w", err)
		}
		replace[filepath.Join(library, name)] = path
	}
	document, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, document, 0o644); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return path, nil
}
