package demo

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"ghlsync/internal/logging"
	"ghlsync/state"
)

// Widths of the columns of a line.
const (
	wDoes  = 38
	wEvent = 26
	wCall  = 11
	wApp   = 10
	wTime  = 8
)

// style is a terminal's escape code; empty styles change nothing.
type style string

const (
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// printer lays out what people read. Only the player's goroutine uses it. What
// cannot be written is not missed: the verdict is Run's error.
type printer struct {
	out    io.Writer
	colour bool
}

func newPrinter(out io.Writer) *printer {
	return &printer{out: out, colour: logging.Coloured(out)}
}

func (p *printer) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format, args...) // see printer
}

func (p *printer) paint(s style, text string) string {
	if !p.colour || s == "" || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (p *printer) heading(text string) { p.printf("\n%s\n", p.paint(bold, text)) }

// item is a label and what it stands for.
func (p *printer) item(label, text string) {
	p.printf("  %s %s\n", p.paint(dim, left(label, 11)), text)
}

func (p *printer) good(text string) { p.printf("%s %s\n", p.paint(green, "✓"), text) }
func (p *printer) bad(text string)  { p.printf("%s %s\n", p.paint(red, "✗"), text) }

// columns is the head of the lines.
func (p *printer) columns() {
	p.printf("\n%s\n", p.paint(dim, strings.Join([]string{
		left("in Sentra", wDoes), left("event", wEvent), left("GHL", wCall), left("appointment", wApp+1),
		right("reached", wTime-1), right("answered", wTime),
	}, " ")))
}

// line is one change and one call for it. The label is empty for the second
// call of a change and those after.
func (p *printer) line(label string, d delivery) {
	why := ""
	if !d.done() {
		why = p.paint(yellow, fmt.Sprintf("%s %s", d.result.Outcome, d.result.Code))
	}
	p.row(label, d.event, p.answer(d), d.result.AppointmentID, took(d.toGHL()), took(d.toAnswer()), why)
}

// plain is a line without a call: a remark stands in its place.
func (p *printer) plain(label, event string, s style, remark string) {
	p.row(label, event, p.paint(s, remark), "", "", "", "")
}

func (p *printer) row(label, event, answer, app, reached, answered, why string) {
	line := strings.Join([]string{
		left(label, wDoes), p.paint(dim, left(event, wEvent)), answer, left(app, wApp+1),
		right(reached, wTime-1), right(answered, wTime), " " + why,
	}, " ")
	p.printf("%s\n", strings.TrimRight(line, " "))
}

// answer is the call's operation and the HTTP status that it ended with.
func (p *printer) answer(d delivery) string {
	colours := map[state.Operation]style{state.Create: green, state.Update: yellow, state.Delete: red}
	status := "none"
	if d.result.HTTPStatus != 0 {
		status = fmt.Sprint(d.result.HTTPStatus)
	}
	return p.paint(colours[d.operation], left(fmt.Sprintf("%-6s %s", d.operation, status), wCall))
}

func left(text string, width int) string {
	n := utf8.RuneCountInString(text)
	if n > width {
		return string([]rune(text)[:width-1]) + "…"
	}
	return text + strings.Repeat(" ", width-n)
}

func right(text string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text))) + text
}

// took writes a duration with three digits or so; nothing where it is unknown.
func took(d time.Duration, known bool) string {
	switch {
	case !known:
		return "–"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	default:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
}
