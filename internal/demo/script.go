package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"ghlsync/state"
)

// Seed rows that the script works with.
const (
	seedClientA    = 1 // has two events in scope, and two that are not
	seedClientB    = 2
	seedOnboarding = "event-1700000001.000001" // client A
	seedHandover   = "event-1700000004.000004" // client A
	seedOther      = "event-1700000005.000005" // client B
)

func creates(event string) call { return call{state.Create, event} }
func updates(event string) call { return call{state.Update, event} }
func deletes(event string) call { return call{state.Delete, event} }

// script is what --once plays: every kind of change that the daemon tells apart.
// It ends with one that GHL hears of, which proves the silence of those before.
func script() []step {
	return append(append(openingSteps(), quietSteps()...), closingSteps()...)
}

func openingSteps() []step {
	return []step{
		{does: "a new client's onboarding", act: newcomer("kickoff", fields{title: "Kick-off", day: later(2), from: "09:00", to: "10:00", kind: "onboarding"}), calls: []call{creates("kickoff")}},
		{does: "a handover", act: booking("launch", seedClientB, fields{title: "Launch", day: later(30), from: "15:30", to: "16:00", description: "Bring the keys", kind: "handover"}), calls: []call{creates("launch")}},
		{does: "a first draft: not for GHL", event: "draft", act: booking("draft", seedClientB, fields{title: "Draft", day: later(9), from: "11:00", to: "11:30", kind: "firstdraft"})},
		{does: "another title", act: editing("kickoff", fields{title: `Kick-off "with" <everybody> & žluťoučký kůň`}), calls: []call{updates("kickoff")}},
		{does: "another day and time", act: editing("kickoff", fields{day: later(4), from: "23:15", to: "24:00"}), calls: []call{updates("kickoff")}},
		{does: "a description of 16 kB", act: editing("launch", fields{description: longText()}), calls: []call{updates("launch")}},
		{does: "its title; the long text untouched", act: editing("launch", fields{title: "Grand launch"}), calls: []call{updates("launch")}},
		{does: "first draft becomes onboarding", act: editing("draft", fields{kind: "onboarding"}), calls: []call{creates("draft")}},
		{does: "onboarding becomes handover", act: editing("draft", fields{kind: "handover"}), calls: []call{updates("draft")}},
		{does: "handover becomes second draft", act: editing("draft", fields{kind: "seconddraft"}), calls: []call{deletes("draft")}},
	}
}

func quietSteps() []step {
	return []step{
		{does: "five edits in one transaction", act: edits(
			named{"kickoff", fields{title: "Kick-off 1"}}, named{"kickoff", fields{title: "Kick-off 2"}},
			named{"kickoff", fields{day: later(5)}}, named{"kickoff", fields{from: "08:00"}},
			named{"kickoff", fields{title: "Kick-off 3"}}), calls: []call{updates("kickoff")}},
		{does: "only updated_at", event: "kickoff", act: touching("kickoff")},
		{does: "an edit, rolled back", event: "kickoff", act: rollingBack("kickoff", fields{title: "Nobody saw this"})},
		{does: "booked and deleted in one transaction", act: fleeting(seedClientB, fields{title: "Fleeting", day: later(3), from: "10:00", to: "10:30", kind: "onboarding"})},
		{does: "booked in GHL by the client", event: "theirs", act: bookingInGHL("theirs", seedClientB, fields{title: "Self-booked", day: later(6), from: "13:00", to: "13:30", kind: "onboarding"})},
		{does: "an edit of that one", act: editing("theirs", fields{title: "Self-booked, confirmed"}), calls: []call{updates("theirs")}},
	}
}

func closingSteps() []step {
	soon := fields{day: later(3)}
	return []step{
		{
			does: "three events in one transaction", act: edits(named{"kickoff", soon}, named{"launch", soon}, named{seedOther, soon}),
			calls: []call{updates("kickoff"), updates("launch"), updates(seedOther)},
		},
		{
			does: "deleted and made anew at once", act: replacing("kickoff", seedClientB, fields{title: "Kick-off, again", day: later(7), from: "10:00", to: "11:00", kind: "onboarding"}),
			calls: []call{updates("kickoff")},
		},
		{does: "another primary key", act: rekeying("kickoff"), calls: []call{deletes("kickoff before"), creates("kickoff")}},
		{does: "deleted", act: deleting("launch"), calls: []call{deletes("launch")}},
		{does: "deleted, a moment ago a draft", event: "draft", act: deleting("draft")},
		{does: "a client deleted, cascading", act: deletingClient(seedClientA), calls: []call{deletes(seedOnboarding), deletes(seedHandover)}},
	}
}

// longText does not compress, so PostgreSQL stores it out of line (TOAST) and
// leaves it out of the stream when an UPDATE does not touch it.
func longText() string {
	var b strings.Builder
	sum := sha256.Sum256([]byte("demo"))
	for b.Len() < 16_000 {
		b.WriteString(hex.EncodeToString(sum[:]))
		b.WriteByte('\n')
		sum = sha256.Sum256(sum[:])
	}
	return b.String()
}
