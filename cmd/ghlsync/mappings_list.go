package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"ghlsync/internal/admin"
	"ghlsync/internal/config"
)

const listHelp = `List mappings in the order of their event ids. Deletions that are done, and
events that are only assumed to be in GHL already, are not listed.

The exit code is 0 also if something in the list has failed.`

// list is what the flags of 'mappings list' say.
type list struct {
	query admin.Query
	most  int // 0: all
	json  bool
}

func newList(std streams) *cobra.Command {
	var l list
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List mappings",
		Long:  listHelp,
		Example: `  ghlsync mappings list --status failed
  ghlsync mappings list --query 1753862400
  ghlsync mappings list --json | jq -r '.[] | select(.sync_error) | .sentra_event_id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if l.most < 0 {
				return usageError(fmt.Sprintf("--limit %d is negative: use 0 for all", l.most))
			}
			return l.run(cmd.Context(), std)
		},
	}
	cmd.Flags().StringVar(&l.query.Status, "status", "", "only these: synced, pending, failed, held or drifted")
	cmd.Flags().StringVar(&l.query.Text, "query", "", "only those with this in the event id or the appointment id")
	cmd.Flags().StringVar(&l.query.After, "after", "", "only event ids behind this one")
	cmd.Flags().IntVar(&l.most, "limit", 0, "at most so many; 0: all")
	jsonFlag(cmd, &l.json)
	return cmd
}

func (l list) run(ctx context.Context, std streams) error {
	cfg, _, err := config.Load(ctx, std.environment(), config.NeedState)
	if err != nil {
		return err
	}
	printer := listPrinter(&tablePrinter{out: std.out})
	if l.json {
		printer = &arrayPrinter{out: std.out}
	}
	return reading(ctx, cfg, func(b backend) error {
		// A daemon that goes away between two pages must not begin the list anew.
		if err := l.pages(ctx, b, printer); err != nil {
			if printer.begun() {
				return fmt.Errorf("the list is not complete: %v", err) //nolint:errorlint // asking again would print twice
			}
			return err
		}
		return printer.end()
	})
}

// pages prints page by page, so that memory does not grow with the list.
func (l list) pages(ctx context.Context, b backend, to listPrinter) error {
	q, left := l.query, l.most
	for {
		q.Limit = admin.MaxLimit
		if l.most > 0 {
			q.Limit = min(left, admin.MaxLimit)
		}
		p, err := b.Page(ctx, q)
		if err != nil {
			return err
		}
		if err := to.page(p.Mappings); err != nil {
			return err
		}
		left -= len(p.Mappings)
		if p.Next == nil || l.most > 0 && left <= 0 {
			return nil
		}
		q.After = *p.Next
	}
}

// listPrinter prints a list that arrives in pages.
type listPrinter interface {
	page(rows []admin.Mapping) error
	begun() bool
	end() error
}

// arrayPrinter makes one JSON array, an element a line.
type arrayPrinter struct {
	out io.Writer
	n   int
}

func (p *arrayPrinter) begun() bool { return p.n > 0 }

func (p *arrayPrinter) page(rows []admin.Mapping) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, m := range rows {
		if p.n == 0 {
			b.WriteString("[\n")
		} else {
			b.Truncate(max(b.Len()-1, 0)) // the line break that Encode adds; a page before kept none
			b.WriteString(",\n")
		}
		if err := enc.Encode(m); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		p.n++
	}
	_, err := p.out.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return err
}

func (p *arrayPrinter) end() error {
	closing := "\n]\n"
	if p.n == 0 {
		closing = "[]\n"
	}
	_, err := io.WriteString(p.out, closing)
	return err
}

// tablePrinter prints columns that are aligned within a page.
type tablePrinter struct {
	out io.Writer
	n   int
}

func (p *tablePrinter) begun() bool { return p.n > 0 }

func (p *tablePrinter) page(rows []admin.Mapping) error {
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	if p.n == 0 && len(rows) > 0 {
		say(w, "EVENT\tTYPE\tWANTED\tSTATUS\tAPPOINTMENT\tATTEMPTS\tLAST ATTEMPT\tERROR\n")
	}
	p.n += len(rows)
	for _, m := range rows {
		status := m.SyncStatus
		if m.Hold != nil && *m.Hold == admin.StatusHeld {
			status += " (held)"
		}
		say(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", printable(m.SentraEventID), printable(m.EventType), m.Wanted, status,
			optional(m.GHLAppointmentID), m.Attempts, moment(m.LastSyncAttempt), optional(m.SyncError))
	}
	return w.Flush()
}

func (p *tablePrinter) end() error {
	if p.n > 0 {
		return nil
	}
	_, err := io.WriteString(p.out, "no mappings\n")
	return err
}
