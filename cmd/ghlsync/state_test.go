package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"ghlsync/internal/mappingtest"
	"ghlsync/internal/postgres/pgtest"
	"ghlsync/state"
	"ghlsync/state/postgres"
)

// TestStateMoves moves a state to a server and back: the last export says what the
// first did. Meanwhile daemons come and go.
func TestStateMoves(t *testing.T) {
	t.Parallel()
	db := pgtest.DatabaseWithoutSchema(t)
	old := withDaemon(t, "", everyKind()...)
	out := old.expect(0, []string{"state", "export", "one.jsonl"}, "exported 5 mappings, 1 checkpoint")
	if strings.Contains(out, "bait") {
		t.Errorf("client data is shown: %s", out)
	}
	if info, err := os.Stat(old.path("one.jsonl")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	old.expect(1, []string{"state", "export", "one.jsonl"}, "!file exists")
	old.expect(1, []string{"state", "import", "one.jsonl"}, "!state is in use by another process")

	server := newPlace(t, "STATE_URL="+db.URL)
	server.expect(1, []string{"state", "export", "-"}, "!there is no state")
	server.expect(0, []string{"state", "import", old.path("one.jsonl"), "--json"}, `"mappings": 5`)
	server.expect(1, []string{"state", "import", old.path("one.jsonl")}, "!the state is not empty: it has 5 mappings")
	daemon, err := postgres.Open(t.Context(), db.URL, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server.expect(1, []string{"state", "import", old.path("one.jsonl")}, "!state is in use by another process")
	two := server.expect(0, []string{"state", "export", "-"}, "!exported 5 mappings")
	if err := daemon.Close(); err != nil {
		t.Error(err)
	}

	back := newPlace(t, "STATE_URL=sqlite:new.db")
	back.write("two.jsonl", two)
	back.expect(0, []string{"state", "import", "two.jsonl"}, "imported 5 mappings, 1 checkpoint")
	three := back.expect(0, []string{"state", "export", "-"})
	one, err := os.ReadFile(old.path("one.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	rows := func(export string) string {
		lines := strings.SplitAfter(export, "\n")
		return strings.Join(lines[1:len(lines)-2], "")
	}
	if len(rows(string(one))) == 0 || rows(string(one)) != rows(three) {
		t.Errorf("it left as\n%s\nand came back as\n%s", one, three)
	}
}

func TestStateInTheWrongPlace(t *testing.T) {
	t.Parallel()
	p := withFile(t, mappingtest.Synced("a"))
	p.expect(0, []string{"state", "export", "good.jsonl"})
	for _, args := range [][]string{{"state", "export"}, {"state", "import"}, {"state", "import", "a", "b"}, {"state", "move"}} {
		p.expect(2, args)
	}
	p.expect(1, []string{"state", "export", "nowhere/x.jsonl"}, "!no such file")
	p.expect(1, []string{"state", "import", "nothing.jsonl"}, "!no such file")
	p.env = []string{"STATE_URL=sqlite:nowhere/state.db"}
	p.expect(1, []string{"state", "import", "good.jsonl"}, "!no such file")
	p.expect(1, []string{"state", "export", "-"}, "!there is no state")
	p.env = []string{"STATE_URL=sqlite:other.db"}
	p.expect(1, []string{"state", "import", "state.db"}, "!nothing was imported: this is no export of a state")
	p.write("damaged.db", strings.Repeat("no state ", 1000))
	p.env = []string{"STATE_URL=sqlite:damaged.db"}
	p.expect(1, []string{"state", "export", "x.jsonl"}, "!state is damaged")
	p.expect(1, []string{"state", "import", "good.jsonl"}, "!state is damaged")
	if _, err := os.Stat(p.path("x.jsonl")); err == nil {
		t.Error("an export that failed has left a file")
	}
}

// TestImportIsKilled kills an import that has read most of its rows: the state is
// empty, and the import can be made again.
func TestImportIsKilled(t *testing.T) {
	t.Parallel()
	rows := make([]*state.Mapping, 5000)
	for i := range rows {
		rows[i] = mappingtest.Synced(fmt.Sprintf("%05d", i))
	}
	export := []byte(withFile(t, rows...).expect(0, []string{"state", "export", "-"}))
	for name, p := range map[string]place{
		"a file":   newPlace(t, "STATE_URL=sqlite:new.db"),
		"a server": newPlace(t, "STATE_URL="+pgtest.DatabaseWithoutSchema(t).URL),
	} {
		cmd := p.command(context.WithoutCancel(t.Context()), "state", "import", "-")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Of what is written, a pipe and a line's buffer hold a part; the rest was read.
		if _, err := in.Write(export[:len(export)-1000]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err == nil || said.Len() != 0 {
			t.Errorf("%s: %v, it says %q", name, err, &said)
		}
		p.expect(0, []string{"state", "export", "-"}, "!exported 0 mappings, 0 checkpoints, 0 lines of the audit, 0 retired appointments\n")
		again := p.command(t.Context(), "state", "import", "-")
		again.Stdin = bytes.NewReader(export)
		if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "imported 5000 mappings") {
			t.Errorf("%s, again: %v, %s", name, err, out)
		}
	}
}
