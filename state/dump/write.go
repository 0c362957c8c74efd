package dump

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"

	"ghlsync/state"
)

// Write writes all of from to w. What was written before an error is no export: it
// has no end.
func Write(ctx context.Context, w io.Writer, from state.Exporter, h Header) (Counts, error) {
	var c Counts
	h.Format, h.Schema = format, Schema
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 1<<16)
	lines := json.NewEncoder(out)
	lines.SetEscapeHTML(false)
	if err := lines.Encode(headLine{Header: h}); err != nil {
		return c, fmt.Errorf("write the export: %w", err)
	}
	err := from.Export(ctx, func(one state.Content) error {
		c.count(one)
		if err := lines.Encode(encodable(one)); err != nil {
			return fmt.Errorf("write the export: %w", err)
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	if err := out.Flush(); err != nil {
		return c, fmt.Errorf("write the export: %w", err)
	}
	end, err := endLine(c, sum.Sum(nil))
	if err == nil {
		_, err = w.Write(end)
	}
	if err != nil {
		return c, fmt.Errorf("write the export's end: %w", err)
	}
	return c, nil
}
