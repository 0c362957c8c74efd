package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
)

func jsonFlag(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "json", false, "print one JSON document")
}

// printJSON prints a document for people and programs alike: ids as they are,
// not escaped for HTML.
func printJSON(w io.Writer, document any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(document); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printable quotes what would not stay in its column or could play tricks on a
// terminal: ids come from a database that others write to.
func printable(s string) string {
	odd := func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }
	if strings.ContainsFunc(s, odd) || strings.TrimSpace(s) != s {
		return strconv.Quote(s)
	}
	return s
}

// optional is a text that may not be known.
func optional(s *string) string {
	if s == nil || *s == "" {
		return "-"
	}
	return printable(*s)
}

func moment(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// size is a number of bytes as people read it.
func size(n *int64) string {
	if n == nil {
		return "?"
	}
	return admin.Size(*n)
}
