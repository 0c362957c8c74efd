package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Manual pages are made here and not by a command, so that what renders them is not in
// the daemon. SOURCE_DATE_EPOCH is their date.
var manuals = flag.String("man", "", "keep the manual pages in this directory")

// Every command that is listed has a manual page, under its whole name.
func TestManualOfEveryCommand(t *testing.T) {
	dir := *manuals
	if dir == "" {
		dir = t.TempDir()
	}
	root := newRoot(streams{})
	root.InitDefaultCompletionCmd()
	root.DisableAutoGenTag = true
	if err := doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "ghlsync", Manual: "ghlsync"}, dir); err != nil {
		t.Fatal(err)
	}
	for _, words := range commandPaths(root) {
		name := strings.ReplaceAll(words, " ", "-") + ".1"
		page, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(page), "SYNOPSIS") {
			t.Errorf("%s does not say how it is used", name)
		}
	}
}

func commandPaths(cmd *cobra.Command) []string {
	paths := []string{cmd.CommandPath()}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			paths = append(paths, commandPaths(sub)...)
		}
	}
	return paths
}
