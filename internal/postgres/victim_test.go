package postgres

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestNothingOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"killed", "panic"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			dir := openFolder(t)
			pid := runVictim(t, mode, dir)
			eventually(t, "the server ends", func() bool { return !exists(pid) })
			eventually(t, "the folder is empty", func() bool { return len(entries(t, dir)) == 0 })
		})
	}
}

// runVictim runs a process that has a server, ends it as mode says, and returns the server's process id.
func runVictim(t *testing.T, mode, dir string) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimMode+"="+mode, victimDir+"="+dir)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(stdout).ReadString('\n')
	if readErr == nil && mode != "panic" {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := stdin.Close(); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || (readErr != nil && !errors.Is(readErr, io.EOF)) {
		t.Fatalf("the victim ends with %v (read: %v): %s", err, readErr, stderr.String())
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the victim has no server: %v: %s", err, stderr.String())
	}
	return pid
}

// exists tells whether a process has that id; a zombie, which nobody in a container may wait for, has none.
func exists(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err != nil || !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

// openFolder is a temporary folder, in memory if possible, that the server's user may enter, unlike t.TempDir when root
// runs the tests.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(memoryFolder(), "ghlsync-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(found))
	for i, entry := range found {
		names[i] = entry.Name()
	}
	return names
}

// eventually polls until the condition holds, and fails the test after 20 s.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatalf("not within 20 s: %s", what)
		case <-poll.C:
		}
	}
}
