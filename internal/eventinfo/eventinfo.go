// Package eventinfo asks Sentra how one event is now, and what the rules make of
// it, for whoever is asked 'is event 123 in GHL?'.
//
// It uses an ordinary connection of its own for each question, so that it works
// with the daemon up or down and does not disturb capture. What it finds is as of
// now; what the state wants is as of the last change that was captured, and the two
// differ while a change is on its way.
//
// What the package promises:
//
//  1. A question ends within [Timeout], whatever the server does.
//  2. Of the row only its id, type and verdict are told, and the names of fields
//     that differ; never a value, nor a part of the connection string.
//
// The package starts no goroutine. A [Reader] is safe for concurrent use.
package eventinfo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ghlsync/cdc"
	"ghlsync/internal/admin"
	"ghlsync/translator"
)

// Timeout bounds a question.
const Timeout = 5 * time.Second

// Reader asks about events.
type Reader struct {
	source cdc.Config
	rules  *translator.Rules
}

// New makes a Reader. It connects to nothing.
func New(source cdc.Config, rules *translator.Rules) *Reader {
	return &Reader{source: source, rules: rules}
}

// Event is admin.EventSource's. wanted is the payload that the state wants; nil
// where it wants none.
func (r *Reader) Event(ctx context.Context, id string, wanted []byte) (admin.Sentra, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	row, client, found, err := cdc.Peek(ctx, r.source, id)
	if err != nil {
		return admin.Sentra{}, fmt.Errorf("ask Sentra: %w", err)
	}
	s := admin.Sentra{Asked: true, Found: found}
	if !found {
		s.Verdict = admin.VerdictGone
		return s, nil
	}
	s.EventType = row.Text(cdc.Type)
	switch in := r.rules.Row(id, &row, client); in.Verdict {
	case translator.Upsert:
		s.Verdict = admin.VerdictShow
		s.Differs = differs(in.Payload, wanted)
	case translator.Park:
		s.Verdict, s.Reason = admin.VerdictCannot, in.Reason
	default:
		s.Verdict = admin.VerdictOutOfScope
	}
	return s, nil
}

// differs names the fields of the two payloads that are not the same. updated_at
// does not count: a touch of the row changes nothing that GHL shows.
func differs(is, wanted []byte) []string {
	var a, b map[string]json.RawMessage
	if wanted == nil || json.Unmarshal(is, &a) != nil || json.Unmarshal(wanted, &b) != nil {
		return nil
	}
	var names []string
	for name, value := range a {
		if name != "updated_at" && string(value) != string(b[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
