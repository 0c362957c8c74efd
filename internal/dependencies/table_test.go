package dependencies

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/DEPENDENCIES.md")

const document = "../../docs/DEPENDENCIES.md"

// The table stands between these two lines.
const (
	begin = "<!-- modules: made by go test ./internal/dependencies -update -->\n"
	end   = "<!-- /modules -->\n"
)

// purposes say what the modules are for that are imported directly.
var purposes = map[string]string{
	"github.com/cenkalti/backoff/v5":      "pauses between reconnects to Postgres",
	"github.com/chromedp/cdproto":         "a real browser in tests of the pages: its protocol",
	"github.com/chromedp/chromedp":        "a real browser in tests of the pages",
	"github.com/getkin/kin-openapi":       "requests held against the files that GHL publishes",
	"github.com/Shopify/toxiproxy/v2":     "chaos: networks that are cut, slow or half-open",
	"github.com/rs/zerolog":               "chaos: what toxiproxy logs by",
	"github.com/google/go-cmp":            "differences in tests",
	"github.com/jackc/pglogrepl":          "replication commands and LSNs",
	"github.com/jackc/pgx/v5":             "connections to Postgres",
	"github.com/joho/godotenv":            "the file .env",
	"github.com/lmittmann/tint":           "log lines on a terminal",
	"github.com/mattn/go-isatty":          "is a person looking at the output?",
	"github.com/pressly/goose/v3":         "numbered migrations of the state",
	"github.com/prometheus/client_golang": "metrics",
	"github.com/prometheus/client_model":  "reads metrics in tests",
	"github.com/prometheus/common":        "reads a scrape in tests",
	"github.com/prometheus/prometheus":    "reads the alerts' and the dashboard's queries in tests",
	"github.com/sethvargo/go-envconfig":   "settings",
	"github.com/spf13/cobra":              "commands and completions; manual pages, at a release alone",
	"go.uber.org/goleak":                  "goroutines that tests leave behind",
	"go.yaml.in/yaml/v3":                  "reads the alerts in tests",
	"golang.org/x/time":                   "the token bucket",
	"modernc.org/sqlite":                  "the state file, without cgo",
	"pgregory.net/rapid":                  "property tests",
}

// pkg is what 'go list' tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
	Module     *module
}

type module struct {
	Path, Version, Dir string
	Main               bool
}

// listed asks for packages and all that they import, as for a release.
func listed(t *testing.T, args ...string) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=ImportPath,Imports,Module"}, args...)...)
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	found := make(map[string]pkg)
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[p.ImportPath] = p
	}
}

// users gives the modules by path, and who imports each; "" is ourselves.
func users(all map[string]pkg) (modules map[string]*module, by map[string][]string) {
	modules, by = make(map[string]*module), make(map[string][]string)
	for _, p := range all {
		if p.Module == nil {
			continue // the standard library
		}
		user := p.Module.Path
		if p.Module.Main {
			user = ""
		} else {
			modules[user] = p.Module
		}
		for _, path := range p.Imports {
			used := all[path].Module
			if used == nil || used.Main || used.Path == user || slices.Contains(by[used.Path], user) {
				continue
			}
			by[used.Path] = append(by[used.Path], user)
		}
	}
	return modules, by
}

func table(t *testing.T) string {
	t.Helper()
	modules, by := users(listed(t, "-test", "./..."))
	linked, _ := users(listed(t, "./cmd/ghlsync"))
	var b strings.Builder
	b.WriteString("| module | version | licence | where | for |\n|---|---|---|---|---|\n")
	for _, path := range slices.Sorted(maps.Keys(modules)) {
		m := modules[path]
		licence, err := licenceOf(m.Dir)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		where, what := "tests", purposes[path]
		if linked[path] != nil {
			where = "binary"
			if strings.Contains(licence, forTests) {
				t.Errorf("%s is linked in, and its licence is %s", path, licence)
			}
		}
		direct := slices.Contains(by[path], "")
		if direct != (what != "") {
			t.Errorf("%s: imported directly: %t, its purpose: %q", path, direct, what)
		}
		if !direct {
			slices.Sort(by[path])
			what = "of " + strings.Join(by[path], ", ")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", path, m.Version, licence, where, what)
	}
	for path := range purposes {
		if modules[path] == nil {
			t.Errorf("%s has a purpose and is not used", path)
		}
	}
	return b.String()
}

func TestTableIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(text), begin)
	got, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", document)
	}
	want := table(t)
	if got == want {
		return
	}
	if !*update {
		t.Fatal("docs/DEPENDENCIES.md is not up to date: go test ./internal/dependencies -update")
	}
	if err := os.WriteFile(document, []byte(head+begin+want+end+tail), 0o600); err != nil {
		t.Fatal(err)
	}
}
