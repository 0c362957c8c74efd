package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// Preset is a fault under a name, as a button of the page.
type Preset struct {
	Key, Name string
	Says      string // what GHL does, in words
	Rule      Rule
}

// Presets are the faults worth a button, from the plain to the treacherous.
func Presets() []Preset {
	const wait = 2 * time.Second
	return []Preset{
		{"down", "GHL is down", "every connection is reset, nothing happens", Rule{Effect: EffectDropBefore, Reset: true}},
		{"unavailable", "503", "answers 503, does nothing", Rule{Status: http.StatusServiceUnavailable}},
		{"limited", "429", "asks for a pause of 2 s, does nothing", Rule{Status: http.StatusTooManyRequests, RetryAfter: "2"}},
		{"slow", "Slow", "takes 2 s, then does it and answers", Rule{DelayBefore: wait}},
		{"inactive", "Workflow inactive", "answers 200 to a test request, does nothing", Rule{Effect: EffectDraft}},
		{"refuses", "Refuses", "answers success:false, with a code", Rule{Code: "SLOT_UNAVAILABLE"}},
		{"cut", "Answer cut short", "does it, and breaks off in the answer", Rule{Effect: EffectCut}},
		{"hangs-up", "Does it, hangs up", "does it, and closes without an answer", Rule{Effect: EffectDropAfter}},
		{"late", "Does it late", "never answers, and does it after 6 s", Rule{Effect: EffectHangThenAct, ActAfter: 3 * wait}},
	}
}

// pressPreset puts the named preset in force, alone, for as many requests and
// as large a part of them as the form says.
func (s *Sandbox) pressPreset(r *http.Request) error {
	count, err := formNumber(r, "count", 0)
	if err != nil {
		return err
	}
	percent, err := formNumber(r, "percent", 100)
	if err != nil {
		return err
	}
	if percent < 1 || percent > 100 {
		return fmt.Errorf("percent %d is out of range: use 1 to 100", percent)
	}
	for _, p := range Presets() {
		if p.Key == r.PostFormValue("preset") {
			p.Rule.Count, p.Rule.Probability = count, float64(percent)/100
			return s.Set(Faults{Rules: []Rule{p.Rule}})
		}
	}
	return fmt.Errorf("preset %q is unknown", r.PostFormValue("preset"))
}

func formNumber(r *http.Request, name string, otherwise int) (int, error) {
	text := r.PostFormValue(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s %q is not a whole number", name, text)
	}
	return n, nil
}

// setRules puts rules in force that somebody wrote.
func (s *Sandbox) setRules(r *http.Request) error {
	var f Faults
	if err := json.Unmarshal([]byte(r.PostFormValue("rules")), &f); err != nil {
		return fmt.Errorf("read the rules: %w", err)
	}
	return s.Set(f)
}
