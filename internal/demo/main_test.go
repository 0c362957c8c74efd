package demo

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// screen collects what is printed, and tells of it.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // closed by the next write
}

func newScreen() *screen { return &screen{written: make(chan struct{})} }

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.written)
	s.written = make(chan struct{})
	return s.text.Write(b)
}

func (s *screen) read() (string, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String(), s.written
}

func (s *screen) String() string {
	text, _ := s.read()
	return text
}

// waitFor returns when the text is on the screen.
func (s *screen) waitFor(t *testing.T, text string) {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		have, more := s.read()
		if strings.Contains(have, text) {
			return
		}
		select {
		case <-more:
		case <-late:
			t.Errorf("the screen never showed %q, but:\n%s", text, have)
			return
		}
	}
}

// rig is one run with a screen, and knows where its files are.
type rig struct {
	Options
	screen *screen
	folder string // the server's; "" until everything runs
	begun  func(*stage)
}

func newRig(t *testing.T, once bool) *rig {
	t.Helper()
	r := &rig{screen: newScreen()}
	log := slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	r.Options = Options{Once: once, Out: r.screen, Log: log, opened: func(s *stage) {
		r.folder = filepath.Dir(s.server.DataDir())
		if r.begun != nil {
			r.begun(s)
		}
	}}
	return r
}

// publicDir is a temporary folder that PostgreSQL's unprivileged user can enter;
// t.TempDir lies below one that is closed.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "demo-test-")
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

// testLog writes the daemon's warnings into the test's log.
type testLog struct{ t *testing.T }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

// wantNothingLeft fails if the server's folder, which holds the state too, is
// still there, or a process that was started for it: server and keeper have it
// in their arguments.
func (r *rig) wantNothingLeft(t *testing.T) {
	t.Helper()
	if r.folder == "" {
		t.Fatal("nothing ever ran")
	}
	if _, err := os.Stat(r.folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("folder %s is left behind (%v)", r.folder, err)
	}
	wantNoProcess(t, r.folder)
}

func wantNoProcess(t *testing.T, folder string) {
	t.Helper()
	for _, command := range processesOf(t, folder) {
		t.Errorf("process %q is left behind", command)
	}
}

// watch runs a demo, and gives its end.
func watch(ctx context.Context, o Options) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	return ended
}

// endOf waits for a demo.
func endOf(t *testing.T, ended <-chan error) error {
	t.Helper()
	select {
	case err := <-ended:
		return err
	case <-time.After(60 * time.Second):
		t.Fatal("the demo does not end")
		return nil
	}
}
