package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command that is listed has a manual page, under its whole name.
func TestManualOfEveryCommand(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.expect(0, []string{"man", "pages"}, "")
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		name := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(p.path("pages"), name))
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(page), cmd.Short) {
			t.Errorf("%s does not say what it is for", name)
		}
		for _, sub := range cmd.Commands() {
			if !sub.Hidden {
				walk(sub)
			}
		}
	}
	walk(newRoot(streams{}))
	p.expect(2, []string{"man"}, "!See 'ghlsync man --help'")
	p.write("file", "")
	p.expect(1, []string{"man", "file"}, "!write manual pages")
}
