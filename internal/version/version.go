package version

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// Info is what is known of the build.
type Info struct {
	Version  string `json:"version"`            // of the module; "dev" where there is none
	Commit   string `json:"commit,omitempty"`   // full hash
	Time     string `json:"time,omitempty"`     // of the commit, RFC 3339
	Modified bool   `json:"modified,omitempty"` // the checkout had changes of its own
	Go       string `json:"go"`                 // version of the toolchain
	Platform string `json:"platform"`           // such as linux/amd64
}

// stamp and stampCommit are for builds without a checkout, as in an image: the
// linker sets them (-X ghlsync/internal/version.stamp=v1.2.3). What the toolchain
// recorded by itself goes before them, but for a version that is none.
var stamp, stampCommit string

// Read tells about this binary.
var Read = sync.OnceValue(func() Info {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = nil
	}
	return of(build).stamped(stamp, stampCommit)
})

// stamped fills in what the toolchain could not know.
func (i Info) stamped(version, commit string) Info {
	if i.Version == unknown && version != "" {
		i.Version = version
	}
	if i.Commit == "" {
		i.Commit = commit
	}
	return i
}

// unknown is the version of a build that has none.
const unknown = "dev"

// of takes what counts from build information; nil has none.
func of(build *debug.BuildInfo) Info {
	info := Info{Version: unknown, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if build == nil {
		return info
	}
	if v := build.Main.Version; v != "" && v != "(devel)" {
		info.Version = v
	}
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.time":
			info.Time = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	return info
}

// String is the version, as it travels in a User-Agent.
func (i Info) String() string { return i.Version }
