package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ghlsync/ghl"
)

// ruleJSON is a Rule as PUT /sandbox/faults takes it: durations as text
// ("250ms"), operations by their short names or by their event_type.
type ruleJSON struct {
	Call        Call     `json:"call,omitempty"`
	Operation   string   `json:"operation,omitempty"`
	Event       string   `json:"event,omitempty"`
	Count       int      `json:"count,omitempty"`
	Probability float64  `json:"probability,omitempty"`
	DelayBefore duration `json:"delay_before,omitempty"`
	DelayAfter  duration `json:"delay_after,omitempty"`
	Effect      Effect   `json:"effect,omitempty"`
	Act         Act      `json:"act,omitempty"`
	Status      int      `json:"status,omitempty"`
	RetryAfter  string   `json:"retry_after,omitempty"`
	Body        string   `json:"body,omitempty"`
	Code        string   `json:"code,omitempty"`
	Location    string   `json:"location,omitempty"`
	ActAfter    duration `json:"act_after,omitempty"`
	Reset       bool     `json:"reset,omitempty"`
}

// duration is a time.Duration written as Go prints it.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("duration %q: write it like 250ms or 2s", text)
	}
	*d = duration(parsed)
	return nil
}

const operationPrefix = "calendar_event_"

// MarshalJSON writes the form that UnmarshalJSON reads.
func (r Rule) MarshalJSON() ([]byte, error) {
	return json.Marshal(ruleJSON{
		Call: r.Call, Operation: strings.TrimPrefix(string(r.Operation), operationPrefix), Event: r.Event,
		Count: r.Count, Probability: r.Probability,
		DelayBefore: duration(r.DelayBefore), DelayAfter: duration(r.DelayAfter),
		Effect: r.Effect, Act: r.Act, Status: r.Status, RetryAfter: r.RetryAfter,
		Body: r.Body, Code: r.Code, Location: r.Location, ActAfter: duration(r.ActAfter), Reset: r.Reset,
	})
}

// UnmarshalJSON reads a rule and refuses fields that it does not know.
func (r *Rule) UnmarshalJSON(data []byte) error {
	var in ruleJSON
	if err := strict(data, &in); err != nil {
		return err
	}
	var operation ghl.Operation
	if in.Operation != "" {
		op, err := ghl.ParseOperation(operationPrefix + strings.TrimPrefix(in.Operation, operationPrefix))
		if err != nil {
			return fmt.Errorf("operation %q is unknown: use created, updated or deleted", in.Operation)
		}
		operation = op
	}
	*r = Rule{
		Call: in.Call, Operation: operation, Event: in.Event, Count: in.Count, Probability: in.Probability,
		DelayBefore: time.Duration(in.DelayBefore), DelayAfter: time.Duration(in.DelayAfter),
		Effect: in.Effect, Act: in.Act, Status: in.Status, RetryAfter: in.RetryAfter,
		Body: in.Body, Code: in.Code, Location: in.Location, ActAfter: time.Duration(in.ActAfter), Reset: in.Reset,
	}
	return nil
}

// faultsJSON is Faults on the wire.
type faultsJSON struct {
	Seed  uint64 `json:"seed"`
	Rules []Rule `json:"rules"`
}

// MarshalJSON writes {"seed":…,"rules":[…]}.
func (f Faults) MarshalJSON() ([]byte, error) {
	return json.Marshal(faultsJSON{Seed: f.Seed, Rules: append([]Rule{}, f.Rules...)})
}

// UnmarshalJSON reads {"seed":…,"rules":[…]}, a list of rules, or one rule.
func (f *Faults) UnmarshalJSON(data []byte) error {
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '[' {
		*f = Faults{}
		return json.Unmarshal(data, &f.Rules)
	}
	var named map[string]json.RawMessage
	if err := json.Unmarshal(data, &named); err != nil {
		return fmt.Errorf("read faults: %w", err)
	}
	if named["rules"] == nil && named["seed"] == nil {
		*f = Faults{Rules: make([]Rule, 1)}
		return f.Rules[0].UnmarshalJSON(data)
	}
	var in faultsJSON
	if err := strict(data, &in); err != nil {
		return err
	}
	*f = Faults(in)
	return nil
}

func strict(data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	return nil
}
