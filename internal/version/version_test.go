package version

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	t.Parallel()
	plain := Info{Version: "dev", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	full := plain
	full.Version, full.Commit, full.Time, full.Modified = "v1.2.3", "abc", "2026-01-02T03:04:05Z", true
	for name, c := range map[string]struct {
		build *debug.BuildInfo
		want  Info
	}{
		"no information": {nil, plain},
		"a checkout":     {&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, plain},
		"a release": {&debug.BuildInfo{
			Main: debug.Module{Version: "v1.2.3"},
			Settings: []debug.BuildSetting{
				{Key: "vcs.revision", Value: "abc"},
				{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"},
				{Key: "vcs.modified", Value: "true"},
				{Key: "GOOS", Value: "plan9"},
			},
		}, full},
	} {
		if got := of(c.build); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	if Read().Go != runtime.Version() {
		t.Errorf("got %+v", Read())
	}
}

// A stamp is for what has no version of its own: it does not rename a release.
func TestStamped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ built, want Info }{
		"an image":   {Info{Version: "dev"}, Info{Version: "v2.0.0", Commit: "def"}},
		"a checkout": {Info{Version: "v1.2.3", Commit: "abc"}, Info{Version: "v1.2.3", Commit: "abc"}},
	} {
		if got := c.built.stamped("v2.0.0", "def"); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
	if got := (Info{Version: "dev"}).stamped("", ""); got != (Info{Version: "dev"}) {
		t.Errorf("without a stamp: %+v", got)
	}
}

// The names that the linker is given are those of the variables, wherever a build
// gives them.
func TestLinkerSetsTheStamp(t *testing.T) {
	t.Parallel()
	const name = "ghlsync/internal/version."
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"stamp=", "stampCommit="} {
		if !strings.Contains(string(text), "-X "+name+variable) {
			t.Errorf("Dockerfile does not set %s%s", name, variable)
		}
	}
	binary := filepath.Join(t.TempDir(), "ghlsync")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary,
		"-ldflags=-X "+name+"stamp=v9.8.7 -X "+name+"stampCommit=abcdef", "ghlsync/cmd/ghlsync")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command(binary, "version").Output()
	if err != nil || !strings.HasPrefix(string(out), "ghlsync v9.8.7 commit abcdef ") {
		t.Errorf("got %q, %v", out, err)
	}
}
