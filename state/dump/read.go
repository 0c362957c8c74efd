package dump

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	"ghlsync/state"
)

const (
	// longest is how long a line may be: memory is bounded by it.
	longest = 64 << 20
	// batch is how many rows are saved at a time.
	batch = 500
)

// Store is what can be imported into.
type Store interface {
	state.Exporter
	Begin(ctx context.Context) (state.Tx, error)
}

// Read stores what r brings, all of it or, after an error, nothing. The state must
// be empty. Nobody else may work on it: a daemon would hold for true what it knew.
func Read(ctx context.Context, r io.Reader, into Store) (Counts, error) {
	in := newReader(r)
	if err := in.header(); err != nil {
		return Counts{}, err
	}
	tx, err := into.Begin(ctx)
	if err != nil {
		return Counts{}, fmt.Errorf("begin the import: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing, and else an error came before
	if err := mustBeEmpty(ctx, into); err != nil {
		return Counts{}, err
	}
	im := importer{tx: tx}
	for {
		one, err := in.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = im.take(ctx, one)
		}
		if err != nil {
			return Counts{}, err
		}
	}
	if err := im.flush(ctx); err != nil {
		return Counts{}, err
	}
	if err := tx.Commit(ctx); err != nil {
		return Counts{}, fmt.Errorf("commit the import: %w", err)
	}
	return in.counts, nil
}

// mustBeEmpty is asked within the importing Tx, beside which nobody commits.
func mustBeEmpty(ctx context.Context, s state.Exporter) error {
	var there Counts
	err := s.Export(ctx, func(one state.Content) error {
		there.count(one)
		return nil
	})
	if err == nil && there != (Counts{}) {
		err = fmt.Errorf("%w: it has %s", ErrNotEmpty, there)
	}
	return err
}

// importer stores contents within one Tx, mappings and audit lines many at a time.
type importer struct {
	tx       state.Tx
	last     *state.Mapping
	mappings []*state.Mapping
	attempts []state.Attempt
}

func (im *importer) take(ctx context.Context, one state.Content) error {
	switch {
	case one.Mapping != nil:
		if im.last != nil && one.Mapping.ID <= im.last.ID {
			return fmt.Errorf("%w: its mappings are not in order", ErrDamaged)
		}
		im.last = one.Mapping
		im.mappings = append(im.mappings, one.Mapping)
	case one.Attempt != nil:
		im.attempts = append(im.attempts, *one.Attempt)
	case one.Checkpoint != nil:
		return im.tx.SetCheckpoint(ctx, nil, *one.Checkpoint)
	case one.Retired != nil:
		return im.tx.Retire(ctx, one.Retired.EventID, one.Retired.AppointmentID, one.Retired.At)
	case one.Delivery != nil:
		return errors.Join(im.tx.SetPaused(ctx, one.Delivery.PausedAt), im.tx.Attempted(ctx, one.Delivery.LastAttempt))
	}
	if len(im.mappings)+len(im.attempts) < batch {
		return nil
	}
	return im.flush(ctx)
}

// flush loads before it saves: a store writes faster what it knows to be new.
func (im *importer) flush(ctx context.Context) error {
	ids := make([]state.EventID, len(im.mappings))
	for i, m := range im.mappings {
		ids[i] = m.ID
	}
	if _, err := im.tx.Load(ctx, ids); err != nil {
		return err
	}
	err := errors.Join(im.tx.Save(ctx, im.mappings...), im.tx.Record(ctx, im.attempts...))
	im.mappings, im.attempts = im.mappings[:0], im.attempts[:0]
	return err
}

// reader takes a stream apart and checks it.
type reader struct {
	lines  *bufio.Scanner
	number int
	sum    hash.Hash
	counts Counts
}

func newReader(r io.Reader) *reader {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 1<<16), longest)
	lines.Split(wholeLines)
	return &reader{lines: lines, sum: sha256.New()}
}

// wholeLines keeps the end of a line, by which one that was cut off is known.
func wholeLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i+1], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// line is the next one; nil where there is no more.
func (r *reader) line() ([]byte, error) {
	r.number++
	if r.lines.Scan() {
		return r.lines.Bytes(), nil
	}
	err := r.lines.Err()
	if errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%w: line %d is longer than any that is written", ErrDamaged, r.number)
	}
	if err != nil {
		return nil, fmt.Errorf("read the export: %w", err)
	}
	return nil, nil
}

func (r *reader) header() error {
	line, err := r.line()
	if errors.Is(err, ErrDamaged) {
		return ErrForeign
	}
	if err != nil {
		return err
	}
	var h headLine
	if err := json.Unmarshal(line, &h); err != nil || h.Header.Format != format || h.Header.Schema < 1 {
		return ErrForeign // and not the cause, which may quote what it is
	}
	if h.Header.Schema > Schema {
		return fmt.Errorf("%w: the export has schema %d, this program knows %d", state.ErrNewerSchema, h.Header.Schema, Schema)
	}
	r.sum.Write(line)
	return nil
}

// next is io.EOF once the end has proved that nothing is missing or changed.
func (r *reader) next() (state.Content, error) {
	var one state.Content
	line, err := r.line()
	switch {
	case err != nil:
		return one, err
	case line == nil:
		return one, fmt.Errorf("%w: it was cut off after %d lines", ErrDamaged, r.number-1)
	case bytes.HasPrefix(line, endPrefix):
		return one, r.end(line)
	}
	r.sum.Write(line)
	if one, err = decode(line); err != nil || one == (state.Content{}) {
		return one, fmt.Errorf("%w: line %d is no row of a state", ErrDamaged, r.number) // the cause may quote client data
	}
	r.counts.count(one)
	return one, nil
}

func (r *reader) end(line []byte) error {
	want, err := endLine(r.counts, r.sum.Sum(nil))
	if err != nil {
		return err
	}
	if !bytes.Equal(line, want) {
		return fmt.Errorf("%w: its %d lines are not those that were written", ErrDamaged, r.number)
	}
	if more, err := r.line(); err != nil || more != nil {
		return errors.Join(fmt.Errorf("%w: it goes on behind its end", ErrDamaged), err)
	}
	return io.EOF
}
