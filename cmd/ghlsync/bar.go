package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"ghlsync/internal/logging"
)

const (
	barWidth = 30
	barEvery = 100 * time.Millisecond
)

// bar shows how far something is, on one line of a terminal. Anywhere else it
// shows nothing.
type bar struct {
	out         io.Writer // nil: nothing is shown
	verb, nouns string
	last        time.Time
}

func newBar(out io.Writer, verb, nouns string) *bar {
	if !logging.IsTerminal(out) {
		out = nil
	}
	return &bar{out: out, verb: verb, nouns: nouns}
}

func (b *bar) show(done, total int64) {
	now := time.Now()
	if b.out == nil || now.Sub(b.last) < barEvery {
		return
	}
	b.last = now
	say(b.out, "\r\x1b[K%s", b.line(done, total))
}

func (b *bar) line(done, total int64) string {
	full := int64(0)
	if total > 0 {
		full = min(done*barWidth/total, barWidth)
	}
	return fmt.Sprintf("[%s%s] %s %d of about %d %s", strings.Repeat("#", int(full)), strings.Repeat(".", barWidth-int(full)), b.verb, done, total, b.nouns)
}

// clear leaves the line to whoever writes next.
func (b *bar) clear() {
	if b.out != nil && !b.last.IsZero() {
		say(b.out, "\r\x1b[K")
	}
}
