package logging

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"ghlsync/internal/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const line = "✅ Mapping reference created:"

func TestJSONWhereNobodyReadsAlong(t *testing.T) {
	t.Parallel()
	for _, format := range []config.LogFormat{config.LogAuto, config.LogJSON} {
		var out bytes.Buffer
		New(&out, slog.LevelInfo, format).Info(line, slog.String("sentra_event_id", "event-1"))
		var got struct {
			Time                time.Time
			Level, Msg          string
			Event               string `json:"sentra_event_id"`
			SomethingElse, Code *string
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v: %s", format, err, &out)
		}
		if got.Msg != line || got.Level != "INFO" || got.Event != "event-1" {
			t.Errorf("%s: got %+v", format, got)
		}
		if _, offset := got.Time.Zone(); offset != 0 || !strings.Contains(out.String(), "Z\"") {
			t.Errorf("%s: the time is not UTC: %s", format, &out)
		}
	}
}

func TestTextHasTheSameMessageAndNoColourInAFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	New(&out, slog.LevelInfo, config.LogText).Warn(line, slog.String("sentra_event_id", "event-1"))
	got := out.String()
	if !strings.Contains(got, line+" sentra_event_id=event-1") || !strings.Contains(got, "WRN") || strings.Contains(got, "\x1b") {
		t.Errorf("got %q", got)
	}
}

func TestDurationsHaveAUnit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		took time.Duration
		want string
	}{{7979665, "7.98ms"}, {15007213752, "15.007s"}, {20 * time.Second, "20s"}} {
		var text, object bytes.Buffer
		New(&text, slog.LevelInfo, config.LogText).Info(line, slog.Duration("duration", c.took))
		New(&object, slog.LevelInfo, config.LogJSON).Info(line, slog.Duration("duration", c.took))
		if want := " duration=" + c.want + "\n"; !strings.HasSuffix(text.String(), want) {
			t.Errorf("%s, want %s", &text, want)
		}
		if want := `"duration":"` + c.want + `"`; !strings.Contains(object.String(), want) {
			t.Errorf("%s, want %s", &object, want)
		}
	}
}

func TestLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := New(&out, slog.LevelWarn, config.LogJSON)
	log.Info("left out")
	log.Warn("kept")
	if strings.Contains(out.String(), "left out") || !strings.Contains(out.String(), "kept") {
		t.Errorf("got %s", &out)
	}
}

// A terminal would need a pseudo-terminal; what matters is that nothing else is
// taken for one.
func TestPipesAndDevicesAreNoTerminals(t *testing.T) {
	t.Parallel()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{null, read, write} {
		if IsTerminal(f) {
			t.Errorf("%s is taken for a terminal", f.Name())
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestKeysAreLowerSnakeCaseAndUnique(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "keys.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	ast.Inspect(file, func(n ast.Node) bool {
		key, ok := n.(*ast.BasicLit)
		if !ok {
			return true
		}
		name := strings.Trim(key.Value, `"`)
		if seen[name] || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			t.Errorf("key %q", name)
		}
		seen[name] = true
		return true
	})
	if len(seen) == 0 {
		t.Error("no keys found")
	}
}
