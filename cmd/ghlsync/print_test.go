package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"ghlsync/internal/admin"
)

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 20: "5.0 MiB", 1 << 62: "4.0 EiB"} {
		if got := size(&n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	if got := size(nil); got != "?" {
		t.Errorf("not known: %s", got)
	}
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"event-1.5": "event-1.5", "日本 ü": "日本 ü", "a\tb": `"a\tb"`, "\x1b[2J": `"\x1b[2J"`, " a": `" a"`, "\xff": `"\xff"`, "a\u202eb": `"a\u202eb"`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// TestArray: however a list is cut into pages, it is one document.
func TestArray(t *testing.T) {
	t.Parallel()
	for _, pages := range [][]int{{}, {0}, {1}, {3}, {2, 1}, {1, 0, 2}, {0, 1}} {
		var out bytes.Buffer
		p, want := &arrayPrinter{out: &out}, 0
		for _, n := range pages {
			rows := make([]admin.Mapping, n)
			for i := range rows {
				rows[i].SentraEventID = fmt.Sprint(want)
				want++
			}
			if err := p.page(rows); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.end(); err != nil {
			t.Fatal(err)
		}
		var got []admin.Mapping
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got == nil || len(got) != want {
			t.Errorf("%v: %d, want %d, %v\n%s", pages, len(got), want, err, &out)
		}
	}
}
