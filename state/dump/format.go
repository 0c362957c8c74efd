package dump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ghlsync/state"
)

// Schema is the version of what is written. A stream of an older one can be read.
const Schema = 1

const format = "ghlsync state"

// Errors that callers branch on; state.ErrNewerSchema is one more.
var (
	// ErrForeign: the stream is no export of a state.
	ErrForeign = errors.New("this is no export of a state")
	// ErrDamaged: the stream is not what was written.
	ErrDamaged = errors.New("the export is damaged")
	// ErrNotEmpty: there is a state already where one was to be imported.
	ErrNotEmpty = errors.New("the state is not empty")
)

// Header says what a stream is.
type Header struct {
	Format     string    `json:"format"`
	Schema     int       `json:"schema"`
	Source     string    `json:"source"`  // the backend: sqlite or postgres
	Program    string    `json:"program"` // version of the ghlsync that wrote it
	ExportedAt time.Time `json:"exported_at"`
}

// Counts are how much there is of each kind.
type Counts struct {
	Checkpoints int64 `json:"checkpoints"`
	Retired     int64 `json:"retired"`
	Mappings    int64 `json:"mappings"`
	Attempts    int64 `json:"attempts"`
	Paused      bool  `json:"paused"`
}

// String says it in words.
func (c Counts) String() string {
	parts := []string{
		plural(c.Mappings, "mapping"), plural(c.Checkpoints, "checkpoint"),
		plural(c.Attempts, "line") + " of the audit", plural(c.Retired, "retired appointment"),
	}
	if c.Paused {
		parts = append(parts, "a pause of delivery")
	}
	return strings.Join(parts, ", ")
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (c *Counts) count(one state.Content) {
	switch {
	case one.Checkpoint != nil:
		c.Checkpoints++
	case one.Retired != nil:
		c.Retired++
	case one.Mapping != nil:
		c.Mappings++
	case one.Attempt != nil:
		c.Attempts++
	case one.Delivery != nil:
		c.Paused = !one.Delivery.PausedAt.IsZero()
	}
}

// headLine is the first line. Its unknown fields are those of a newer schema.
type headLine struct {
	Header Header `json:"header"`
}

// endPrefix begins the last line, and no other.
var endPrefix = []byte(`{"end":`)

// endLine is the last line: byte for byte the only one that ends what came before.
func endLine(c Counts, sum []byte) ([]byte, error) {
	line, err := json.Marshal(map[string]any{"end": struct {
		Counts
		SHA256 string `json:"sha256"`
	}{c, fmt.Sprintf("%x", sum)}})
	return append(line, '\n'), err
}

// west is where a year still has four digits, the most that JSON's times can have,
// that has five in UTC. An event may start in the last hours of 9999.
var west = time.FixedZone("", -12*60*60)

func encodable(c state.Content) state.Content {
	if m := c.Mapping; m != nil && m.StartsAt.Year() > 9999 {
		moved := *m
		moved.StartsAt = m.StartsAt.In(west)
		c.Mapping = &moved
	}
	return c
}

func decode(line []byte) (state.Content, error) {
	var c state.Content
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, err
	}
	if m := c.Mapping; m != nil {
		m.StartsAt = m.StartsAt.UTC()
	}
	return c, nil
}
