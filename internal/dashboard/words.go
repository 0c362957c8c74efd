package dashboard

import (
	"errors"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"ghlsync/internal/admin"
	"ghlsync/internal/operate"
)

// funcs are what templates say things with.
var funcs = template.FuncMap{
	"asset": assetURL, "eventURL": eventURL,
	"count": count, "size": size, "took": took, "when": when, "plural": plural, "icon": icon, "say": say,
	"num":    func(n int) int64 { return int64(n) },
	"whenAt": func(t time.Time) template.HTML { return when(&t) },
}

// count is a number with its thousands set apart.
func count(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// plural is a number with its noun.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// size is a number of bytes as people read it.
func size(n *int64) string {
	if n == nil {
		return "unknown"
	}
	return admin.Size(*n)
}

// took is a duration with as many digits as mean something.
func took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
}

// when is a time in UTC; the script makes it that of the viewer's zone.
func when(t *time.Time) template.HTML {
	if t == nil || t.IsZero() {
		return "—"
	}
	u := t.UTC()
	text := u.Format("2006-01-02 15:04:05") + " UTC"
	// Figures, dashes and colons: nothing in it needs escaping.
	return template.HTML(`<time datetime="` + u.Format(time.RFC3339Nano) + `" title="` + text + `">` + text + `</time>`)
}

// icons stand beside words, so that no state is a colour alone.
var icons = map[string]string{
	string(admin.OK): "✓", string(admin.Degraded): "▲", string(admin.Down): "✕",
	"synced": "✓", "pending": "…", "failed": "✕", "held": "‖", "none": "○",
	"done": "✓", "error": "✕",
}

func icon(word string) string { return icons[word] }

// say is a text that may not be known.
func say(s *string) string {
	if s == nil || *s == "" {
		return "—"
	}
	return *s
}

// sentence gives a phrase a capital and a full stop.
func sentence(phrase string) string {
	if phrase == "" {
		return ""
	}
	first := strings.ToUpper(phrase[:1]) // phrases of ours begin with a plain letter
	if strings.HasSuffix(phrase, ".") {
		return first + phrase[1:]
	}
	return first + phrase[1:] + "."
}

func wrongRequest(err error) bool {
	return errors.Is(err, admin.ErrRequest) || errors.Is(err, operate.ErrSelection)
}
