package config

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the golden parts of testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// section names in testdata/load: what is set in the process's environment and
// in the file, which needs are asked for (all, if there is no such section),
// which settings are shown, and what comes of it.
const (
	inEnv   = "env"
	inFile  = ".env"
	inNeeds = "needs"
	inShow  = "show"
	inWant  = "want"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/load/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			parts := sections(string(text))
			got := outcome(t, parts)
			if strings.Contains(got, "hunter2") {
				t.Errorf("a secret is shown:\n%s", got)
			}
			if *update {
				before, _, _ := strings.Cut(string(text), "-- want --\n")
				if err := os.WriteFile(path, []byte(before+"-- want --\n"+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(parts[inWant], got); diff != "" {
				t.Errorf("(-want +got; rewrite with -update)\n%s", diff)
			}
		})
	}
}

func outcome(t *testing.T, parts map[string]string) string {
	t.Helper()
	env := FromMap(map[string]string{})
	for line := range strings.Lines(parts[inEnv]) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env.process[name] = value
	}
	if file, ok := parts[inFile]; ok {
		env.file, env.problem = parseFile([]byte(file))
	}
	needs := All()
	if listed, ok := parts[inNeeds]; ok {
		needs = nil
		for _, n := range strings.Fields(listed) {
			needs = append(needs, Need(n))
		}
	}
	c, warnings, err := Load(t.Context(), env, needs...)
	var b strings.Builder
	if err == nil {
		b.WriteString("ok\n")
	} else {
		fmt.Fprintln(&b, err)
	}
	for _, w := range warnings {
		fmt.Fprintln(&b, "warning:", w)
	}
	shown := strings.Fields(parts[inShow])
	for _, name := range shown {
		for _, s := range c.Redacted() {
			if s.Name == name {
				fmt.Fprintf(&b, "%s=%s (%s)\n", s.Name, s.Value, s.Origin)
			}
		}
	}
	return b.String()
}

// sections splits a file at its '-- name --' lines; what is before the first is
// a remark.
func sections(text string) map[string]string {
	parts := make(map[string]string)
	name := ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(trimmed, "-- ") && strings.HasSuffix(trimmed, " --") {
			name = strings.TrimSuffix(strings.TrimPrefix(trimmed, "-- "), " --")
			parts[name] = ""
			continue
		}
		if name != "" {
			parts[name] += line
		}
	}
	return parts
}
