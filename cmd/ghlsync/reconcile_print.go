package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"ghlsync/internal/admin"
	"ghlsync/internal/calendars"
	"ghlsync/internal/pipeline"
)

func printReconciliation(out io.Writer, r admin.Reconciliation) error {
	say(out, "Compared %d events of Sentra, as of %s, with the mappings.\n\n", r.Events, r.ConsistentPoint)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, kind := range []struct {
		name string
		pipeline.Found
	}{{"missing", r.Missing}, {"extra", r.Extra}, {"stale", r.Stale}} {
		say(w, "%s\t%d\t%s\n", kind.name, kind.Count, someIDs(kind.IDs))
	}
	if r.GHL != nil {
		say(w, "\nCompared %d appointments of GHL with the mappings, in %d requests.\n\n", r.GHL.Appointments, r.GHL.Requests)
		for _, kind := range kinds(*r.GHL) {
			say(w, "%s\t%d\t%s\n", kind.name, kind.Count, someDifferences(kind.Items))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, remark := range remarks(r) {
		say(out, "\n%s\n", remark)
	}
	return nil
}

type kind struct {
	name string
	calendars.Kind
}

func kinds(r calendars.Report) []kind {
	return []kind{
		{"changed", r.Changed}, {"deleted", r.Deleted}, {"adopted", r.Adopted}, {"lost", r.Lost}, {"unnamed", r.Unnamed}, {"orphans", r.Orphans},
	}
}

func remarks(r admin.Reconciliation) (all []string) {
	differences := r.Missing.Count + r.Extra.Count + r.Stale.Count
	held := r.Held
	if r.GHL != nil {
		held += r.GHL.Held
		for _, k := range kinds(*r.GHL) {
			differences += k.Count
		}
		differences -= r.GHL.Unnamed.Count
	}
	switch {
	case differences == 0:
		all = append(all, "There is nothing to mend.")
	case r.DryRun:
		all = append(all, "Nothing was changed. Without --dry-run it is mended.")
	default:
		all = append(all, "It is mended here, and on its way to GHL: see 'ghlsync status'.")
	}
	if held > 0 && r.DryRun {
		all = append(all, fmt.Sprintf("The delete fuse would hold %d deletions.", held))
	} else if held > 0 {
		all = append(all, fmt.Sprintf("The delete fuse holds %d deletions: see 'ghlsync mappings list --status held', then release or drop.", held))
	}
	if r.GHL != nil && r.GHL.Unnamed.Count > 0 {
		all = append(all, "Of the unnamed ones GHL has an appointment whose id nobody knows: 'ghlsync reconcile --adopt-by-time --dry-run' shows which can be found by contact and time; see the others in GHL.")
	}
	if r.GHL != nil && r.GHL.Withheld > 0 {
		all = append(all, fmt.Sprintf("%d appointments are gone from GHL, more than GHL_DELETE_FUSE lets through: none of them is made again. See whether GHL_LOCATION_ID "+
			"is the right one; if they really are gone, start the daemon with a higher GHL_DELETE_FUSE and run this again.", r.GHL.Withheld))
	}
	if r.GHL != nil && r.GHL.Waiting > 0 {
		all = append(all, fmt.Sprintf("%d mappings were left out of the comparison with GHL, since delivery is at work on them, or they have failed.", r.GHL.Waiting))
	}
	if !r.Streaming {
		all = append(all, "No daemon runs: what it has yet to capture counts as well.")
	}
	return all
}

// shownIDs is how many ids of a kind are shown to people; --json has all.
const shownIDs = 10

func someIDs(ids []string) string {
	shown := make([]string, 0, shownIDs+1)
	for _, id := range ids[:min(len(ids), shownIDs)] {
		shown = append(shown, printable(id))
	}
	if more := len(ids) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more (--json has all)", more))
	}
	return strings.Join(shown, ", ")
}

func someDifferences(all []calendars.Difference) string {
	ids := make([]string, len(all))
	for i, d := range all {
		if ids[i] = d.EventID; d.Why != "" {
			ids[i] += " (" + d.Why + ")"
		}
	}
	return someIDs(ids)
}
