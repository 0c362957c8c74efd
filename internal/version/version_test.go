package version

import (
	"runtime"
	"runtime/debug"
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
