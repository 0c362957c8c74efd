package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// logLines is how much of the request log the page shows.
const logLines = 50

// pageView is all that the page's template reads.
type pageView struct {
	span
	Webhook    string
	Tiles      []tile
	Weeks      [][]day
	Months     []month
	Undated    []entry
	Violations []Violation
	Log        []line
	InForce    string // the fault rules as JSON; empty: all is well
	Presets    []Preset
	Index      string // what those get who do not ask for HTML
}

// tile is a count; Bad marks one that must be zero.
type tile struct {
	Key, Name, Value string
	Bad              bool
}

// view looks at everything in one moment.
func (s *Sandbox) view(weeks span) pageView {
	webhook, faults := s.WebhookURL(), s.Faults()
	s.mu.Lock()
	book, stats, violations := s.book.list(""), s.counts(), s.violations.all()
	requests := s.log.after(s.stats.Requests-logLines, 0)
	s.mu.Unlock()

	v := pageView{
		span: weeks, Webhook: webhook, Tiles: tiles(stats), Months: months(book, weeks), Presets: Presets(), Index: index,
		Violations: violations[max(0, len(violations)-5):], InForce: inForce(faults),
	}
	v.Weeks, v.Undated = weeks.fill(book)
	for i := len(requests) - 1; i >= 0; i-- {
		v.Log = append(v.Log, line{requests[i]})
	}
	return v
}

func tiles(s Stats) []tile {
	count := func(key, name string, n int64) tile { return tile{key, name, fmt.Sprint(n), false} }
	never := func(key, name string, n int64) tile { return tile{key, name, fmt.Sprint(n), n > 0} }
	atOnce := tile{"at-once", "most at once for one event", fmt.Sprint(s.MaxInFlightPerEvent), s.MaxInFlightPerEvent > 1}
	return []tile{
		count("live", "in the book", int64(s.Live)),
		count("created", "creates", s.Created), count("updated", "updates", s.Updated), count("deleted", "deletes", s.Deleted),
		never("doubles", "doubles", s.Doubles), never("violations", "violations", s.Violations),
		count("faults", "faults played", s.Faults), count("replays", "repeats, not done again", s.Replays), atOnce,
	}
}

func inForce(f Faults) string {
	if len(f.Rules) == 0 {
		return ""
	}
	text, err := json.MarshalIndent(f.Rules, "", "  ")
	if err != nil {
		return err.Error() // our own types always have an encoding
	}
	return string(text)
}

// line is a request as the page's log shows it.
type line struct{ Request }

// Op is the operation in a word or two.
func (l line) Op() string {
	switch {
	case l.Operation != "":
	case l.Call != "" && l.Call != CallWebhook:
		return strings.ReplaceAll(string(l.Call), "_", " ")
	default:
		return "other"
	}
	return strings.TrimPrefix(string(l.Operation), operationPrefix)
}

// At is the time of arrival on the clock of the sandbox.
func (l line) At() string { return l.Time.Local().Format("15:04:05.000") }

// Answered is what the client got to see.
func (l line) Answered() string {
	switch {
	case !l.Done:
		return "…"
	case l.Status == 0:
		return "no answer"
	}
	return fmt.Sprint(l.Status)
}

// Why is the fault that was played, or the code of a failure.
func (l line) Why() string {
	var failure struct {
		Success *bool  `json:"success"`
		Code    string `json:"error_code"`
	}
	if l.Effect == "" && json.Unmarshal([]byte(l.Answer), &failure) == nil && failure.Success != nil && !*failure.Success {
		return or(failure.Code, "failure")
	}
	if l.Effect == EffectStatus {
		return "fault"
	}
	return strings.ReplaceAll(string(l.Effect), "_", " ")
}

// Well tells of an ordinary success, or of an answer that is still to come.
func (l line) Well() bool { return !l.Done || l.Status/100 == 2 && l.Why() == "" }

// Did is what became of the appointment book.
func (l line) Did() string {
	switch {
	case l.Double:
		return "a double"
	case l.Replay:
		return "done before"
	case l.Acted:
		return "done"
	case !l.Done:
		return "…"
	}
	return "not done"
}

// Took is the time from arrival to the end, empty until then.
func (l line) Took() string {
	if l.Ended.IsZero() {
		return ""
	}
	if d := l.Ended.Sub(l.Time); d >= time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	} else if d >= time.Millisecond {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return "<1 ms"
}

// Delivery is the beginning of the delivery id.
func (l line) Delivery() string { return shortened(l.DeliveryID, 8) }

func shortened(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n]) + "…"
}
