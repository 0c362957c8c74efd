package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"ghlsync/internal/version"
)

// newMan is for those who make packages, so it is not listed.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:     "man DIR",
		Short:   "Write the manual pages",
		Long:    "Write a manual page of every command into the directory DIR, which is made.",
		Example: "  ghlsync man /usr/local/share/man/man1",
		Hidden:  true,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return writeManuals(cmd.Root(), args[0])
		},
	}
}

// writeManuals writes one page for each command. Their date is the commit's, so that
// the same commit gives the same pages.
func writeManuals(root *cobra.Command, dir string) error {
	info := version.Read()
	date, err := time.Parse(time.RFC3339, info.Time)
	if err != nil {
		date = time.Unix(0, 0) // of a build that knows no commit
	}
	date = date.UTC()
	root.DisableAutoGenTag = true
	header := doc.GenManHeader{Section: "1", Date: &date, Source: "ghlsync " + info.Version, Manual: "ghlsync"}
	if err := errors.Join(os.MkdirAll(dir, 0o755), doc.GenManTree(root, &header, dir)); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	return nil
}
