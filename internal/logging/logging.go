package logging

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"

	"ghlsync/internal/config"
)

// New makes a logger that writes to w. With config.LogAuto the writer decides:
// text on a terminal, JSON otherwise.
func New(w io.Writer, level slog.Leveler, format config.LogFormat) *slog.Logger {
	if format == config.LogText || format != config.LogJSON && IsTerminal(w) {
		return slog.New(tint.NewTextHandler(w, &tint.Options{
			Level: level, TimeFormat: "15:04:05.000", NoColor: !Coloured(w), ReplaceAttr: brief,
		}))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: exact}))
}

// exact makes the time of a line UTC, so that the lines of machines in different
// zones sort, and writes durations with their unit: alone, JSON would give a
// count of nanoseconds.
func exact(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
		return slog.Time(a.Key, a.Value.Time().UTC())
	}
	if a.Value.Kind() == slog.KindDuration {
		return slog.String(a.Key, rounded(a.Value.Duration()).String())
	}
	return a
}

// brief cuts from durations what nobody reads.
func brief(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.DurationValue(rounded(a.Value.Duration()))
	}
	return a
}

func rounded(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

// Coloured tells whether what is written to w may be coloured: it is a terminal
// that knows colours, and NO_COLOR is not set.
func Coloured(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && IsTerminal(w)
}

// IsTerminal reports whether a person may be looking at what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}
