package metrics_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"ghlsync/internal/daemon"
)

const deploy = "../../deploy"

// read gives a file below deploy.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(deploy, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// alert is one rule of alerts.yml.
type alert struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string  `yaml:"name"`
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(read(t, "prometheus/alerts.yml")))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// Every alert asks for what a scrape has, names a section of the runbook that
// exists, and has a case in alerts_test.yml in which it fires.
func TestAlerts(t *testing.T) {
	t.Parallel()
	c, sections, cases := catalogueOf(t), anchors(t), string(read(t, "prometheus/alerts_test.yml"))
	all := alerts(t)
	if len(all) < 12 {
		t.Errorf("there are %d alerts", len(all))
	}
	seen := make(map[string]bool)
	for _, a := range all {
		c.check(t, a.Alert, a.Expr)
		if seen[a.Alert] {
			t.Errorf("%s is there twice", a.Alert)
		}
		seen[a.Alert] = true
		section, ours := strings.CutPrefix(a.Annotations["runbook"], "docs/OPERATIONS.md#")
		if !ours || !sections[section] {
			t.Errorf("%s: there is no section %q", a.Alert, a.Annotations["runbook"])
		}
		if !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) || a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s lacks a severity, a summary or a description", a.Alert)
		}
		if _, err := time.ParseDuration(a.For); a.For != "" && err != nil {
			t.Errorf("%s: %v", a.Alert, err)
		}
		if !strings.Contains(cases, `{alertname="`+a.Alert+`"}`) {
			t.Errorf("alerts_test.yml has no case in which %s fires", a.Alert)
		}
	}
}

// The series with which alerts_test.yml tries the alerts are those of a scrape.
func TestAlertCases(t *testing.T) {
	t.Parallel()
	var file struct {
		Tests []struct {
			Name   string `yaml:"name"`
			Series []struct {
				Series string `yaml:"series"`
			} `yaml:"input_series"`
		} `yaml:"tests"`
	}
	if err := yaml.Unmarshal(read(t, "prometheus/alerts_test.yml"), &file); err != nil {
		t.Fatal(err)
	}
	c := catalogueOf(t)
	for _, test := range file.Tests {
		for _, s := range test.Series {
			c.check(t, test.Name, s.Series)
		}
	}
	if len(file.Tests) < len(alerts(t)) {
		t.Errorf("there are %d cases", len(file.Tests))
	}
}

var (
	heading  = regexp.MustCompile(`(?m)^#{2,6} (.+)$`)
	unlinked = regexp.MustCompile(`[^\p{L}\p{N}\s_-]`)
)

// anchors are the headings of docs/OPERATIONS.md as links name them.
func anchors(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(operations)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
		all[strings.ReplaceAll(unlinked.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return all
}

// panel is one of the dashboard, as far as it is looked at.
type panel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

// Every panel asks for what a scrape has, and lies in a place of its own.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var board struct {
		Panels     []panel `json:"panels"`
		Templating struct {
			List []struct {
				Name, Definition string
			} `json:"list"`
		} `json:"templating"`
	}
	if err := json.Unmarshal(read(t, "grafana/ghlsync.json"), &board); err != nil {
		t.Fatal(err)
	}
	c := catalogueOf(t)
	process(t, c)
	ids, cells := make(map[int]bool), make(map[[2]int]string)
	asked := 0
	for _, p := range board.Panels {
		if ids[p.ID] {
			t.Errorf("%s: id %d is there twice", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" || x >= 24 {
					t.Errorf("%s lies over %q, or outside", p.Title, other)
				}
				cells[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || p.Title == "" || p.Description == "" {
			t.Errorf("panel %d (%s) lacks a question, a title or a description", p.ID, p.Title)
		}
		for _, q := range p.Targets {
			c.check(t, "panel "+p.Title, q.Expr)
			asked++
		}
	}
	if asked < 20 {
		t.Errorf("the dashboard asks %d questions", asked)
	}
	for _, v := range board.Templating.List {
		if inner, found := strings.CutPrefix(v.Definition, "label_values("); found {
			series, _, _ := strings.Cut(inner, ",")
			c.check(t, "variable "+v.Name, series)
		}
	}
}

// process adds the metrics of Go and the process that the dashboard may ask for.
func process(t *testing.T, c catalogue) {
	t.Helper()
	for name := range scraped(t).families {
		if !strings.HasPrefix(name, "ghlsync_") {
			c.add(name, "", "")
		}
	}
}

// setting finds one of a unit.
func setting(t *testing.T, unit, name string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(unit)
	if m == nil {
		t.Fatalf("ghlsync.service has no %s", name)
	}
	return m[1]
}

// The unit lets a stop take as long as the daemon does.
func TestUnit(t *testing.T) {
	t.Parallel()
	unit := string(read(t, "systemd/ghlsync.service"))
	stop, err := time.ParseDuration(setting(t, unit, "TimeoutStopSec") + "s")
	if err != nil || stop <= daemon.DrainTimeout+5*time.Second {
		t.Errorf("TimeoutStopSec is %s (%v), and draining takes up to %s", stop, err, daemon.DrainTimeout)
	}
	for name, want := range map[string]string{
		"ExecStart": "/usr/local/bin/ghlsync run", "StateDirectory": "ghlsync", "ProtectSystem": "strict", "NoNewPrivileges": "yes",
		"CapabilityBoundingSet": "", "RestartPreventExitStatus": "2", "User": "ghlsync",
	} {
		if got := setting(t, unit, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
